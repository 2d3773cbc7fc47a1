//! Files that the engine exported. A package's code may have written them, so only regular files are opened, links
//! are not followed, and number and size are limited.

use std::io::{self, Read as _};
use wheel_audit::UserError;

use camino::Utf8Path;

use wheel_audit::digest;
use wheel_audit::files;
use wheel_audit::sys::permissions;

/// Maximum number of files of one build: a wheel and its build information need fewer.
const MAX_FILES: usize = 100;
/// Maximum size of all files of one build, in bytes.
const MAX_BYTES: u64 = 8 << 30;
/// File with additional requirements of the build backend.
pub(super) const EXTRA_REQUIRES: &str = "extra-requires.txt";
/// Maximum size of that file, in bytes.
const MAX_REQUIREMENTS: usize = 16 << 10;
/// Maximum size of a report, in bytes.
const MAX_REPORT: u64 = 16 << 20;
/// Mode of every exported file.
const MODE: u32 = 0o644;

/// Names and hashes of the exported files, in order. Sets the mode of each to 0644.
///
/// # Errors
/// If there is anything but regular files, or a limit is exceeded.
pub(super) fn files(export: &Utf8Path) -> io::Result<Vec<(String, String)>> {
    let (mut files, mut bytes) = (Vec::new(), 0_u64);
    for entry in fs_err::read_dir(export)? {
        let name = entry?.file_name().into_string();
        let name =
            name.map_err(|name| rejected(&name.to_string_lossy(), "has a name that is not UTF-8"))?;
        if files.len() == MAX_FILES {
            return Err(rejected(&name, &format!("exceeds the limit of {MAX_FILES} files")));
        }
        let file = open(export, &name)?;
        bytes = bytes.saturating_add(file.metadata()?.len());
        if bytes > MAX_BYTES {
            return Err(rejected(&name, &format!("exceeds the limit of {MAX_BYTES} bytes")));
        }
        file.set_permissions(permissions(MODE))?;
        files.push((name, digest::of_reader(file.take(MAX_BYTES))?));
    }
    files.sort();
    Ok(files)
}

/// A report of a container.
///
/// # Errors
/// If it is missing, not a regular file, or too large.
pub(super) fn report(export: &Utf8Path, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(export, name)?.take(MAX_REPORT + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_REPORT {
        return Err(rejected(name, &format!("exceeds the limit of {MAX_REPORT} bytes")));
    }
    Ok(bytes)
}

/// Additional requirements of the build backend, if the build ended because it lacks them.
///
/// # Errors
/// If it is not a list of requirements.
pub(super) fn extra_requires(export: &Utf8Path) -> io::Result<Option<String>> {
    match report(export, EXTRA_REQUIRES) {
        Ok(bytes) => requirement_lines(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Requirements that a package wrote, sorted, one on each line.
///
/// # Errors
/// If the list is too long, or a line is not a name with versions, e.g. an option or a URL.
pub(crate) fn requirement_lines(bytes: &[u8]) -> io::Result<String> {
    let is_requirement = |line: &&str| {
        line.starts_with(|each: char| each.is_ascii_alphanumeric())
            && line.chars().all(|each| each == ' ' || each.is_ascii_graphic())
            && !line.contains(['@', '\\', '/', '$'])
    };
    let text = std::str::from_utf8(bytes).unwrap_or("\0");
    let lines: std::collections::BTreeSet<_> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if bytes.len() > MAX_REQUIREMENTS || !lines.iter().all(is_requirement) {
        return Err(rejected(EXTRA_REQUIRES, "is not a list of requirements by name and version"));
    }
    Ok(lines.into_iter().collect::<Vec<_>>().join("\n"))
}

/// Opens a regular file of an export.
fn open(export: &Utf8Path, name: &str) -> io::Result<fs_err::File> {
    let path = export.join(name);
    if !fs_err::symlink_metadata(&path)?.is_file() {
        return Err(rejected(name, "is not a regular file"));
    }
    match files::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs_err::set_permissions(&path, permissions(MODE))?;
            files::open(&path)
        }
        result => result,
    }
}

fn rejected(name: &str, reason: &str) -> io::Error {
    io::Error::other(
        UserError::new(format!("the build exported `{}`, which {reason}", name.escape_debug()))
            .hint("change the build to write only regular files into its output folder"),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use camino::Utf8PathBuf;

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        (dir, path)
    }

    #[test]
    fn files_of_any_mode_become_plain_files() {
        let (_dir, root) = folder();
        for (name, mode) in [("a.whl", 0o4777), ("b.json", 0)] {
            fs_err::write(root.join(name), name).unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            fs_err::set_permissions(root.join(name), mode).unwrap();
        }
        let expected = ["a.whl", "b.json"].map(|n| (n.to_owned(), digest::of_bytes(n.as_bytes())));
        assert_eq!(files(&root).unwrap(), expected);
        for name in ["a.whl", "b.json"] {
            let mode = fs_err::metadata(root.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, MODE, "{name}");
        }
    }

    #[test]
    fn links_devices_fifos_and_folders_are_rejected() {
        let (_other, elsewhere) = folder();
        fs_err::write(elsewhere.join("secret"), "secret").unwrap();
        for target in [elsewhere.join("secret"), "/dev/zero".into(), "/nowhere".into()] {
            let (_dir, root) = folder();
            std::os::unix::fs::symlink(&target, root.join("a.whl")).unwrap();
            assert!(files(&root).is_err(), "{target}");
            assert!(report(&root, "a.whl").is_err(), "{target}");
        }
        let (_dir, root) = folder();
        fs_err::create_dir(root.join("a.whl")).unwrap();
        assert!(files(&root).is_err());
        let (_dir, root) = folder();
        let fifo = root.join("a.whl");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, fifo.as_str(), kind, mode, 0).unwrap();
        assert!(files(&root).is_err());
        assert!(report(&root, "a.whl").is_err());
    }

    #[test]
    fn requirements_of_a_package_are_names_and_versions() {
        assert_eq!(
            requirement_lines(b"b>=2; python_version > '3'\n\na[x] == 1\na[x] == 1").unwrap(),
            "a[x] == 1\nb>=2; python_version > '3'"
        );
        let wrong = [
            "--index-url x",
            "a @ file:///etc",
            "a\u{1b}",
            "a \\",
            "-r x",
            "\u{ff}",
            "https://x",
            "a $B",
        ];
        for line in wrong {
            assert!(requirement_lines(line.as_bytes()).is_err(), "{line}");
        }
        assert!(requirement_lines(&[0xff]).is_err());
        assert!(requirement_lines(&vec![b'a'; MAX_REQUIREMENTS + 1]).is_err());
    }

    #[test]
    fn number_and_size_are_limited() {
        let (_dir, root) = folder();
        for index in 0..=MAX_FILES {
            fs_err::write(root.join(index.to_string()), "").unwrap();
        }
        assert!(files(&root).is_err());
        let (_dir, root) = folder();
        std::fs::File::create(root.join("a.whl")).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(files(&root).is_err());
        assert!(report(&root, "a.whl").is_err());
    }
}
