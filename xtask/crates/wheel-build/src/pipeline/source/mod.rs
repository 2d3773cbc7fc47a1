//! The package's source, as one archive with one hash.
//!
//! The build fetches a source archive of the index once. A folder of the repository is packed once: the files that
//! git would commit, at fixed times and in a fixed order. The same tree produces the same archive, and nothing else
//! of the folder reaches the build.

mod disk;
mod facts;
mod git;
mod history;
mod own;
mod pack;
mod python;
mod repository;
mod selection;
mod summary;
pub(super) mod versions;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::audit::RULES_VERSION;
use wheel_audit::{UserError, digest};

use self::disk::{Disk, exists};
use self::facts::{Status, Tree};
use self::own::ToolFiles;
use self::pack::pack;
pub(crate) use self::python::check_requires_python;
pub(crate) use self::selection::{Reason, Selection};
pub(crate) use self::summary::Summary;
use self::summary::problem;
use super::published::published_hash;
use crate::assets::Assets;
use crate::config::{Config, LocalSource, Source};
use crate::exec::Exec;
use crate::plan::Inputs;

/// Time of files whose own time does not matter, and date of a source without a commit: 2020-02-02, as in build
/// backends.
const FIXED_TIME: u64 = 1_580_601_600;
/// Maximum length of a project's name in the name of a cache.
const SCOPE_LENGTH: usize = 40;

/// Source of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PreparedSource {
    /// Fetched from the index during the build.
    Sdist {
        /// `name==version`.
        spec: String,
        /// Expected SHA-256.
        sha256: String,
    },
    /// Packed by xtask.
    Packed {
        /// Folder that is the build context `package`: `source.json` and its files.
        folder: Utf8PathBuf,
        /// SHA-256 over these files.
        sha256: String,
        /// The project's name, or the folder's path if the name is unknown.
        project: String,
        /// Packed and skipped files.
        summary: Box<Summary>,
    },
}

impl PreparedSource {
    /// Summary for a run; `None` for a source archive of the index.
    pub(crate) fn summary(&self) -> Option<&Summary> {
        match self {
            Self::Sdist { .. } => None,
            Self::Packed { summary, .. } => Some(summary),
        }
    }

    /// The project's name, or the folder's path if the name is unknown.
    pub(super) fn project(&self) -> &str {
        match self {
            Self::Sdist { spec, .. } => spec.split("==").next().unwrap_or_default(),
            Self::Packed { project, .. } => project,
        }
    }

    /// Owner of the code, as a word in names of caches. An index assigns names to owners; the name of a folder's
    /// project proves nothing.
    pub(super) fn scope(&self) -> String {
        let (kind, name) = match self {
            Self::Sdist { .. } => ("sdist", self.project()),
            Self::Packed { .. } => ("path", self.project()),
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        // Short, and different even if only the truncated part differs.
        let short: String = name.chars().take(SCOPE_LENGTH).map(plain).collect();
        let hash = digest::of_bytes(name.as_bytes());
        format!("{kind}-{short}-{}", &hash[..8])
    }
}

/// Prepares the source of `config`; writes archives below `work`.
///
/// # Errors
/// If the folder cannot be read or the archive cannot be written.
pub(crate) fn prepare(
    config: &Config,
    exec: &Exec,
    root: &Utf8Path,
    work: &Utf8Path,
) -> io::Result<PreparedSource> {
    match &config.source {
        Source::Sdist { name, version, sha256 } => {
            Ok(PreparedSource::Sdist { spec: format!("{name}=={version}"), sha256: sha256.clone() })
        }
        Source::Path(source) => {
            let selected = select(exec, root, source)?;
            let lacking = || lacking_sources(config.test_sources(), &selected.files);
            match selected.problem.or_else(lacking) {
                Some(problem) => Err(io::Error::other(problem)),
                None => pack(exec, root, source, &selected.files, work),
            }
        }
    }
}

/// The problem if `[test] sources` names a file or folder that is not packed.
fn lacking_sources<'a>(
    mut sources: impl Iterator<Item = &'a String>,
    files: &Selection,
) -> Option<UserError> {
    let is_packed = |path: &str| {
        let parts = Path::new(path).components();
        let path: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
        files.packed().any(|file| file.path.starts_with(&path))
    };
    let lacking = sources.find(|path| !is_packed(path))?;
    Some(
        UserError::new(format!("`[test] sources` names `{lacking}`, which is not in the source"))
            .hint("`cargo xtask source --list` lists the files; paths are relative to `path` in `[source]`"),
    )
}

/// Files of a folder, and whether a build can use them.
#[derive(Debug)]
pub(crate) struct Selected {
    /// Each file with its decision.
    pub files: Selection,
    /// The problem that prevents a build.
    pub problem: Option<UserError>,
}

/// Selects the files of the folder of `source` to pack.
///
/// # Errors
/// If the folder cannot be read, or git fails.
pub(crate) fn select(exec: &Exec, root: &Utf8Path, source: &LocalSource) -> io::Result<Selected> {
    let folder = &folder(root, source)?;
    let mut disk = Disk::new(folder.as_std_path());
    let mut tree = Tree::default();
    if has_git(folder)? {
        git::add_repositories(exec, &mut disk, &mut tree)?;
    } else {
        disk.walk(Path::new(""), Status::Unversioned, &mut tree)?;
    }
    disk.include(&source.include, &mut tree)?;
    disk.marks(&mut tree)?;
    tree.is_archive = folder.join(&source.package).join("PKG-INFO").is_file();
    tree.entries.sort_by(|a, b| a.path.cmp(&b.path));
    tree.entries.dedup_by(|a, b| a.path == b.path);
    let files = selection::select(tree, source, &ToolFiles::of(root, folder)?);
    let problem = problem(exec, folder, source, &files)?;
    Ok(Selected { files, problem })
}

/// Files that git ignores in the folder of `source`, without those of `files`.
///
/// # Errors
/// If git fails.
pub(crate) fn ignored(
    exec: &Exec,
    root: &Utf8Path,
    source: &LocalSource,
    files: &Selection,
) -> io::Result<Vec<PathBuf>> {
    let tree = root.join(&source.path);
    let mut ignored = git::ignored(exec, tree.as_std_path(), &files.repositories)?;
    ignored.retain(|path| files.files.iter().all(|file| file.path != *path));
    Ok(ignored)
}

/// The folder of `source` in the workspace `root`.
fn folder(root: &Utf8Path, source: &LocalSource) -> io::Result<Utf8PathBuf> {
    let LocalSource { path, package, .. } = source;
    let tree = root.join(path);
    if !tree.is_dir() {
        let message = format!("`path = \"{path}\"` in wheels.toml: `{tree}` is not a folder");
        return Err(io::Error::other(message));
    }
    within(&format!("path = \"{path}\""), &tree, root)?;
    let folder = tree.join(package);
    if !folder.is_dir() {
        let message =
            format!("`package = \"{package}\"` in wheels.toml: `{folder}` is not a folder");
        let hint =
            format!("name the folder below `{path}` that contains the package's pyproject.toml");
        return Err(io::Error::other(UserError::new(message).hint(hint)));
    }
    within(&format!("package = \"{package}\""), &folder, &tree)?;
    Ok(tree)
}

/// Returns whether a folder is in a git repository.
fn has_git(folder: &Utf8Path) -> io::Result<bool> {
    // An unreadable `.git` is an error: without git, ignored files would be packed.
    let mut found = false;
    for folder in folder.canonicalize_utf8()?.ancestors() {
        found = found || exists(folder.join(".git").as_std_path())?;
    }
    Ok(found)
}

/// Rejects a `folder` that a link leads outside of `top`. `key` names it.
fn within(key: &str, folder: &Utf8Path, top: &Utf8Path) -> io::Result<()> {
    if folder.canonicalize_utf8()?.starts_with(top.canonicalize_utf8()?) {
        return Ok(());
    }
    let error =
        UserError::new(format!("`{key}` in wheels.toml: a link leads out of the repository"))
            .hint("name a folder of the repository itself");
    Err(io::Error::other(error))
}

/// The facts about the working tree that a plan needs.
///
/// # Errors
/// If the requirements cannot be read.
pub(crate) fn inputs(
    config: &Config,
    root: &Utf8Path,
    assets: &Assets,
    source: &PreparedSource,
) -> io::Result<Inputs> {
    let requirements = config.build.requirements.as_ref();
    Ok(Inputs {
        rules: RULES_VERSION,
        build_files_hash: assets.hash.clone(),
        requirements: requirements
            .map(|path| {
                digest::of_file(&root.join(path)).map_err(|error| {
                    io::Error::other(format!("`requirements = \"{path}\"` in wheels.toml: {error}"))
                })
            })
            .transpose()?,
        published: published_hash(config, root)?,
        passed: passed(config),
        lock: None,
        stamp: None,
        source_tree: match source {
            PreparedSource::Sdist { .. } => None,
            PreparedSource::Packed { sha256, .. } => Some(sha256.clone()),
        },
    })
}

/// The value if it is one line of text; a build accepts no other.
fn plain(value: OsString) -> Option<String> {
    value.into_string().ok().filter(|it| !it.contains(['\n', '\r', '\0']))
}

/// Variables of this machine that `env-pass` allows.
fn passed(config: &Config) -> BTreeMap<String, String> {
    let all = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, plain(value)?)));
    all.filter(|(name, _)| config.env_pass().any(|pattern| pattern.allows(name))).collect()
}

/// Variables that `env-pass` matches but does not pass, with reasons.
pub(crate) fn withheld(
    config: &Config,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, &'static str> {
    let reason = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok()?;
        let reason = if config.env_pass().any(|pattern| pattern.withholds(&name)) {
            "its name suggests a secret"
        } else if config.env_pass().any(|pattern| pattern.allows(&name)) && plain(value).is_none() {
            "its value has several lines or is not UTF-8"
        } else {
            return None;
        };
        Some((name, reason))
    };
    variables.filter_map(reason).collect()
}

#[cfg(test)]
mod disguise_tests;
#[cfg(test)]
mod repository_tests;
#[cfg(test)]
mod selection_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
