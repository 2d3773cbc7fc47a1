//! Facts about a folder, before its source files are selected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// Git repositories, that of the folder first; empty without git.
    pub repositories: Vec<Repository>,
    /// Its files, sorted by path.
    pub entries: Vec<Entry>,
    /// Marks of folders, from their contents.
    pub marks: BTreeMap<PathBuf, Mark>,
    /// True if the package is in an unpacked source archive, to which generated files belong.
    pub is_archive: bool,
    /// Patterns of `include` that match no file.
    pub unmatched: Vec<String>,
}

/// A git repository: that of the folder, or of a submodule that is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    /// Its path in the folder; empty for the folder itself.
    pub prefix: PathBuf,
    /// The current commit; `None` before the first one.
    pub head: Option<String>,
    /// True if it is a submodule at another commit than the one its parent records.
    pub is_moved: bool,
}

/// A file of the folder, or what replaced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the folder.
    pub path: PathBuf,
    pub kind: Kind,
    pub status: Status,
    /// Its object in the current commit.
    pub head: Option<Object>,
    /// True if a sparse checkout excludes it.
    pub is_sparse: bool,
}

/// A file in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// In octal digits, as git prints it.
    pub mode: String,
    /// Name of the object, in hexadecimal digits.
    pub id: String,
}

/// State of a file in git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As in the current commit.
    Tracked,
    /// Tracked, and different from that commit.
    Changed,
    /// Not tracked; git may ignore it.
    Untracked,
    /// There is no git.
    Unversioned,
}

/// Kind of an entry on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    File {
        size: u64,
        content: Content,
    },
    /// A symbolic link with its target.
    Link(PathBuf),
    /// A FIFO, a socket or a device.
    Special,
    /// A folder that was not entered because of its mark. Without one it is a clone of another repository.
    Folder,
    /// A submodule.
    Submodule {
        is_checked_out: bool,
    },
    Missing,
}

/// Content of a file, from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Any,
    /// A pointer to a file that Git LFS has not fetched.
    LfsPointer,
    /// Cython generated it.
    Cython,
    /// A program, a library or an object, compiled for Linux.
    Elf,
}

/// Mark of a folder, from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It has `pyvenv.cfg`.
    Environment,
    /// It has `CACHEDIR.TAG`.
    Cache,
    /// A build folder of `CMake` or Meson.
    Build,
    /// It is `.git`, or a file of that name.
    Git,
}

impl Tree {
    /// The nearest marked folder that `path` is, or is in.
    pub(super) fn mark(&self, path: &Path) -> Option<(&Path, Mark)> {
        let folders = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
        let marked = folders.filter_map(|folder| self.marks.get_key_value(folder));
        marked.map(|(folder, mark)| (folder.as_path(), *mark)).next()
    }
}
