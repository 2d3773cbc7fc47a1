//! The location of the adopting folder in its git repository.

use camino::Utf8Path;

use crate::exec::{Exec, Step, quote};
use crate::ship::workflow::github;

/// A note about a folder that is not the top of a git repository; `None` for the top.
pub(super) fn note(exec: &Exec, folder: &Utf8Path) -> Option<String> {
    let step = Step::new("git", ["rev-parse", "--show-toplevel"]).cwd(folder);
    let workflow = github::PATH;
    let answer = exec.capture(&step);
    match &answer {
        Ok(git) if git.success && git.stdout.trim() == folder => None,
        Ok(git) if git.success => {
            let top = Utf8Path::new(git.stdout.trim());
            Some(format!(
                "`{folder}` is not the top of its git repository, `{top}`. The build uses only the files of this \
                 folder. GitHub reads workflows only at the top: move `{workflow}` to \
                 `{}`, and make it run its commands in this folder",
                top.join(workflow)
            ))
        }
        // A repository that git refuses: a build would stop there.
        Ok(git) if let Some(top) = top(folder) => {
            let error = git.stderr.lines().next().unwrap_or(git.status.as_str());
            Some(format!(
                "git does not read the repository of `{folder}`, and a build needs its list of files: {error}; \
                 for another user's folder, run `git config --global --add safe.directory {}`",
                quote(top.as_str())
            ))
        }
        _ => Some(format!(
            "`{folder}` is not in a git repository: the build uses every file of the folder except caches and \
                 environments, and no CI runs `{workflow}`; `git init` creates a repository, and the build then \
                 respects `.gitignore`"
        )),
    }
}

/// The folder of `folder` and those above it that has `.git`.
fn top(folder: &Utf8Path) -> Option<&Utf8Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::exec::Captured;

    #[test]
    fn a_repository_that_git_refuses_is_not_a_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(dir.path()).unwrap();
        let exec = Exec::fake(|_| Ok(Captured::failed("fatal: detected dubious ownership")));
        assert!(note(&exec, folder).unwrap().contains("`git init`"));
        fs_err::create_dir(folder.join(".git")).unwrap();
        let note = note(&exec, folder).unwrap();
        assert!(note.contains("dubious ownership") && note.contains("safe.directory"), "{note}");
        assert!(!note.contains("git init"), "{note}");
    }

    #[test]
    fn the_command_for_a_refused_repository_names_its_top() {
        let dir = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(dir.path()).unwrap().join("the repo");
        fs_err::create_dir_all(top.join(".git")).unwrap();
        let exec = Exec::fake(|_| Ok(Captured::failed("fatal: detected dubious ownership")));
        let note = note(&exec, &top.join("package")).unwrap();
        assert!(note.contains(&format!("safe.directory '{top}'`")), "{note}");
    }
}
