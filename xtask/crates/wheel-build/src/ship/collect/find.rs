//! Finds the `dist/` folders in the paths of a command line.

use anyhow::bail;
use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;
use wheel_audit::UserError;

use wheel_audit::dist::MANIFEST;
use wheel_audit::text::shown;

/// Maximum number of folders that are searched directly below a path.
const MAX_FOLDERS: usize = 1000;
/// A target's folder is below `dist/`, which may be below an artifact's folder.
const DEPTH: usize = 3;
/// Hint: which folders `collect` accepts.
pub(crate) const FOLDER: &str = "name the `dist/` of a machine, or a folder with several";

/// The `dist/` folders in `paths`, each once: a path itself, or folders directly below it, or their subfolder
/// `dist`. Links below a path are not followed.
///
/// # Errors
/// If there is nothing to collect, or a folder has wheels without a manifest.
pub(crate) fn find(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let mut found: Vec<Utf8PathBuf> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        if !fs_err::metadata(path)?.is_dir() {
            bail!(UserError::new(format!("`{path}` is not a folder")).hint(FOLDER));
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
            return Err(without_manifest(&folder).into());
        }
    }
    if found.is_empty() {
        if holds_wheels(path) {
            return Err(without_manifest(path).into());
        }
        let message = format!("no `{MANIFEST}` in `{path}` or directly below it");
        bail!(
            UserError::new(message)
                .hint("name the complete `dist/` of a machine, as `cargo xtask wheels` wrote it")
        );
    }
    Ok(found)
}

/// Error for wheels without a manifest.
fn without_manifest(folder: &Utf8Path) -> UserError {
    UserError::new(format!(
        "`{}` has wheels but no `{MANIFEST}`, which lists and verifies them",
        shown(folder.as_str())
    ))
    .hint(
        "collect the complete `dist/` of each machine; do not merge artifacts of several machines \
       into one folder",
    )
}

/// Includes a link in the manifest's place, so that it is rejected with a reason.
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
