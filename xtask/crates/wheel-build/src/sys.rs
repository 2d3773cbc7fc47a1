//! Operating system calls for processes, users and disks. Only this module and [`wheel_audit::sys`] make them,
//! and they use nothing that macOS lacks.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use camino::Utf8Path;
use rustix::process::{Pid, kill_process, kill_process_group};

/// How to end a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Like Ctrl-C.
    Interrupt,
    /// Like `kill`.
    Terminate,
    /// Immediately.
    Kill,
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::INT,
            Signal::Terminate => Self::TERM,
            Signal::Kill => Self::KILL,
        }
    }
}

/// Puts the child into its own process group, which the terminal's keys do not reach.
pub(crate) fn in_own_group(command: &mut Command) {
    command.process_group(0);
}

/// Keeps the child in the group of this process.
pub(crate) fn in_this_group(command: &mut Command) {
    command.process_group(rustix::process::getpgrp().as_raw_nonzero().get());
}

/// Signals only the child. It is no error if it has ended.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let _ = pid(child).map(|pid| kill_process(pid, signal.into()));
}

/// Signals the child's group. It is no error if it has ended.
pub(crate) fn signal_group(child: &Child, signal: Signal) {
    let _ = pid(child).map(|pid| kill_process_group(pid, signal.into()));
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// The exit code as in a shell: 128 plus the number of a signal.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Returns whether this user is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Number of bytes that this user can write at `path`.
pub(crate) fn free_space(path: &Utf8Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path.as_std_path()).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// Converts a path from the output of git with `-z`.
pub(crate) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The bytes of a path for git.
pub(crate) fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
