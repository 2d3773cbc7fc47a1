//! Finds the package in its repository.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;
use wheel_audit::UserError;

/// A package has at least one of these files in its folder.
const MARKERS: [&str; 3] = ["pyproject.toml", "setup.py", "setup.cfg"];
/// Maximum depth below the top of the repository at which `init` looks for a package.
const DEPTH: usize = 3;

/// The package's folder, relative to `repository`: `named`, or the top, or the only folder that holds a
/// package.
///
/// # Errors
/// If there is no package, or more than one.
pub(super) fn find(repository: &Utf8Path, named: Option<&Utf8Path>) -> anyhow::Result<Utf8PathBuf> {
    if let Some(folder) = named {
        let is_below =
            folder.components().all(|part| matches!(part, camino::Utf8Component::Normal(_)));
        anyhow::ensure!(
            is_below && is_package(&repository.join(folder)),
            UserError::new(format!("`--package {folder}`: `{repository}` has no package there"))
                .hint("name a folder of the repository that has a pyproject.toml or a setup.py")
        );
        return Ok(folder.to_owned());
    }
    if is_package(repository) {
        return Ok(Utf8PathBuf::new());
    }
    let mut found = below(repository)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => anyhow::bail!(
            UserError::new(format!(
                "`{repository}` contains no Python package: no pyproject.toml and no setup.py"
            ))
            .hint("name the folder of the package's repository as PATH")
        ),
        _ => {
            let names: Vec<_> = found.iter().map(|folder| format!("`{folder}`")).collect();
            anyhow::bail!(
                UserError::new(format!(
                    "`{repository}` contains several packages: {}",
                    names.join(", ")
                ))
                .hint(format!(
                    "choose one with `--package {}`; for each other package, copy wheels.toml to `wheels-NAME.toml`",
                    found.iter().map(|folder| folder.as_str()).collect::<Vec<_>>().join("|")
                ))
            )
        }
    }
}

fn is_package(folder: &Utf8Path) -> bool {
    MARKERS.iter().any(|name| folder.join(name).is_file())
}

/// The outermost folders below `repository` that declare how to build a package, sorted. A `setup.cfg` or
/// `pyproject.toml` that only configures tools does not count.
fn below(repository: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let is_hidden =
        |entry: &walkdir::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let walk = WalkDir::new(repository).min_depth(1).max_depth(DEPTH).sort_by_file_name();
    let mut found: Vec<Utf8PathBuf> = Vec::new();
    for entry in walk.into_iter().filter_entry(|entry| !is_hidden(entry)) {
        let entry = entry?;
        let Some(path) = Utf8Path::from_path(entry.path()).filter(|path| path.is_dir()) else {
            continue;
        };
        let folder = path.strip_prefix(repository).unwrap_or(path);
        if builds(path) && !found.iter().any(|outer| folder.starts_with(outer)) {
            found.push(folder.to_owned());
        }
    }
    Ok(found)
}

fn builds(folder: &Utf8Path) -> bool {
    let text = std::fs::read_to_string(folder.join("pyproject.toml")).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    table.contains_key("build-system")
        || table.contains_key("project")
        || folder.join("setup.py").is_file()
}
