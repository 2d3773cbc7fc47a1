//! The package's source, as one archive with one hash.
//!
//! A source archive of the index is fetched inside the build, once. A folder of this repository is
//! packed here, once: what git would commit, at fixed times and in a fixed order, so that the same
//! tree is the same archive and nothing else of the folder reaches the build.

use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::audit::RULES_VERSION;
use crate::config::{Config, Source};
use crate::digest;
use crate::exec::{Exec, Step};
use crate::plan::Inputs;

/// 2020-02-02, the time that build backends give to entries whose own time should not matter.
pub(super) const SOURCE_DATE_EPOCH: u64 = 1_580_601_600;
/// Characters of a project's name in the name of a cache.
const SCOPE_LENGTH: usize = 40;
/// Bytes of a `pyproject.toml` that are read for the project's name.
const LARGEST_PYPROJECT: u64 = 1 << 20;
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
pub enum PreparedSource {
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

/// The name that `pyproject.toml` of `tree` gives the project, or the folder's whole path.
fn project(tree: &Utf8Path) -> String {
    let path = tree.join("pyproject.toml");
    // The tree may be anybody's: no link, no device, and not so much that it fills the memory.
    let plain = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
    let mut text = String::new();
    if let Some(file) = plain.then(|| fs_err::File::open(&path).ok()).flatten() {
        let _ = file.take(LARGEST_PYPROJECT).read_to_string(&mut text);
    }
    let named = text.parse::<toml::Table>().ok().and_then(|table| {
        let name = table.get("project")?.get("name")?.as_str()?;
        Some(name.to_owned())
    });
    let folder = || tree.canonicalize_utf8().ok().map(|path| path.to_string());
    named.or_else(folder).unwrap_or_default()
}

/// Prepares the source that `config` names; archives go below `work`.
///
/// # Errors
/// When the folder cannot be read or the archive not written.
pub fn prepare(
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
            pack(exec, root, &tree, work)
        }
    }
}

/// What a plan needs to know of the working tree.
///
/// # Errors
/// When `docker/`, `scripts/` or the requirements cannot be read.
pub fn inputs(config: &Config, root: &Utf8Path, source: &PreparedSource) -> io::Result<Inputs> {
    let requirements = config.build.requirements.as_ref();
    Ok(Inputs {
        rules: RULES_VERSION,
        recipes: super::env::recipes(root)?,
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
    let mut names = files(exec, tree)?;
    names.retain(|name| !ours.iter().any(|path| tree.join(name).starts_with(path)));
    for name in names {
        add(&mut tar, tree, &name)?;
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
            fs_err::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The files of `tree`, sorted: what git tracks or would, else, in a folder that is in no git
/// repository, all but what no package needs.
fn files(exec: &Exec, tree: &Utf8Path) -> io::Result<Vec<String>> {
    let mut names = if tree.ancestors().any(|folder| folder.join(".git").exists()) {
        git_files(exec, tree)?
    } else {
        walk(tree)?
    };
    names.sort();
    names.dedup();
    Ok(names)
}

fn git_files(exec: &Exec, tree: &Utf8Path) -> io::Result<Vec<String>> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    // Without git's word, files that it ignores (secrets among them) would be packed.
    let hint = format!(
        "git has to say which files belong to the package; for another user's folder, \
         `git config --global --add safe.directory {tree}`"
    );
    let list = exec.read(&Step::new("git", args).cwd(tree).hint(hint)).map_err(io::Error::other)?;
    let mut names = Vec::new();
    for name in list.split('\0').filter(|name| !name.is_empty()) {
        let path = tree.join(name);
        match path.symlink_metadata() {
            // Tracked and deleted, but listed all the same.
            Err(_) => {}
            Ok(meta) if !meta.is_dir() => names.push(name.to_owned()),
            // Another repository that lies here untracked.
            Ok(_) if name.ends_with('/') => {}
            Ok(_) if path.join(".git").exists() => {
                names.extend(git_files(exec, &path)?.into_iter().map(|n| format!("{name}/{n}")));
            }
            Ok(_) => {
                return Err(io::Error::other(format!(
                    "`{path}` is a git submodule that is not checked out\n\n\
                     hint: `git submodule update --init --recursive`"
                )));
            }
        }
    }
    Ok(names)
}

fn walk(tree: &Utf8Path) -> io::Result<Vec<String>> {
    let wanted = |entry: &walkdir::DirEntry| {
        !entry.file_type().is_dir() || !NEVER.iter().any(|name| entry.file_name() == *name)
    };
    let walk = walkdir::WalkDir::new(tree).min_depth(1).into_iter().filter_entry(wanted);
    let mut names = Vec::new();
    for entry in walk {
        let entry = entry?;
        let path = Utf8Path::from_path(entry.path())
            .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", entry.path().display())))?;
        if !entry.file_type().is_dir() {
            names.push(path.strip_prefix(tree).unwrap_or(path).to_string());
        }
    }
    Ok(names)
}

fn add<W: io::Write>(tar: &mut tar::Builder<W>, tree: &Utf8Path, name: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = tree.join(name);
    let meta = path.symlink_metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_mtime(SOURCE_DATE_EPOCH);
    if meta.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        return tar.append_link(&mut header, name, fs_err::read_link(&path)?);
    }
    header.set_size(meta.len());
    let executable = meta.permissions().mode() & 0o111 != 0;
    header.set_mode(if executable { 0o755 } else { 0o644 });
    // No more than was said, should the file grow meanwhile.
    tar.append_data(&mut header, name, fs_err::File::open(&path)?.take(meta.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::exec::Captured;

    #[test]
    fn defect_15_and_20_the_archive_holds_the_tree_once_and_nothing_of_our_own() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let (tree, work) = (root.join("tree"), root.join("work"));
        for name in ["src/a.py", "pyproject.toml", ".git/config", ".venv/x", "dist/old.whl"] {
            fs_err::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            fs_err::write(tree.join(name), name).unwrap();
        }
        let exec = Exec::fake(|_| Ok(Captured::ok("pyproject.toml\0src/a.py\0target/xtask/x\0")));
        fs_err::create_dir_all(tree.join("target/xtask")).unwrap();
        fs_err::write(tree.join("target/xtask/x"), "ours").unwrap();
        let first = pack(&exec, &tree, &tree, &work).unwrap();
        fs_err::write(tree.join("target/xtask/x"), "changed").unwrap();
        assert_eq!(pack(&exec, &tree, &tree, &work).unwrap(), first);
        let PreparedSource::Packed { folder, .. } = &first else { unreachable!() };
        assert!(first.scope().starts_with("path-"), "{}", first.scope());
        let mut archive = tar::Archive::new(fs_err::File::open(folder.join("source.tar")).unwrap());
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["pyproject.toml", "src/a.py"]);
        fs_err::write(tree.join("src/a.py"), "changed").unwrap();
        assert_ne!(pack(&exec, &tree, &tree, &work).unwrap(), first);
        assert!(!folder.exists(), "archives of earlier states go");
    }

    #[test]
    fn caches_are_named_after_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Utf8PathBuf::try_from(dir.path().join("My.Folder")).unwrap();
        fs_err::create_dir_all(&tree).unwrap();
        assert!(project(&tree).ends_with("/My.Folder"));
        fs_err::write(tree.join("pyproject.toml"), "[project]\nname = \"Own_Name\"\n").unwrap();
        let (folder, sha256) = (tree.clone(), String::new());
        let packed = PreparedSource::Packed { folder, sha256, project: project(&tree) };
        assert!(packed.scope().starts_with("path-own-name-"), "{}", packed.scope());
        let sdist = |name: &str| {
            let (spec, sha256) = (format!("{name}==1"), String::new());
            PreparedSource::Sdist { spec, sha256 }.scope()
        };
        assert!(sdist("own-name").starts_with("sdist-own-name-"));
        assert_ne!(sdist("日本"), sdist("中国"));
        assert!(sdist(&"x".repeat(100_000)).len() < 64);
        fs_err::remove_file(tree.join("pyproject.toml")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", tree.join("pyproject.toml")).unwrap();
        assert!(project(&tree).ends_with("/My.Folder"), "a link is not followed");
    }

    #[test]
    fn a_git_that_fails_is_an_error_and_a_folder_without_one_is_walked() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        for name in ["a.py", ".venv/x", "build/y"] {
            fs_err::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            fs_err::write(tree.join(name), name).unwrap();
        }
        let exec = Exec::fake(|_| Ok(Captured::failed("fatal: detected dubious ownership")));
        assert_eq!(files(&exec, &tree).unwrap(), ["a.py"]);
        fs_err::create_dir_all(tree.join(".git")).unwrap();
        let error = files(&exec, &tree).unwrap_err().to_string();
        assert!(error.contains("dubious ownership") && error.contains("safe.directory"), "{error}");
    }

    #[test]
    fn submodules_are_part_of_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        for name in ["a.py", "vendor/b.h", "vendor/.git/x", ".git/x"] {
            fs_err::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            fs_err::write(tree.join(name), name).unwrap();
        }
        let exec = Exec::fake(|step| {
            let inside = step.cwd.as_ref().is_some_and(|dir| dir.ends_with("vendor"));
            Ok(Captured::ok(if inside { "b.h\0" } else { "a.py\0vendor\0" }))
        });
        assert_eq!(files(&exec, &tree).unwrap(), ["a.py", "vendor/b.h"]);
        fs_err::remove_dir_all(tree.join("vendor/.git")).unwrap();
        assert!(files(&exec, &tree).unwrap_err().to_string().contains("submodule"));
    }
}
