//! What each operating system does its own way with processes, users and disks. Only this module and
//! [`wheel_audit::sys`] call it, and they use nothing that macOS lacks.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use camino::Utf8Path;
use rustix::process::{Pid, kill_process, kill_process_group};

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// As by Ctrl-C.
    Interrupt,
    /// As by `kill`.
    Terminate,
    /// At once.
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

/// Gives the child a process group of its own, which the keys of the terminal do not reach.
pub(crate) fn in_own_group(command: &mut Command) {
    command.process_group(0);
}

/// Leaves the child in the group of this process.
pub(crate) fn in_this_group(command: &mut Command) {
    command.process_group(rustix::process::getpgrp().as_raw_nonzero().get());
}

/// Signals the child alone. One that has ended already is no error.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let _ = pid(child).map(|pid| kill_process(pid, signal.into()));
}

/// Signals the child's group. One that has ended already is no error.
pub(crate) fn signal_group(child: &Child, signal: Signal) {
    let _ = pid(child).map(|pid| kill_process_group(pid, signal.into()));
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// The exit code as a shell gives it: 128 and its number for a signal.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Whether this user may do everything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Bytes that this user may still write at `path`.
pub(crate) fn free_space(path: &Utf8Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path.as_std_path()).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// A path as git prints it with `-z`.
pub(crate) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The bytes of a path, as git takes it.
pub(crate) fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
