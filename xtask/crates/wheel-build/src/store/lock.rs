//! Allows one run at a time.

use std::fs::TryLockError;
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;
use wheel_audit::UserError;

/// Held while `dist/` may change. The system releases it when xtask ends for any reason.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: std::fs::File,
}

/// Why the lock was not acquired.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    /// Another run holds it, and the caller did not want to wait.
    #[error("{0}")]
    Held(#[source] UserError),
    /// The lock file cannot be used.
    #[error("cannot lock `{path}`: {source}")]
    Io {
        /// The lock file.
        path: Utf8PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// xtask was interrupted while it waited.
    #[error("interrupted")]
    Interrupted,
}

impl Lock {
    /// Acquires the lock in `folder`. If another run holds it, calls `waiting` with its name and waits, unless `wait` is
    /// false.
    ///
    /// # Errors
    /// [`LockError`]
    pub(crate) fn take(
        folder: &Utf8Path,
        wait: bool,
        waiting: impl FnOnce(&str),
    ) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let io = |source| LockError::Io { path: path.clone(), source };
        fs_err::create_dir_all(folder).map_err(io)?;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs_err::read_to_string(&path).unwrap_or_default();
                let holder = holder.trim();
                let holder = if holder.is_empty() { "a process that just began" } else { holder };
                if !wait {
                    let message = format!("another run is using this workspace ({holder})");
                    return Err(LockError::Held(
                        UserError::new(message).hint("wait until it ends, or stop it"),
                    ));
                }
                waiting(holder);
                if !wait_for(&file).map_err(io)? {
                    return Err(LockError::Interrupted);
                }
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).map_err(io)?;
        let command: Vec<_> = std::env::args().skip(1).collect();
        let mut writer = &file;
        write!(writer, "process {}: cargo xtask {}", std::process::id(), command.join(" "))
            .map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Polls for the lock, so that Ctrl-C ends the wait; returns `false` then.
fn wait_for(file: &std::fs::File) -> std::io::Result<bool> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if crate::exec::interrupt::received() => {
                return Ok(false);
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
        }
    }
}
