//! Which of the folders that were named are a `dist/`.

use anyhow::bail;
use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;
use wheel_audit::UserError;

use wheel_audit::dist::MANIFEST;
use wheel_audit::text::shown;

/// So many folders right below a named one are looked into.
const MAX_FOLDERS: usize = 1000;
/// A target's folder lies below `dist/`, which may lie below an artifact's folder.
const DEPTH: usize = 3;
/// What a folder to collect is.
pub(crate) const FOLDER: &str = "name the `dist/` of a machine, or a folder with several";

/// The `dist/` folders in `paths`, each once: a path is one itself, or has them right below it, as
/// themselves (`wheels-debian12-amd64/`) or in a folder called `dist`. No link is followed below.
///
/// # Errors
/// When there is nothing to collect, also where one of several folders holds wheels without a manifest.
pub(crate) fn find(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let mut found: Vec<Utf8PathBuf> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        if !fs_err::metadata(path)?.is_dir() {
            bail!(UserError::new(format!("`{path}` is no folder")).hint(FOLDER));
        }
        for folder in below(path)? {
            if seen.insert(fs_err::canonicalize(&folder)?) {
                found.push(folder);
            }
        }
    }
    Ok(found)
}

fn below(path: &Utf8Path) -> anyhow::Result<Vec<Utf8PathBuf>> {
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
            return Err(half(&folder).into());
        }
    }
    if found.is_empty() {
        if holds_wheels(path) {
            return Err(half(path).into());
        }
        let message = format!("there is no `{MANIFEST}` in `{path}` or in a folder right below it");
        bail!(
            UserError::new(message)
                .hint("a machine's part is its whole `dist/`, as `cargo xtask wheels` leaves it")
        );
    }
    Ok(found)
}

/// Wheels that nothing vouches for.
fn half(folder: &Utf8Path) -> UserError {
    UserError::new(format!(
        "`{}` holds wheels and no `{MANIFEST}`: nothing says what they are and whether they are whole",
        shown(folder.as_str())
    ))
    .hint("bring a machine's whole `dist/`; an artifact for each machine, not merged into \
         one folder")
}

/// A link in the manifest's place counts too, so that it is refused with its reason.
fn is_dist(folder: &Utf8Path) -> bool {
    std::fs::symlink_metadata(folder.join(MANIFEST)).is_ok()
}

fn is_real_folder(path: &Utf8Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn folders(path: &Utf8Path) -> anyhow::Result<Vec<Utf8PathBuf>> {
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
