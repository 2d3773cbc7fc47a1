//! SHA-256 digests of bytes, files and folders, in lower-case hexadecimal.

use std::fmt::Write as _;
use std::io;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use crate::sys::{self, Links};

/// `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 of `bytes`, as 64 hexadecimal digits.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a regular file, as 64 hexadecimal digits. Reads it in pieces, and follows a link.
///
/// # Errors
/// If it is not a regular file, or is unreadable. The error contains the path.
pub fn of_file(path: &Utf8Path) -> io::Result<String> {
    // A FIFO would block, and a device may never end.
    let file = fs_err::OpenOptions::from_options(sys::reading(Links::Follow)).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("`{path}` is not a regular file")));
    }
    of_reader(file)
}

/// The SHA-256 of a reader's bytes, as 64 hexadecimal digits. Reads them in pieces.
///
/// # Errors
/// If reading fails.
pub fn of_reader(mut reader: impl io::Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// The SHA-256 over the names and contents of all files below `folders`, relative to `root`, and over the targets of
/// links.
///
/// # Errors
/// If one of them is unreadable.
pub fn of_folders(root: &Utf8Path, folders: &[&str]) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for folder in folders {
        let walk = walkdir::WalkDir::new(root.join(folder)).sort_by_file_name();
        for entry in walk {
            let entry = entry.map_err(io::Error::from)?;
            let path = Utf8Path::from_path(entry.path()).ok_or_else(|| {
                io::Error::other(format!("{} is not UTF-8", entry.path().display()))
            })?;
            let name = path.strip_prefix(root).unwrap_or(path);
            let is_link = entry.file_type().is_symlink();
            if is_link {
                let target = fs_err::read_link(path)?;
                hasher.update(format!("{name} -> {}\n", target.display()));
            }
            // Include the content of a linked file. Linked folders and devices have no content.
            let is_file = if is_link { path.is_file() } else { entry.file_type().is_file() };
            if is_file {
                hasher.update(format!("{name}\n{}\n", of_file(path)?));
            }
        }
    }
    Ok(hex(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn only_a_regular_file_has_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let fifo = root.join("fifo");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, fifo.as_str(), kind, mode, 0).unwrap();
        std::os::unix::fs::symlink("/dev/zero", root.join("endless")).unwrap();
        fs_err::write(root.join("file"), "a").unwrap();
        std::os::unix::fs::symlink("file", root.join("link")).unwrap();
        for name in ["fifo", "endless", "."] {
            assert!(of_file(&root.join(name)).is_err(), "{name}");
        }
        assert_eq!(of_file(&root.join("link")).unwrap(), of_bytes(b"a"));
    }

    #[test]
    fn the_content_of_a_linked_file_counts() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        fs_err::create_dir(root.join("docker")).unwrap();
        fs_err::write(root.join("docker/a"), "a").unwrap();
        let hash = || of_folders(&root, &["docker"]).unwrap();
        let mut hashes = vec![hash()];
        let link = |target: &str, name: &str| {
            let name = root.join("docker").join(name);
            let _ = fs_err::remove_file(&name);
            std::os::unix::fs::symlink(target, name).unwrap();
        };
        for change in 0..5 {
            match change {
                0 => fs_err::write(root.join("shared"), "1").unwrap(),
                1 => link("../shared", "b"),
                2 => fs_err::write(root.join("shared"), "2").unwrap(),
                3 => link("/dev/zero", "b"),
                _ => link("nowhere", "b"),
            }
            hashes.push(hash());
        }
        assert_eq!(hashes.remove(0), hashes[0], "other files do not count");
        let number = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), number);
    }
}
