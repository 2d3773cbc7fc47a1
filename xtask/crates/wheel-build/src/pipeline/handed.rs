//! What a container gets to know of this machine while it runs: secrets, written through the engine's own
//! connection to a file system in its memory. So they reach an engine on another machine, one with user
//! namespaces and one on a system with `SELinux`, and are in no layer and in no file of this machine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::engine::{Engine, EngineError};
use crate::exec::Step;

/// Where steps of a build have their secrets.
const FOLDER: &str = "/run/secrets";
/// How long it takes from one try to the next: the container has to run first.
const PAUSE: Duration = Duration::from_millis(100);
/// Writes what it reads to the file `$1`, of mode `$2`; nobody sees a part of it.
const PUT: &str = r#"umask 077 && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1""#;
/// What `scripts/shell.sh` waits for.
const COMPLETE: &str = ".complete";

/// The secrets of a build, for one container.
#[derive(Debug)]
pub(super) struct Handed {
    secrets: Vec<Secret>,
}

/// A secret, in memory alone; nothing that is printed shows its contents.
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

impl Handed {
    /// What the builds of `engine` get.
    ///
    /// # Errors
    /// When the bundle of certificates cannot be read.
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

    /// `step`, which runs a container by `scripts/shell.sh`, with a place for them that it waits at.
    pub(super) fn place(&self, step: Step) -> Step {
        if self.secrets.is_empty() {
            return step;
        }
        let memory = format!("{FOLDER}:mode=0755");
        step.args(["--tmpfs", &memory, "--env", "XTASK_AWAIT_SECRETS=1"])
    }

    /// Writes them into `container`, as soon as it runs and unless it has `ended`.
    ///
    /// # Errors
    /// Why the container did not get them.
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
        let words = ["exec", "--interactive", container, "sh", "-c", PUT, "sh", &target, self.mode];
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

    /// The container goes on at the first sight of `.complete`, and removes it.
    #[test]
    fn a_secret_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("settings");
        let mut put = Command::new("sh");
        put.args(["-c", PUT, "sh"]).arg(&target).arg("0400").stdin(Stdio::piped());
        let mut child = put.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"A=").unwrap();
        while dir.path().read_dir().unwrap().next().is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!target.exists(), "it is visible before it is whole");
        input.write_all(b"b").unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        assert_eq!(fs_err::read_to_string(&target).unwrap(), "A=b");
        let mode = fs_err::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        assert_eq!(dir.path().read_dir().unwrap().count(), 1, "nothing else is left");
    }
}
