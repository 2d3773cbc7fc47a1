//! Access to files that are not trusted: from containers, packages, other machines. Every path in a manifest, journal
//! or checksum list passes [`place`], and every such file passes [`open`].

use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
use std::io::{self, Read as _};

use camino::{Utf8Component, Utf8Path};

use crate::digest;
use crate::sys::{self, Links};

/// Maximum size of a list, in bytes. A manifest has a few hundred bytes per file.
const MAX_LIST: u64 = 16 << 20;
/// Maximum number of folders one level below.
const MAX_FOLDERS: usize = 1000;

/// The kind of file at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// A regular file, with its size in bytes.
    File(u64),
    /// A folder.
    Folder,
    /// Nothing.
    Missing,
    /// A file that must not be opened, with the reason.
    Unsafe(String),
}

/// Examines `path` below `root` without following links.
pub fn place(root: &Utf8Path, path: &str) -> Place {
    let parts: Vec<Utf8Component<'_>> = Utf8Path::new(path).components().collect();
    let plain = |part: &Utf8Component<'_>| matches!(part, Utf8Component::Normal(_));
    if !parts.iter().all(plain) || path.contains(['\\', '\0']) {
        return Place::Unsafe("the path leaves the folder; it was not followed".to_owned());
    }
    // Each file must have one spelling, or a list could contain it twice.
    if !path.is_empty() && path.split('/').any(|part| matches!(part, "" | ".")) {
        return Place::Unsafe("the path has an empty part or `.`".to_owned());
    }
    let (mut at, mut last) = (root.to_owned(), Place::Folder);
    for part in parts {
        at.push(part.as_str());
        last = match std::fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => {
                return Place::Unsafe("the path contains a link; it was not followed".to_owned());
            }
            Ok(found) if found.is_file() => Place::File(found.len()),
            Ok(found) if found.is_dir() => Place::Folder,
            Ok(_) => return Place::Unsafe("it is neither a file nor a folder".to_owned()),
            // `NotADirectory`: `a/b` where `a` is a file.
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                return Place::Missing;
            }
            Err(error) => return Place::Unsafe(format!("it cannot be examined: {error}")),
        };
    }
    last
}

/// Opens a regular file. Does not follow a link, and does not block on a FIFO.
///
/// # Errors
/// If it is not a regular file or cannot be opened. The error contains the path.
pub fn open(path: &Utf8Path) -> io::Result<fs_err::File> {
    let refused = || io::Error::other(format!("`{path}` is not a regular file"));
    if !fs_err::symlink_metadata(path)?.is_file() {
        return Err(refused());
    }
    // Check again, because the file may have changed.
    let file = fs_err::OpenOptions::from_options(sys::reading(Links::Refuse)).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}

/// The text of a user's own file of at most `limit` bytes. Follows links, because settings are often links. Does not
/// block on a FIFO.
///
/// # Errors
/// If it is not a regular file, is larger, or is not UTF-8.
pub fn text(path: &Utf8Path, limit: u64) -> io::Result<String> {
    let refused = || io::Error::other("it is not a regular file");
    if !std::fs::metadata(path)?.is_file() {
        return Err(refused());
    }
    let file = sys::reading(Links::Follow).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(refused());
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// The SHA-256 of a regular file.
///
/// # Errors
/// As [`open`].
pub fn sha256(path: &Utf8Path) -> io::Result<String> {
    digest::of_reader(open(path)?)
}

/// Copies the contents of a regular file, without its mode.
///
/// # Errors
/// As [`open`], or if the copy cannot be written.
pub fn copy(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    let file = open(from)?;
    let length = file.metadata()?.len();
    // Limit the size, because the file may grow.
    io::copy(&mut file.take(length), &mut fs_err::File::create(to)?).map(|_| ())
}

/// Removes a folder with its content, if it exists. Includes folders without permissions, which a package's code may
/// create.
///
/// # Errors
/// If a part of it cannot be removed.
pub fn remove_folder(path: &Utf8Path) -> io::Result<()> {
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() == NotFound => Ok(()),
        Err(error) if error.kind() == PermissionDenied => {
            make_accessible(path.as_std_path())?;
            fs_err::remove_dir_all(path)
        }
        result => result,
    }
}

/// Makes each folder accessible for its owner, without following links.
fn make_accessible(folder: &std::path::Path) -> io::Result<()> {
    fs_err::set_permissions(folder, sys::permissions(0o700))?;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_accessible(&entry.path())?;
        }
    }
    Ok(())
}

/// The content of a list below `root`. `None` if it is missing, and an error message if it is unreadable.
pub fn list(root: &Utf8Path, path: &str) -> Option<Result<Vec<u8>, String>> {
    match place(root, path) {
        Place::Missing => return None,
        Place::Unsafe(reason) => return Some(Err(reason)),
        Place::Folder => return Some(Err("is a folder".to_owned())),
        Place::File(size) if size > MAX_LIST => {
            return Some(Err(format!("has {size} bytes, but the limit is {MAX_LIST}")));
        }
        Place::File(_) => {}
    }
    let mut bytes = Vec::new();
    // Limit the size, because the file may grow.
    let read = open(&root.join(path)).and_then(|file| file.take(MAX_LIST).read_to_end(&mut bytes));
    Some(read.map(|_| bytes).map_err(|error| error.to_string()))
}

/// The names of the folders directly below `root`, sorted.
pub fn folders(root: &Utf8Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let folder = |entry: std::fs::DirEntry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder.then(|| entry.file_name().into_string().ok())?
    };
    let mut names: Vec<_> = entries.flatten().filter_map(folder).take(MAX_FOLDERS).collect();
    names.sort();
    names
}

/// Returns whether the path exists, including dangling links.
pub fn exists(path: &Utf8Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Returns whether the path has the name of a wheel.
pub fn is_wheel(path: &str) -> bool {
    Utf8Path::new(path).extension().is_some_and(|end| end.eq_ignore_ascii_case("whl"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn a_file_has_one_spelling() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        fs_err::create_dir(root.join("a")).unwrap();
        fs_err::write(root.join("a/b"), "").unwrap();
        assert_eq!(place(&root, "a/b"), Place::File(0));
        assert_eq!(place(&root, ""), Place::Folder);
        for other in ["a//b", "a/./b", "./a/b", "a/b/", "a/b/.", "/a/b", "a/../a/b"] {
            assert!(matches!(place(&root, other), Place::Unsafe(_)), "{other}");
        }
    }

    #[test]
    fn only_a_regular_file_is_opened_without_blocking() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        fs_err::write(root.join("file"), "text").unwrap();
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        };
        link("file", "link");
        link("/dev/zero", "endless");
        let fifo = root.join("fifo");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, fifo.as_str(), kind, mode, 0).unwrap();
        fs_err::create_dir(root.join("folder")).unwrap();
        for name in ["link", "endless", "fifo", "folder"] {
            let path = root.join(name);
            assert!(open(&path).is_err(), "{name}");
            assert!(sha256(&path).is_err(), "{name}");
            assert!(copy(&path, &root.join("copy")).is_err(), "{name}");
            assert!(matches!(list(&root, name), Some(Err(_))), "{name}");
        }
        for name in ["endless", "fifo", "folder"] {
            assert!(text(&root.join(name), 9).is_err(), "{name}");
        }
        assert_eq!(text(&root.join("link"), 4).unwrap(), "text");
        assert!(text(&root.join("link"), 3).is_err());
        assert_eq!(list(&root, "absent"), None);
        assert_eq!(list(&root, "file"), Some(Ok(b"text".to_vec())));
        std::fs::File::create(root.join("large")).unwrap().set_len(MAX_LIST + 1).unwrap();
        assert!(matches!(list(&root, "large"), Some(Err(_))));
    }
}
