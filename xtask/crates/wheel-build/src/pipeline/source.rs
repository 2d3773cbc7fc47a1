//! The package's source, as one archive with one hash.
//!
//! A source archive of the index is fetched inside the build, once. A folder of this repository is
//! packed here, once: what git would commit, at fixed times and in a fixed order, so that the same
//! tree is the same archive and nothing else of the folder reaches the build.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};
use pep440_rs::VersionSpecifiers;

use super::stubs::stubs;
use crate::assets::Assets;
use crate::config::{Config, Source};
use crate::exec::{Exec, ExecError, Step, interrupt};
use crate::plan::Inputs;
use crate::sys;
use wheel_audit::audit::RULES_VERSION;
use wheel_audit::digest;
use wheel_audit::files::remove_folder;
use wheel_audit::sys::{Links, is_executable, reading};
use wheel_audit::text::shown;
use wheel_audit::wheel::{Interpreter, allows};

/// 2020-02-02, the time that build backends give to entries whose own time should not matter.
pub(super) const SOURCE_DATE_EPOCH: u64 = 1_580_601_600;
/// Characters of a project's name in the name of a cache.
const SCOPE_LENGTH: usize = 40;
/// Maximum size of a `pyproject.toml`, `Cargo.toml` or `Cargo.lock` that is read here, in bytes.
const LARGEST_SETTINGS: u64 = 4 << 20;
/// What belongs to this tool at the workspace root, and so to no package.
const OURS: [&str; 5] = ["target", "dist", "xtask", "wheels.toml", "wheels.local.toml"];
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

/// Where the build gets its source from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PreparedSource {
    /// Fetched from the index inside the build.
    Sdist {
        /// `name==version`.
        spec: String,
        /// Expected SHA-256.
        sha256: String,
    },
    /// Packed here.
    Packed {
        /// Folder that holds `source.tar` and nothing else.
        folder: Utf8PathBuf,
        /// SHA-256 of the archive.
        sha256: String,
        /// The project's name, or the folder's path where it says none.
        project: String,
    },
}

impl PreparedSource {
    /// Whose code it is, as a word for the names of caches: an index decides who may use a name there, so
    /// that a folder's says nothing of it.
    pub(super) fn scope(&self) -> String {
        let (kind, name) = match self {
            Self::Sdist { spec, .. } => ("sdist", spec.split("==").next().unwrap_or_default()),
            Self::Packed { project, .. } => ("path", project.as_str()),
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        // Short, and different where only what is left out differs.
        let short: String = name.chars().take(SCOPE_LENGTH).map(plain).collect();
        let hash = digest::of_bytes(name.as_bytes());
        format!("{kind}-{short}-{}", &hash[..8])
    }
}

/// The text of a file in `tree`, up to [`LARGEST_SETTINGS`]; `None` if it is missing or is not text.
fn text_of(tree: &Utf8Path, name: &Path) -> Option<String> {
    // The tree may be anybody's: no link, no device, and not so much that it fills the memory.
    let mut text = String::new();
    let file = open(&tree.as_std_path().join(name)).ok()?;
    file.take(LARGEST_SETTINGS).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The text of a file at the top of `tree`; empty if it is missing.
fn settings_of(tree: &Utf8Path, name: &str) -> String {
    text_of(tree, Path::new(name)).unwrap_or_default()
}

/// The table `[project]` in `pyproject.toml` of `tree`, where there is one.
fn project_table(tree: &Utf8Path) -> Option<toml::Table> {
    let pyproject = settings_of(tree, "pyproject.toml").parse::<toml::Table>().ok()?;
    pyproject.get("project")?.as_table().cloned()
}

/// Which versions of Python the package in `tree` is for, in its own words, and where it says so.
fn requires_python(tree: &Utf8Path) -> Option<(String, &'static str)> {
    let pyproject = settings_of(tree, "pyproject.toml").parse::<toml::Table>().ok()?;
    if let Some(project) = pyproject.get("project") {
        let requires = project.get("requires-python")?.as_str()?.to_owned();
        return Some((requires, "`requires-python` in its pyproject.toml"));
    }
    // Without `[project]`, setuptools reads its own file. Other backends do not.
    let backend = pyproject.get("build-system").and_then(|table| table.get("build-backend"));
    if backend.is_some_and(|name| name.as_str().is_none_or(|name| !name.starts_with("setuptools.")))
    {
        return None;
    }
    let requires = option(&settings_of(tree, "setup.cfg"), "python_requires")?;
    Some((requires, "`python_requires` in its setup.cfg"))
}

/// The value of a key in the section `[options]` of a `setup.cfg`.
fn option(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().skip_while(|line| line.trim_end() != "[options]").skip(1);
    let of_key = |line: &str| {
        let (name, value) = line.split_once(['=', ':'])?;
        (name.trim_end().replace('-', "_") == key).then(|| value.trim().to_owned())
    };
    lines.take_while(|line| !line.starts_with('[')).find_map(of_key)
}

/// Refuses an interpreter that the package excludes, before anything is built. `requires-python.py` does it for
/// a source archive of the index, which only the build has.
///
/// # Errors
/// When one of `pythons` is excluded; the message has the package's own words.
pub(crate) fn check_requires_python(
    config: &Config,
    root: &Utf8Path,
    pythons: impl IntoIterator<Item = Interpreter>,
) -> Result<(), UserError> {
    let Source::Path { path } = &config.source else { return Ok(()) };
    let Some((requires, place)) = requires_python(&root.join(path)) else { return Ok(()) };
    // Not ours to judge: the build backend says what is wrong with it.
    let Ok(specifiers) = requires.parse::<VersionSpecifiers>() else { return Ok(()) };
    let excluded = |python: &Interpreter| !allows(&specifiers, python.python_version());
    match pythons.into_iter().find(excluded) {
        Some(interpreter) => Err(UserError::new(format!(
            "`{interpreter}` is excluded by the package: {place} is `{}`",
            requires.escape_debug()
        ))
        .hint(format!(
            "take `{interpreter}` out of `pythons` in wheels.toml, or choose others with `--python`"
        ))),
        None => Ok(()),
    }
}

/// The name that `pyproject.toml` of `tree` gives the project, or the folder's whole path.
fn project(tree: &Utf8Path) -> String {
    let named = project_table(tree).and_then(|table| Some(table.get("name")?.as_str()?.to_owned()));
    let folder = || tree.canonicalize_utf8().ok().map(|path| path.to_string());
    named.or_else(folder).unwrap_or_default()
}

/// Prepares the source that `config` names; archives go below `work`.
///
/// # Errors
/// When the folder cannot be read or the archive not written.
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
        Source::Path { path } => {
            let tree = root.join(path);
            if !tree.is_dir() {
                let message = format!("`path = \"{path}\"` in wheels.toml: `{tree}` is no folder");
                return Err(io::Error::other(message));
            }
            if !tree.canonicalize_utf8()?.starts_with(root.canonicalize_utf8()?) {
                let error = UserError::new(format!(
                    "`path = \"{path}\"` in wheels.toml: a link leads out of the repository"
                ))
                .hint("name a folder of the repository itself");
                return Err(io::Error::other(error));
            }
            pack(exec, root, &tree, work)
        }
    }
}

/// What a plan needs to know of the working tree.
///
/// # Errors
/// When the requirements cannot be read.
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
        source_tree: match source {
            PreparedSource::Sdist { .. } => None,
            PreparedSource::Packed { sha256, .. } => Some(sha256.clone()),
        },
    })
}

fn pack(
    exec: &Exec,
    root: &Utf8Path,
    tree: &Utf8Path,
    work: &Utf8Path,
) -> io::Result<PreparedSource> {
    let sources = work.join("source");
    fs_err::create_dir_all(&sources)?;
    let draft = tempfile::Builder::new().prefix("pack-").tempdir_in(&sources)?;
    let archive =
        Utf8PathBuf::try_from(draft.path().join("source.tar")).map_err(io::Error::other)?;
    let mut tar = tar::Builder::new(io::BufWriter::new(fs_err::File::create(&archive)?));
    // Ours: they are no part of the package, and two of them grow while this runs.
    let ours = OURS.map(|name| root.join(name));
    let is_ours = |name: &PathBuf| {
        let path = tree.as_std_path().join(name);
        ours.iter().any(|ours| path.starts_with(ours))
    };
    let (own, mut names): (Vec<_>, Vec<_>) = files(exec, tree)?.into_iter().partition(is_ours);
    let stubs = stubs(&names, &own, |path| text_of(tree, path));
    names.extend(stubs.keys().cloned());
    names.sort();
    names.dedup();
    for name in names {
        match stubs.get(&name) {
            Some(text) => add_text(&mut tar, &name, text)?,
            None => add(&mut tar, tree, &name)?,
        }
    }
    io::Write::flush(&mut tar.into_inner()?)?;
    let sha256 = digest::of_file(&archive)?;
    let folder = sources.join(&sha256);
    if !folder.exists() {
        fs_err::rename(draft.keep(), &folder)?;
    }
    remove_others(&sources, &sha256)?;
    Ok(PreparedSource::Packed { folder, sha256, project: project(tree) })
}

/// Archives of earlier states of the tree; callers hold the lock.
fn remove_others(sources: &Utf8Path, kept: &str) -> io::Result<()> {
    for entry in fs_err::read_dir(sources)? {
        let entry = entry?;
        if entry.file_name() != kept {
            remove_folder(&Utf8PathBuf::try_from(entry.path()).map_err(io::Error::other)?)?;
        }
    }
    Ok(())
}

/// The files of `tree`, sorted: what git tracks or would, else, in a folder that is in no git
/// repository, all but what no package needs. Names are bytes, as the system has them.
fn files(exec: &Exec, tree: &Utf8Path) -> io::Result<Vec<PathBuf>> {
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
fn metadata(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
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
fn go_on() -> io::Result<()> {
    // Not `ErrorKind::Interrupted`, after which readers try again.
    if interrupt::asked() { Err(io::Error::other(ExecError::Interrupted)) } else { Ok(()) }
}

/// A file that gives up when xtask was asked to stop.
struct Watched<R>(R);

impl<R: io::Read> io::Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        go_on()?;
        self.0.read(buffer)
    }
}

fn add<W: io::Write>(tar: &mut tar::Builder<W>, tree: &Utf8Path, name: &Path) -> io::Result<()> {
    go_on()?;
    let path = tree.as_std_path().join(name);
    let mut header = tar::Header::new_gnu();
    header.set_mtime(SOURCE_DATE_EPOCH);
    if fs_err::symlink_metadata(&path)?.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        return tar.append_link(&mut header, name, fs_err::read_link(&path)?);
    }
    let file = open(&path)?;
    let meta = file.metadata()?;
    header.set_size(meta.len());
    let executable = is_executable(&meta);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    // No more than was said, should the file grow meanwhile.
    tar.append_data(&mut header, name, Watched(file.take(meta.len())))
}

fn add_text<W: io::Write>(tar: &mut tar::Builder<W>, name: &Path, text: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(SOURCE_DATE_EPOCH);
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, name, text.as_bytes())
}

/// Opens a regular file. What it has become meanwhile (a FIFO, a link) neither blocks nor leads elsewhere.
fn open(path: &Path) -> io::Result<fs_err::File> {
    let file = fs_err::OpenOptions::from_options(reading(Links::Refuse)).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other(
        UserError::new(format!(
            "`{}` is not a regular file, so it cannot be part of the source",
            shown(&path.to_string_lossy())
        ))
        .hint("remove it, or `git rm --cached` it"),
    ))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
