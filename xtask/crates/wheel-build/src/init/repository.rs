//! The location of the adopting folder in its git repository.

use camino::Utf8Path;

use crate::exec::{Exec, Step};
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
        Ok(git) if folder.ancestors().any(|folder| folder.join(".git").exists()) => {
            let error = git.stderr.lines().next().unwrap_or(git.status.as_str());
            Some(format!(
                "git does not read the repository of `{folder}`, and a build needs its list of files: {error}; \
                 for another user's folder, run `git config --global --add safe.directory {folder}`"
            ))
        }
        _ => Some(format!(
            "`{folder}` is not in a git repository: the build uses every file of the folder except caches and \
                 environments, and no CI runs `{workflow}`; `git init` creates a repository, and the build then \
                 respects `.gitignore`"
        )),
    }
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
}
