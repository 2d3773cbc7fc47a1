//! Where the adopting folder lies in its git repository.

use camino::Utf8Path;

use crate::exec::{Exec, Step};
use crate::ship::workflow::github;

/// What the user should know about a folder that is not the top of a git repository; `None` for a top.
pub(super) fn note(exec: &Exec, folder: &Utf8Path) -> Option<String> {
    let step = Step::new("git", ["rev-parse", "--show-toplevel"]).cwd(folder);
    let workflow = github::PATH;
    match exec.read(&step) {
        Ok(top) if top.trim() == folder => None,
        Ok(top) => {
            let top = Utf8Path::new(top.trim());
            Some(format!(
                "`{folder}` lies below the top of its git repository, `{top}`: the build uses the files of this \
                 folder alone, and GitHub reads workflows at the top alone; move `{workflow}` to \
                 `{}` and run its commands in this folder",
                top.join(workflow)
            ))
        }
        Err(_) => Some(format!(
            "git finds no repository in `{folder}`: the build uses every file of the folder except caches and \
             environments, and no CI runs `{workflow}`; `git init` makes a repository, whose \
             `.gitignore` the build respects"
        )),
    }
}
