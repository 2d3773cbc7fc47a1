//! Calls that depend on the operating system. They work on Linux and macOS.

use std::fs::{Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use fs_err::os::unix::fs::FileExt as _;
use rustix::fs::OFlags;

#[cfg(not(unix))]
compile_error!("this crate needs Linux or macOS; on Windows, build it in WSL");

/// The handling of a link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Follow it.
    Follow,
    /// Return an error.
    Refuse,
}

/// Options for reading a file. Opening does not block on a FIFO, so the caller must check the kind of file.
pub fn reading(links: Links) -> OpenOptions {
    let flags = match links {
        Links::Follow => OFlags::NONBLOCK,
        Links::Refuse => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    options
}

/// Options for writing a file that only its owner can read.
pub fn writing_private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}

/// Reads at an offset, independent of the file position that threads share.
///
/// # Errors
/// If the file is unreadable. The error contains the path.
pub fn read_at(file: &fs_err::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// The permissions of a mode such as `0o644`.
pub fn permissions(mode: u32) -> Permissions {
    Permissions::from_mode(mode)
}

/// Returns whether anybody may execute the file.
pub fn is_executable(file: &Metadata) -> bool {
    file.permissions().mode() & 0o111 != 0
}
