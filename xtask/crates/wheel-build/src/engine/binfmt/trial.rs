//! Runs a foreign program to test an emulator.

use std::io::{ErrorKind, Write as _};
use std::thread;
use std::time::Duration;

use camino::Utf8Path;

use super::program;
use crate::exec::{Captured, Exec, ExecError, Step};
use wheel_audit::sys::permissions;

/// Maximum duration of the program. Emulators start within a fraction of a second.
const LIMIT: Duration = Duration::from_secs(20);
/// Maximum number of tries for a file that another process has open.
const TRIES: usize = 20;

/// The result of running a foreign program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It ran and exited as expected.
    Ran,
    /// It failed, with the reason.
    Failed(String),
}

/// Runs a program of `arch` in a temporary folder.
///
/// # Errors
/// If xtask was interrupted, or the program cannot be written.
pub(super) fn run(exec: &Exec, arch: &str) -> anyhow::Result<Trial> {
    let Some(bytes) = program::of(arch) else {
        return Ok(Trial::Failed("no program of this architecture is known".to_owned()));
    };
    let folder = tempfile::Builder::new().prefix("xtask-binfmt").tempdir()?;
    let Some(folder) = Utf8Path::from_path(folder.path()).map(Utf8Path::to_owned) else {
        anyhow::bail!("the folder for temporary files has a name that is not UTF-8");
    };
    let path = folder.join("program");
    let mut file = fs_err::File::create(&path)?;
    file.write_all(&bytes)?;
    file.set_permissions(permissions(0o755))?;
    drop(file);
    let step = Step::new(path.as_str(), [""; 0]).timeout(LIMIT);
    let mut answer = exec.capture(&step);
    for _ in 0..TRIES {
        // Another thread may be starting a process that still has the file open.
        let busy = matches!(&answer, Err(ExecError::Start { source, .. })
            if source.kind() == ErrorKind::ExecutableFileBusy);
        if !busy {
            break;
        }
        thread::sleep(Duration::from_millis(10));
        answer = exec.capture(&step);
    }
    evaluate(answer, &folder)
}

fn evaluate(answer: Result<Captured, ExecError>, folder: &Utf8Path) -> anyhow::Result<Trial> {
    let failed = |why: String| Ok(Trial::Failed(why));
    match answer {
        Ok(answer) if answer.status == format!("exit status: {}", program::STATUS) => {
            Ok(Trial::Ran)
        }
        Ok(answer) => {
            let last = answer.stderr.lines().last().unwrap_or_default().trim();
            let gap = if last.is_empty() { "" } else { ": " };
            failed(format!("a test program ended with {}{gap}{last}", answer.status))
        }
        Err(ExecError::Interrupted) => Err(ExecError::Interrupted.into()),
        // The file exists: the kernel cannot find the emulator.
        Err(ExecError::NotFound { .. }) => failed("the registered emulator is gone".to_owned()),
        Err(ExecError::Start { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
            let folder = folder.parent().unwrap_or(folder);
            failed(format!("`{folder}` does not let programs run (set TMPDIR to another folder)"))
        }
        Err(ExecError::Start { source, .. }) => {
            failed(format!("a test program could not be started: {source}"))
        }
        Err(error) => failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn ended(status: &str) -> Exec {
        let answer =
            Captured { status: status.to_owned(), ..Captured::failed("qemu: no such CPU") };
        Exec::fake(move |_| Ok(answer.clone()))
    }

    #[test]
    fn a_native_program_runs() {
        let own = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            "x86" => "386",
            other => other,
        };
        assert_eq!(run(&Exec::real(), own).unwrap(), Trial::Ran);
    }

    #[test]
    fn only_the_programs_own_status_counts() {
        assert_eq!(run(&ended("exit status: 42"), "arm64").unwrap(), Trial::Ran);
        let zero = run(&ended("exit status: 0"), "arm64").unwrap();
        let why = "a test program ended with exit status: 0: qemu: no such CPU";
        assert_eq!(zero, Trial::Failed(why.to_owned()));
        let start = |kind: ErrorKind| {
            let answer = Err(ExecError::Start { program: "x".to_owned(), source: kind.into() });
            match evaluate(answer, Utf8Path::new("/t/x")).unwrap() {
                Trial::Failed(why) => why,
                Trial::Ran => "ran".to_owned(),
            }
        };
        assert!(start(ErrorKind::PermissionDenied).starts_with("`/t` "));
        assert!(start(ErrorKind::InvalidData).starts_with("a test program could not be started"));
        assert!(evaluate(Err(ExecError::Interrupted), Utf8Path::new("/t")).is_err());
    }
}
