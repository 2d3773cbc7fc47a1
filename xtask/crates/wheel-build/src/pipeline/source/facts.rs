//! What is known of a folder before it is decided which of its files are the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// The git repositories, that of the folder itself first; empty without git.
    pub repositories: Vec<Repository>,
    /// Its files, sorted by path.
    pub entries: Vec<Entry>,
    /// What the contents of folders show.
    pub marks: BTreeMap<PathBuf, Mark>,
    /// Whether the package lies in an unpacked source archive: generated files belong to it.
    pub is_archive: bool,
    /// Patterns of `include` that match no file.
    pub unmatched: Vec<String>,
}

/// A git repository: that of the folder itself, or of a submodule that is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    /// Where it lies in the folder; empty for the folder itself.
    pub prefix: PathBuf,
    /// The commit that is checked out; `None` before the first one.
    pub head: Option<String>,
    /// Whether it is a submodule at another commit than the one that its parent records.
    pub is_moved: bool,
}

/// A file of the folder, or what stands in the place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the folder.
    pub path: PathBuf,
    pub kind: Kind,
    pub status: Status,
    /// What the commit that is checked out has there.
    pub head: Option<Object>,
    /// Whether a sparse checkout leaves it out.
    pub is_sparse: bool,
}

/// A file as a commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// In octal digits, as git prints it.
    pub mode: String,
    /// The object's name, in hexadecimal digits.
    pub id: String,
}

/// What git knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As in the commit that is checked out.
    Tracked,
    /// Tracked, and different from that commit.
    Changed,
    /// Not tracked. Git ignores it, or it does not.
    Untracked,
    /// There is no git.
    Unversioned,
}

/// What is in an entry's place on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    File {
        size: u64,
        content: Content,
    },
    /// A symbolic link, with its target.
    Link(PathBuf),
    /// A FIFO, a socket or a device.
    Special,
    /// A folder that was not entered: see its mark. Without one it is a clone of another repository.
    Folder,
    /// A submodule.
    Submodule {
        is_checked_out: bool,
    },
    Missing,
}

/// What a file's first bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Any,
    /// It stands for a file that Git LFS has not fetched.
    LfsPointer,
    /// Cython generated it.
    Cython,
    /// A program, a library or an object, compiled for Linux.
    Elf,
}

/// What a folder's content shows.
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
    /// The nearest folder with a mark that `path` is, or is in.
    pub(super) fn mark(&self, path: &Path) -> Option<(&Path, Mark)> {
        let folders = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
        let marked = folders.filter_map(|folder| self.marks.get_key_value(folder));
        marked.map(|(folder, mark)| (folder.as_path(), *mark)).next()
    }
}
