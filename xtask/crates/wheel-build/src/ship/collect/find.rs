//! Which of the folders that were named are a `dist/`.

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;
use walkdir::WalkDir;

use wheel_audit::dist::MANIFEST;
use wheel_audit::text::shown;

/// So many folders right below a named one are looked into.
const MAX_FOLDERS: usize = 1000;
/// A target's folder lies below `dist/`, which may lie below an artifact's folder.
const DEPTH: usize = 3;

/// Why there is nothing to collect.
#[derive(Debug, Error)]
pub(crate) enum FindError {
    /// A folder cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What was named is a file.
    #[error("`{0}` is no folder\n\nhint: name the `dist/` of a machine, or a folder with several")]
    NoFolder(Utf8PathBuf),
    /// What was named is not there.
    #[error(
        "there is no folder `{0}`\n\nhint: name the `dist/` of a machine, or a folder with several"
    )]
    Absent(Utf8PathBuf),
    /// Nothing in it is a `dist/`.
    #[error(
        "there is no `{MANIFEST}` in `{0}` or in a folder right below it\n\n\
         hint: a machine's part is its whole `dist/`, as `cargo xtask wheels` leaves it"
    )]
    Empty(Utf8PathBuf),
    /// Wheels that nobody vouches for.
    #[error(
        "`{}` holds wheels and no `{MANIFEST}`: nothing says what they are and whether they are whole\n\n\
         hint: bring a machine's whole `dist/`; an artifact for each machine, not merged into one folder",
        shown(.0.as_str())
    )]
    Half(Utf8PathBuf),
}

/// The `dist/` folders in `paths`, each once: a path is one itself, or has them right below it, as
/// themselves (`wheels-debian12-amd64/`) or in a folder called `dist`. No link is followed below.
///
/// # Errors
/// [`FindError`], also where one of several folders holds wheels without a manifest.
pub(crate) fn find(paths: &[Utf8PathBuf]) -> Result<Vec<Utf8PathBuf>, FindError> {
    let mut found: Vec<Utf8PathBuf> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        if !path.exists() {
            return Err(FindError::Absent(path.clone()));
        }
        if !fs_err::metadata(path)?.is_dir() {
            return Err(FindError::NoFolder(path.clone()));
        }
        for folder in below(path)? {
            if seen.insert(fs_err::canonicalize(&folder)?) {
                found.push(folder);
            }
        }
    }
    Ok(found)
}

fn below(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, FindError> {
    if is_dist(path) {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for folder in folders(path)? {
        let inner = folder.join("dist");
        if is_dist(&folder) {
            found.push(folder);
        } else if is_real_folder(&inner) && is_dist(&inner) {
            found.push(inner);
        } else if holds_wheels(&folder) {
            return Err(FindError::Half(folder));
        }
    }
    if found.is_empty() {
        let half = holds_wheels(path);
        return Err(if half { FindError::Half } else { FindError::Empty }(path.to_owned()));
    }
    Ok(found)
}

/// A link in the manifest's place counts too, so that it is refused with its reason.
fn is_dist(folder: &Utf8Path) -> bool {
    std::fs::symlink_metadata(folder.join(MANIFEST)).is_ok()
}

fn is_real_folder(path: &Utf8Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn folders(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, FindError> {
    let mut found = Vec::new();
    for entry in path.read_dir_utf8()?.take(MAX_FOLDERS) {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.into_path());
        }
    }
    found.sort();
    Ok(found)
}

fn holds_wheels(folder: &Utf8Path) -> bool {
    let walk = WalkDir::new(folder).max_depth(DEPTH).into_iter().flatten();
    let mut names = walk.filter_map(|entry| entry.file_name().to_str().map(str::to_owned));
    names.any(|name| Utf8Path::new(&name).extension() == Some("whl"))
}
