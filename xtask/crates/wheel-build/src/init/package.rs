//! Where the package lies in its repository.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;
use wheel_audit::UserError;

/// The files of which a package has one at its top.
const MARKERS: [&str; 3] = ["pyproject.toml", "setup.py", "setup.cfg"];
/// Maximum depth below the top of the repository at which `init` looks for a package.
const DEPTH: usize = 3;

/// The folder of `repository` that holds the package, relative to it: `asked`, or the top, or the one folder that holds
/// a package.
///
/// # Errors
/// When there is no package, or more than one.
pub(super) fn find(repository: &Utf8Path, asked: Option<&Utf8Path>) -> anyhow::Result<Utf8PathBuf> {
    if let Some(folder) = asked {
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
                "`{repository}` holds no Python package: it has neither pyproject.toml nor setup.py"
            ))
            .hint("name the folder of the package's repository")
        ),
        _ => {
            let names: Vec<_> = found.iter().map(|folder| format!("`{folder}`")).collect();
            anyhow::bail!(
                UserError::new(format!(
                    "`{repository}` holds several packages: {}",
                    names.join(", ")
                ))
                .hint(format!(
                    "choose one with `--package {}`; each of the others gets a copy of wheels.toml, `wheels-NAME.toml`",
                    found.iter().map(|folder| folder.as_str()).collect::<Vec<_>>().join("|")
                ))
            )
        }
    }
}

fn is_package(folder: &Utf8Path) -> bool {
    MARKERS.iter().any(|name| folder.join(name).is_file())
}

/// The outermost folders below `repository` that hold a package, sorted. A folder that declares how it is built is one;
/// a `setup.cfg` or a `pyproject.toml` that only configures tools is none.
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
