//! Secrets of a running container, written through the engine's connection into a file system in memory. They reach
//! remote engines, engines with user namespaces and systems with `SELinux`, and are in no layer and in no file of
//! this machine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::engine::{Engine, EngineError};
use crate::exec::Step;

/// Folder of secrets in build steps.
const FOLDER: &str = "/run/secrets";
/// Time between attempts: the container must run first.
const PAUSE: Duration = Duration::from_millis(100);
/// Writes standard input to the file `$1` with mode `$2`, atomically.
const WRITE: &str = r#"umask 077 && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1""#;
/// File that `scripts/shell.sh` waits for.
const COMPLETE: &str = ".complete";

/// The secrets of a build, for one container.
#[derive(Debug)]
pub(super) struct RuntimeSecrets {
    secrets: Vec<Secret>,
}

/// A secret in memory. Its `Debug` output does not show the content.
struct Secret {
    name: &'static str,
    mode: &'static str,
    contents: Arc<[u8]>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}

impl RuntimeSecrets {
    /// The secrets of builds in `engine`.
    ///
    /// # Errors
    /// If the certificate bundle cannot be read.
    pub(super) fn of(engine: &Engine) -> std::io::Result<Self> {
        let secret = |(name, contents): (&'static str, Vec<u8>)| {
            let mode = if name == "ca" { "0444" } else { "0400" };
            Secret { name, mode, contents: contents.into() }
        };
        let mut secrets: Vec<_> = engine.host.secret_files()?.into_iter().map(secret).collect();
        if !secrets.is_empty() {
            secrets.push(Secret { name: COMPLETE, mode: "0400", contents: Arc::new([]) });
        }
        Ok(Self { secrets })
    }

    /// Adds to `step`, which runs `scripts/shell.sh` in a container, a file system that the script waits for.
    pub(super) fn place(&self, step: Step) -> Step {
        if self.secrets.is_empty() {
            return step;
        }
        let memory = format!("{FOLDER}:mode=0755");
        step.args(["--tmpfs", &memory, "--env", "XTASK_AWAIT_SECRETS=1"])
    }

    /// Writes the secrets into `container` once it runs, unless it has `ended`.
    ///
    /// # Errors
    /// If the container did not receive them.
    pub(super) fn over(
        &self,
        engine: &Engine,
        container: &str,
        ended: &AtomicBool,
    ) -> Result<(), EngineError> {
        loop {
            match self.secrets.iter().try_for_each(|secret| secret.put(engine, container)) {
                Err(error) if matches!(error, EngineError::Exec(_)) => return Err(error),
                Err(_) if !ended.load(Ordering::SeqCst) => std::thread::sleep(PAUSE),
                done => return done,
            }
        }
    }
}

impl Secret {
    fn put(&self, engine: &Engine, container: &str) -> Result<(), EngineError> {
        let target = format!("{FOLDER}/{}", self.name);
        let words =
            ["exec", "--interactive", container, "sh", "-c", WRITE, "sh", &target, self.mode];
        engine.query(&engine.client.step(words).secret_stdin(&self.contents)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// The container continues when `.complete` exists, and removes it.
    #[test]
    fn a_secret_is_complete_or_absent() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("settings");
        let mut put = Command::new("sh");
        put.args(["-c", WRITE, "sh"]).arg(&target).arg("0400").stdin(Stdio::piped());
        let mut child = put.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"A=").unwrap();
        while dir.path().read_dir().unwrap().next().is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!target.exists(), "visible before it is complete");
        input.write_all(b"b").unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        assert_eq!(fs_err::read_to_string(&target).unwrap(), "A=b");
        let mode = fs_err::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        assert_eq!(dir.path().read_dir().unwrap().count(), 1, "no other file is left");
    }
}
