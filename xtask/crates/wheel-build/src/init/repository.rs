//! The location of the adopting folder in its git repository.

use camino::Utf8Path;

use crate::exec::{Exec, Step};
use crate::ship::workflow::github;

/// A note about a folder that is not the top of a git repository; `None` for the top.
pub(super) fn note(exec: &Exec, folder: &Utf8Path) -> Option<String> {
    let step = Step::new("git", ["rev-parse", "--show-toplevel"]).cwd(folder);
    let workflow = github::PATH;
    match exec.read(&step) {
        Ok(top) if top.trim() == folder => None,
        Ok(top) => {
            let top = Utf8Path::new(top.trim());
            Some(format!(
                "`{folder}` is not the top of its git repository, `{top}`: the build uses only the files of this \
                 folder, and GitHub only reads workflows at the top; move `{workflow}` to \
                 `{}` and change it to run its commands in this folder",
                top.join(workflow)
            ))
        }
        Err(_) => Some(format!(
            "`{folder}` is not in a git repository: the build uses every file of the folder except caches and \
                 environments, and no CI runs `{workflow}`; `git init` creates a repository, and the build then \
                 respects `.gitignore`"
        )),
    }
}
