//! Collects the files to audit from the paths of the command line.

use crate::UserError;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;
use walkdir::WalkDir;

use crate::dist::DistProblem;
use crate::elf::is_elf;
use crate::wheel::Interpreter;

/// The files to audit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Wheels, in order, each once.
    pub wheels: Vec<Utf8PathBuf>,
    /// ELF files outside of wheels, and files of the command line with the name of a library.
    pub files: Vec<Utf8PathBuf>,
    /// The folders of the command line.
    pub folders: Vec<Utf8PathBuf>,
    /// Symbolic links in those folders, which are not followed.
    pub left_out: Vec<Utf8PathBuf>,
    /// Those symbolic links that have the name of a wheel. They are reported, since their targets are not audited.
    pub linked: Vec<Utf8PathBuf>,
    /// The wheels that the repository requires, if the inputs are its own wheels. [`Self::find`] leaves it empty.
    pub requested: Option<RequestedWheels>,
    /// Published wheels to compare with. [`Self::find`] leaves it empty.
    pub like: Vec<Utf8PathBuf>,
}

/// The wheels that a repository requires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedWheels {
    /// The interpreters by folder below `dist/`. Each target and platform has a folder.
    pub folders: BTreeMap<String, Vec<Interpreter>>,
    /// Folders whose wheels are not published. Their file names may repeat others.
    pub unpublished: BTreeSet<String>,
    /// Folders that hosted CI does not build. They may be absent.
    pub optional: BTreeSet<String>,
    /// Interpreters by folder that a release may lack.
    pub optional_interpreters: BTreeMap<String, Vec<Interpreter>>,
    /// Name and version of the project, if known.
    pub project: Option<(String, String)>,
    /// Further problems of the folder that the caller has found.
    pub problems: Vec<DistProblem>,
}

/// The reason why the inputs cannot be collected.
#[derive(Debug, Error)]
pub enum InputError {
    /// The path is missing or unreadable.
    #[error("`{}` cannot be read", .path.as_str().escape_debug())]
    Io {
        /// The path from the command line, or one below it.
        path: Utf8PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A folder without files to audit. An error, because an audit without files must not pass.
    #[error("{0}")]
    Empty(#[source] UserError),
    /// A file of the command line that is neither a wheel nor an ELF file.
    #[error("{0}")]
    Other(#[source] UserError),
    /// A device or socket.
    #[error("`{}` is neither a file nor a folder", .0.as_str().escape_debug())]
    Special(Utf8PathBuf),
    /// A name that is not UTF-8.
    #[error("the name of `{}` is not UTF-8", .0.escape_debug())]
    Name(String),
}

impl InputError {
    fn empty(folder: &Utf8Path) -> Self {
        let folder = folder.as_str().escape_debug();
        Self::Empty(
            UserError::new(format!("no wheels or ELF files in `{folder}`"))
                .hint("build wheels with `cargo xtask wheels`, or pass other paths"),
        )
    }

    fn other(path: &Utf8Path) -> Self {
        let path = path.as_str().escape_debug();
        Self::Other(
            UserError::new(format!("`{path}` is neither a wheel nor an ELF file"))
                .hint("pass a file that ends in `.whl`, an ELF file, or a folder with such files"),
        )
    }
}

impl Inputs {
    /// Collects files, and the files of folders recursively. `paths` may be symbolic links, but links below a
    /// folder are not followed.
    ///
    /// # Errors
    /// [`InputError`] if a path is unreadable, or if a folder has no files to audit.
    pub fn find(paths: &[Utf8PathBuf]) -> Result<Self, InputError> {
        let mut inputs = Self::default();
        for path in paths {
            inputs.add(path)?;
        }
        inputs.each_once();
        Ok(inputs)
    }

    fn add(&mut self, path: &Utf8Path) -> Result<(), InputError> {
        let metadata = std::fs::metadata(path).map_err(unread(path))?;
        if metadata.is_dir() {
            return self.add_folder(path);
        }
        if !metadata.is_file() {
            return Err(InputError::Special(path.to_owned()));
        }
        match kind(path)? {
            Kind::Wheel => self.wheels.push(path.to_owned()),
            Kind::Elf => self.files.push(path.to_owned()),
            // Audit a damaged library, so that its fault has a code.
            Kind::Other if is_library(path) => self.files.push(path.to_owned()),
            Kind::Other => return Err(InputError::other(path)),
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Utf8Path) -> Result<(), InputError> {
        let count = |inputs: &Self| inputs.wheels.len() + inputs.files.len() + inputs.linked.len();
        let before = count(self);
        // `WalkDir` follows the root even if it is a link.
        for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|error| unread(folder)(error.into()))?;
            let Some(path) = Utf8Path::from_path(entry.path()) else {
                return Err(InputError::Name(entry.path().display().to_string()));
            };
            if entry.file_type().is_symlink() {
                let list = if is_wheel(path) { &mut self.linked } else { &mut self.left_out };
                list.push(path.to_owned());
                continue;
            } else if !entry.file_type().is_file() {
                continue;
            }
            match kind(path)? {
                Kind::Wheel => self.wheels.push(path.to_owned()),
                Kind::Elf => self.files.push(path.to_owned()),
                Kind::Other => {}
            }
        }
        if count(self) == before {
            return Err(InputError::empty(folder));
        }
        self.folders.push(folder.to_owned());
        Ok(())
    }

    fn each_once(&mut self) {
        let mut seen = BTreeSet::new();
        self.wheels.retain(|path| seen.insert(path.clone()));
        self.files.retain(|path| seen.insert(path.clone()));
    }
}

enum Kind {
    Wheel,
    Elf,
    Other,
}

fn unread(path: &Utf8Path) -> impl FnOnce(std::io::Error) -> InputError {
    let path = path.to_owned();
    |source| InputError::Io { path, source }
}

/// Returns whether the path has the name of a wheel.
fn is_wheel(path: &Utf8Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl"))
}

/// Returns whether the path has the name of a library: `_x.abi3.so`, `libz.so.1`.
fn is_library(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| name.split('.').skip(1).any(|part| part == "so"))
}

fn kind(path: &Utf8Path) -> Result<Kind, InputError> {
    if is_wheel(path) {
        return Ok(Kind::Wheel);
    }
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(unread(path))?;
    file.take(4).read_to_end(&mut start).map_err(unread(path))?;
    Ok(if is_elf(&start) { Kind::Elf } else { Kind::Other })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn folders_are_searched_and_each_file_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir(root.join("deep")).unwrap();
        for (name, bytes) in [("b.whl", ""), ("deep/a.so", "\x7fELF"), ("deep/notes.txt", "hello")]
        {
            fs_err::write(root.join(name), bytes).unwrap();
        }
        let inputs = Inputs::find(&[root.to_owned(), root.join("b.whl")]).unwrap();
        assert_eq!(inputs.wheels, [root.join("b.whl")]);
        assert_eq!(inputs.files, [root.join("deep/a.so")]);
        assert_eq!(inputs.folders, [root]);
        let other = root.join("deep/notes.txt");
        let error = Inputs::find(std::slice::from_ref(&other)).unwrap_err();
        assert!(matches!(error, InputError::Other(_)));
        let damaged = root.join("deep/libz.so.1");
        fs_err::write(&damaged, "no ELF file").unwrap();
        assert_eq!(Inputs::find(std::slice::from_ref(&damaged)).unwrap().files, [damaged]);
    }

    #[test]
    fn links_are_followed_on_the_command_line_but_not_in_folders() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let elsewhere = Utf8Path::from_path(other.path()).unwrap();
        fs_err::write(elsewhere.join("a.whl"), "").unwrap();
        fs_err::write(elsewhere.join("b"), "\x7fELF").unwrap();
        let link = |target: Utf8PathBuf, name: &str| {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        };
        link(elsewhere.join("a.whl"), "link.whl");
        link(elsewhere.join("b"), "link.so");
        link(elsewhere.to_owned(), "folder");
        link(elsewhere.join("absent"), "gone.whl");
        link(elsewhere.join("absent"), "gone.txt");
        let inputs = Inputs::find(&[root.to_owned()]).unwrap();
        assert!(inputs.wheels.is_empty() && inputs.files.is_empty());
        assert_eq!(inputs.linked, [root.join("gone.whl"), root.join("link.whl")]);
        assert_eq!(inputs.left_out, ["folder", "gone.txt", "link.so"].map(|name| root.join(name)));
        // A link of the command line is followed and not listed as left out.
        let inputs = Inputs::find(&[root.join("folder"), root.join("link.so")]).unwrap();
        assert_eq!(inputs.wheels, [root.join("folder/a.whl")]);
        assert_eq!(inputs.files, [root.join("folder/b"), root.join("link.so")]);
        assert_eq!(inputs.folders, [root.join("folder")]);
        assert!(inputs.left_out.is_empty() && inputs.linked.is_empty());
    }

    #[test]
    fn messages_show_the_control_characters_of_a_path() {
        let message = Inputs::find(&["a\u{1b}[2J\nb.whl".into()]).unwrap_err().to_string();
        assert_eq!(message, "`a\\u{1b}[2J\\nb.whl` cannot be read");
    }

    #[test]
    fn an_input_without_files_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let message = |path: Utf8PathBuf| Inputs::find(&[path]).unwrap_err().to_string();
        assert!(message(root.to_owned()).contains(root.as_str()));
        assert!(message(root.join("absent.whl")).contains("absent.whl"));
    }
}
