//! Selects the source files of a folder (pure). Each file has a reason why it is included or excluded.

use std::path::{Component, Path, PathBuf};

use glob::MatchOptions;
use serde::Serialize;

use super::facts::{Content, Entry, Kind, Mark, Object, Repository, Status, Tree};
use super::own::ToolFiles;
use crate::config::{LocalSource, PathPattern};

/// `*` matches within one folder.
const ONE_FOLDER: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};
/// Folders in `build/` that setuptools makes, by prefix.
const SETUPTOOLS: [&str; 3] = ["lib.", "temp.", "bdist."];
/// Extensions of files that compilers and interpreters write.
const COMPILED: [&str; 6] = ["so", "o", "a", "pyd", "obj", "pyc"];

/// Mode of a link, as git prints it.
const LINK: &str = "120000";

/// Why a file is included or excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// Included: as in the current commit.
    Tracked,
    /// Included: differs from the current commit.
    Changed,
    /// Included: git does not ignore it.
    Untracked,
    /// Included: there is no git.
    Unversioned,
    /// Included: matches `include`.
    Included,
    /// Excluded: matches `exclude`.
    Excluded,
    /// Excluded: git ignores it.
    Ignored,
    /// Excluded: belongs to the tool.
    Tool,
    /// Excluded: output of an earlier build.
    BuildOutput,
    /// Excluded: a cache (`CACHEDIR.TAG`).
    Cache,
    /// Excluded: a Python environment (`pyvenv.cfg`).
    Environment,
    /// Excluded: a git repository's own files.
    Git,
    /// Excluded: a clone of another repository.
    Clone,
    /// Excluded: a submodule that is not checked out.
    Submodule,
    /// Excluded: a FIFO, a socket or a device.
    Special,
    /// Excluded: a link that is absolute or leads out of the tree.
    LinkOut,
    /// Excluded: a name with a backslash.
    Name,
    /// Excluded: tracked, but deleted.
    Deleted,
    /// Error: a pointer to a file that Git LFS has not fetched.
    LfsPointer,
    /// Error: a sparse checkout excludes it.
    Sparse,
    /// Error: a link that is checked out as a text (`core.symlinks`).
    LinkText,
}

impl Reason {
    /// Returns whether the file is packed.
    pub(crate) fn is_in(self) -> bool {
        self <= Self::Included
    }

    /// The reason in lists.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tracked => "tracked",
            Self::Changed => "changed",
            Self::Untracked => "untracked",
            Self::Unversioned => "no git",
            Self::Included => "include",
            Self::Excluded => "exclude",
            Self::Ignored => "ignored by git",
            Self::Tool => "the tool's own",
            Self::BuildOutput => "build output",
            Self::Cache => "cache",
            Self::Environment => "environment",
            Self::Git => "repository",
            Self::Clone => "clone of another repository",
            Self::Submodule => "submodule that is not checked out",
            Self::Special => "FIFO, socket or device",
            Self::LinkOut => "link out of the tree",
            Self::Name => "backslash in its name",
            Self::Deleted => "deleted",
            Self::LfsPointer => "Git LFS pointer",
            Self::Sparse => "missing in a sparse checkout",
            Self::LinkText => "link that is checked out as a text",
        }
    }
}

/// A file and its decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Relative to the packed folder.
    pub path: PathBuf,
    /// Why it is included or excluded.
    pub reason: Reason,
    /// The folder that the reason applies to, if not to the file alone.
    pub folder: Option<PathBuf>,
    /// State of the file in git.
    pub status: Status,
    /// Its object in the current commit.
    pub head: Option<Object>,
    /// Size in bytes.
    pub size: u64,
}

/// The source: each file of a folder with its decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The files, sorted by path.
    pub files: Vec<Decision>,
    /// Git repositories, that of the folder first; empty without git.
    pub repositories: Vec<Repository>,
    /// Patterns that match no file, each with its key.
    pub unmatched: Vec<(&'static str, String)>,
}

impl Selection {
    /// The packed files.
    pub(crate) fn packed(&self) -> impl Iterator<Item = &Decision> {
        self.files.iter().filter(|file| file.reason.is_in())
    }

    /// Files with this reason.
    pub(crate) fn of(&self, reason: Reason) -> impl Iterator<Item = &Decision> {
        self.files.iter().filter(move |file| file.reason == reason)
    }
}

/// Decides for each file of `tree` whether it is part of `source`.
pub(super) fn select(tree: Tree, source: &LocalSource, own: &ToolFiles) -> Selection {
    let rules = Rules { tree: &tree, source, own };
    let is_file = |entry: &&Entry| entry.kind != Kind::Submodule { is_checked_out: true };
    let files: Vec<Decision> =
        tree.entries.iter().filter(is_file).map(|entry| rules.decide(entry)).collect();
    let finds = |pattern: &PathPattern| {
        tree.entries.iter().any(|entry| matches(std::slice::from_ref(pattern), &entry.path))
    };
    let lost = source.exclude.iter().filter(|pattern| !finds(pattern));
    let lost = lost.map(|pattern| ("exclude", pattern.0.as_str().to_owned()));
    let include = tree.unmatched.iter().map(|pattern| ("include", pattern.clone()));
    let unmatched = include.chain(lost).chain(unknown_submodules(&tree, source)).collect();
    Selection { files, repositories: tree.repositories, unmatched }
}

/// Patterns of `submodules` that match no submodule. `*` may match none, and without git they are unknown.
fn unknown_submodules(tree: &Tree, source: &LocalSource) -> Vec<(&'static str, String)> {
    let is_known = |pattern: &PathPattern| {
        tree.repositories.is_empty()
            || pattern.0.as_str() == "*"
            || tree.entries.iter().any(|entry| {
                matches!(entry.kind, Kind::Submodule { .. })
                    && matches(std::slice::from_ref(pattern), &entry.path)
            })
    };
    let unknown = source.submodules.iter().filter(|pattern| !is_known(pattern));
    unknown.map(|pattern| ("submodules", pattern.0.as_str().to_owned())).collect()
}

/// Returns whether one of the `patterns` matches `path` or a parent folder of it.
pub(super) fn matches(patterns: &[PathPattern], path: &Path) -> bool {
    if patterns.is_empty() {
        return false;
    }
    let paths = path.ancestors().filter(|path| !path.as_os_str().is_empty());
    let texts: Vec<_> = paths.map(Path::to_string_lossy).collect();
    let fits = |PathPattern(pattern): &PathPattern| {
        texts.iter().any(|text| pattern.matches_with(text, ONE_FOLDER))
    };
    patterns.iter().any(fits)
}

struct Rules<'a> {
    tree: &'a Tree,
    source: &'a LocalSource,
    own: &'a ToolFiles,
}

impl Rules<'_> {
    fn decide(&self, entry: &Entry) -> Decision {
        let (reason, folder) = self.reason(entry);
        let size = if let Kind::File { size, .. } = entry.kind { size } else { 0 };
        let (path, head) = (entry.path.clone(), entry.head.clone());
        Decision { path, reason, folder, status: entry.status, head, size }
    }

    fn reason(&self, entry: &Entry) -> (Reason, Option<PathBuf>) {
        let path = entry.path.as_path();
        let alone = |reason| (reason, None);
        if self.own.has(path, entry.status) {
            return alone(Reason::Tool);
        }
        if matches(&self.source.exclude, path) {
            return alone(Reason::Excluded);
        }
        let is_tracked = matches!(entry.status, Status::Tracked | Status::Changed);
        match &entry.kind {
            Kind::Missing if entry.is_sparse => return alone(Reason::Sparse),
            Kind::Missing => return alone(Reason::Deleted),
            Kind::Folder if is_tracked => return alone(Reason::Deleted),
            Kind::Folder => return self.folder(path),
            Kind::Submodule { .. } => return alone(Reason::Submodule),
            Kind::Special => return alone(Reason::Special),
            Kind::Link(target) if leaves_folder(path, target) => return alone(Reason::LinkOut),
            // The container's `unpack.py` rejects it, as Windows would.
            _ if path.to_string_lossy().contains('\\') => return alone(Reason::Name),
            Kind::File { content: Content::LfsPointer, .. } => return alone(Reason::LfsPointer),
            Kind::File { .. } if entry.status == Status::Tracked && is_link(entry) => {
                return alone(Reason::LinkText);
            }
            Kind::Link(_) | Kind::File { .. } => {}
        }
        if matches(&self.source.include, path) {
            return alone(Reason::Included);
        }
        if is_tracked { tracked(entry) } else { self.untracked(entry) }
    }

    /// Decides for a folder that was not entered.
    fn folder(&self, path: &Path) -> (Reason, Option<PathBuf>) {
        let mark = self.tree.mark(path);
        let reason = mark.map_or(Reason::Clone, |(_, mark)| of_mark(mark));
        (reason, Some(path.to_owned()))
    }

    fn untracked(&self, entry: &Entry) -> (Reason, Option<PathBuf>) {
        let path = entry.path.as_path();
        if let Some((folder, mark)) = self.tree.mark(path) {
            return (of_mark(mark), Some(folder.to_owned()));
        }
        let folder = setuptools_folder(path, &SETUPTOOLS).or_else(|| {
            let is_metadata =
                |folder: &&Path| folder.extension().is_some_and(|end| end == "egg-info");
            let found = path.ancestors().find(is_metadata).filter(|_| !self.tree.is_archive);
            found.map(Path::to_owned)
        });
        if let Some(folder) = folder {
            return (Reason::BuildOutput, Some(folder));
        }
        let content =
            if let Kind::File { content, .. } = entry.kind { content } else { Content::Any };
        let is_generated = content == Content::Cython && !self.tree.is_archive;
        let is_untracked = entry.status == Status::Untracked;
        let is_compiled = is_compiled(path) || (content == Content::Elf && is_untracked);
        let reason = if is_compiled || is_generated || path.ends_with("CMakeCache.txt") {
            Reason::BuildOutput
        } else if is_untracked {
            Reason::Untracked
        } else {
            Reason::Unversioned
        };
        (reason, None)
    }
}

/// Decides for a tracked file: included, except output of an earlier build and files without content.
fn tracked(entry: &Entry) -> (Reason, Option<PathBuf>) {
    if let Some(folder) = setuptools_folder(&entry.path, &SETUPTOOLS[..2]) {
        return (Reason::BuildOutput, Some(folder));
    }
    let is_changed = entry.status == Status::Changed;
    (if is_changed { Reason::Changed } else { Reason::Tracked }, None)
}

/// Returns whether the commit has a link there.
fn is_link(entry: &Entry) -> bool {
    entry.head.as_ref().is_some_and(|object| object.mode == LINK)
}

/// Returns whether a compiler or interpreter writes files of this name, e.g. `libz.so.1`.
fn is_compiled(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_versioned =
        |(_, version): (&str, &str)| version.chars().all(|c| c == '.' || c.is_ascii_digit());
    path.extension().is_some_and(|end| COMPILED.iter().any(|it| end == *it))
        || name.split_once(".so.").is_some_and(is_versioned)
}

fn of_mark(mark: Mark) -> Reason {
    match mark {
        Mark::Environment => Reason::Environment,
        Mark::Cache => Reason::Cache,
        Mark::Build => Reason::BuildOutput,
        Mark::Git => Reason::Git,
    }
}

/// The folder `build/NAME` that contains `path`, if NAME begins with one of `starts`.
fn setuptools_folder(path: &Path, starts: &[&str]) -> Option<PathBuf> {
    let is_output = |folder: &&Path| {
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let parent = folder.parent().and_then(Path::file_name);
        parent.is_some_and(|parent| parent == "build")
            && starts.iter().any(|start| name.starts_with(start))
    };
    path.ancestors().skip(1).find(is_output).map(Path::to_owned)
}

/// Returns whether the link `path` to `target` leaves the tree, by the rules of the container's `unpack.py`.
fn leaves_folder(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
        }
    }
    false
}
