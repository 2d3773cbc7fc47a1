//! Which files of a folder are its source.

use std::io;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use wheel_audit::UserError;
use wheel_audit::text::shown;

use crate::exec::{Exec, ExecError, Step, interrupt};
use crate::sys;

/// Folders that no package is built from, for trees that git does not know.
const NEVER: [&str; 12] = [
    ".git",
    ".hg",
    ".venv",
    "venv",
    "target",
    "dist",
    "build",
    "wheelhouse",
    "__pycache__",
    ".tox",
    ".nox",
    "node_modules",
];

/// The files of `tree`, sorted: what git tracks or would, else, in a folder that is in no git
/// repository, all but what no package needs. Names are bytes, as the system has them.
pub(super) fn files(exec: &Exec, tree: &Utf8Path) -> io::Result<Vec<PathBuf>> {
    let mut is_tracked = false;
    for folder in tree.ancestors() {
        // A `.git` that cannot be read is an error: a walk would pack what git ignores.
        is_tracked = is_tracked || is_there(folder.join(".git").as_std_path())?;
    }
    let mut names =
        if is_tracked { git_files(exec, tree.as_std_path())? } else { walk(tree.as_std_path())? };
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether `path` exists; only an error that proves its absence counts as absent.
fn is_there(path: &Path) -> io::Result<bool> {
    Ok(metadata(path)?.is_some())
}

/// The metadata of `path` itself, not of what a link points to; `None` if it does not exist.
pub(super) fn metadata(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    match fs_err::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        // The second one: a parent folder gave way to a file.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether a folder on the way from `tree` to `name` is a link, which git does not follow.
fn is_beyond_link(tree: &Path, name: &Path) -> io::Result<bool> {
    for folder in name.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        if metadata(&tree.join(folder))?.is_some_and(|meta| meta.is_symlink()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn git_files(exec: &Exec, tree: &Path) -> io::Result<Vec<PathBuf>> {
    // A repository's own settings may name programs of a stranger: one that tells git what changed, and those that
    // fetch what a partial clone lacks.
    let settings = ["-c", "core.fsmonitor=false"];
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let folder = Utf8Path::from_path(tree)
        .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", tree.display())))?;
    // Without git's word, files that it ignores (secrets among them) would be packed.
    let hint = format!(
        "git has to say which files belong to the package; for another user's folder, \
         `git config --global --add safe.directory {folder}`"
    );
    let step = Step::new("git", settings)
        .args(args)
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .cwd(folder)
        .hint(hint);
    let list = exec.read_bytes(&step).map_err(io::Error::other)?;
    let mut names = Vec::new();
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        go_on()?;
        let is_folder = name.ends_with(b"/");
        let name = sys::path(name);
        let path = tree.join(name);
        match metadata(&path)? {
            // Tracked and deleted, but listed all the same.
            None => {}
            Some(_) if is_beyond_link(tree, name)? => {}
            Some(meta) if !meta.is_dir() => names.push(name.to_owned()),
            // Another repository that lies here untracked.
            Some(_) if is_folder => {}
            Some(_) if is_there(&path.join(".git"))? => {
                names.extend(git_files(exec, &path)?.into_iter().map(|inner| name.join(inner)));
            }
            Some(_) => {
                return Err(io::Error::other(
                    UserError::new(format!(
                        "`{}` is a git submodule that is not checked out",
                        shown(&path.to_string_lossy())
                    ))
                    .hint("`git submodule update --init --recursive`"),
                ));
            }
        }
    }
    Ok(names)
}

fn walk(tree: &Path) -> io::Result<Vec<PathBuf>> {
    let wanted = |entry: &walkdir::DirEntry| {
        !entry.file_type().is_dir() || !NEVER.iter().any(|name| entry.file_name() == *name)
    };
    let walk = walkdir::WalkDir::new(tree).min_depth(1).into_iter().filter_entry(wanted);
    let mut names = Vec::new();
    for entry in walk {
        go_on()?;
        let entry = entry?;
        // As git does: what is neither a file nor a link is never part of a tree.
        if entry.file_type().is_file() || entry.file_type().is_symlink() {
            names.push(entry.path().strip_prefix(tree).unwrap_or(entry.path()).to_owned());
        }
    }
    Ok(names)
}

/// An error as soon as xtask was asked to stop.
pub(super) fn go_on() -> io::Result<()> {
    // Not `ErrorKind::Interrupted`, after which readers try again.
    if interrupt::asked() { Err(io::Error::other(ExecError::Interrupted)) } else { Ok(()) }
}
