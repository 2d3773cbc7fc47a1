//! Finds the auditwheel package with the policies: installed, downloaded, or at a path. Its code does not run.

use std::time::Duration;
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};

use wheel_audit::files::remove_folder;
use wheel_build::own::{Exec, Step};

use wheel_audit::wheel::{WheelArchive, WheelName};

use super::refresh::{Family, MAX_POLICY};

/// Prints the path of the package, without importing it.
const WHERE: &str = "import importlib.util as u; print(u.find_spec('auditwheel').origin)";

/// The policy files of a release of auditwheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuditwheelPackage {
    /// Its version, or `unknown`.
    pub version: String,
    /// Its path.
    pub path: Utf8PathBuf,
    /// The files, in the order of [`Family::ALL`].
    pub policies: Vec<(Family, Vec<u8>)>,
}

/// Finds the package: at `from`, installed for `python3`, or downloaded below `work` by `pip`.
///
/// # Errors
/// [`UserError`] if no package has both policy files.
pub(super) fn auditwheel(
    exec: &Exec,
    from: Option<&Utf8Path>,
    work: &Utf8Path,
) -> Result<AuditwheelPackage, UserError> {
    if let Some(path) = from {
        return read(path);
    }
    let step = Step::new("python3", ["-c", WHERE]).timeout(Duration::from_secs(30));
    let origin = exec.read(&step).unwrap_or_default();
    if let Some(folder) = Utf8Path::new(origin.trim()).parent().filter(|path| path.is_dir()) {
        return read(folder);
    }
    let folder = work.join("auditwheel");
    // Otherwise an older download could be used instead of the new one.
    remove_folder(&folder).map_err(|error| not_found(&error))?;
    let arguments =
        ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"];
    let arguments = arguments.iter().copied().chain([folder.as_str(), "auditwheel"]);
    let step = Step::new("python3", arguments).timeout(Duration::from_secs(120));
    exec.read(&step).map_err(|error| not_found(&error))?;
    read(&folder)
}

fn not_found(reason: &dyn std::error::Error) -> UserError {
    UserError::new(format!("auditwheel is not installed, and `pip` did not download it: {reason}"))
        .hint("run `pip download --no-deps auditwheel`, then pass the file to `--from`")
}

fn absent(path: &Utf8Path, file: &str, reason: &str) -> UserError {
    UserError::new(format!("`{path}` has no `{file}`: {reason}"))
        .hint("pass the wheel of auditwheel, its folder, or the folder of the installed package to `--from`")
}

/// Reads the package at a path: a wheel, a folder with a wheel, or the folder of an installed package.
fn read(path: &Utf8Path) -> Result<AuditwheelPackage, UserError> {
    if path.is_file() {
        return read_wheel(path);
    }
    let absent = |file| {
        absent(path, file, "it is neither in the folder nor in `auditwheel/policy/` below it")
    };
    let first = Family::Manylinux.published();
    let places = ["", "policy", "auditwheel/policy"].map(|below| path.join(below));
    let Some(folder) = places.iter().find(|place| place.join(first).is_file()) else {
        return match newest_wheel(path) {
            Some(wheel) => read_wheel(&wheel),
            None => Err(absent(first)),
        };
    };
    let mut policies = Vec::new();
    for family in Family::ALL {
        let file = folder.join(family.published());
        let too_large = fs_err::metadata(&file).is_ok_and(|meta| meta.len() > MAX_POLICY);
        let bytes = fs_err::read(&file).ok().filter(|_| !too_large);
        policies.push((family, bytes.ok_or_else(|| absent(family.published()))?));
    }
    let version = folder.ancestors().take(3).find_map(installed_version);
    let version = version.unwrap_or_else(|| "unknown".to_owned());
    Ok(AuditwheelPackage { version, path: folder.clone(), policies })
}

/// The version in the name of `auditwheel-6.8.2.dist-info`, next to the package.
fn installed_version(folder: &Utf8Path) -> Option<String> {
    names(folder).find_map(|name| {
        let version = name.strip_prefix("auditwheel-")?.strip_suffix(".dist-info")?;
        Some(version.to_owned())
    })
}

fn newest_wheel(folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let wheels = names(folder)
        .filter(|name| WheelName::parse(name).is_ok_and(|name| name.distribution == "auditwheel"));
    let time = |path: &Utf8PathBuf| fs_err::metadata(path).and_then(|meta| meta.modified()).ok();
    wheels.map(|name| folder.join(name)).max_by_key(time)
}

fn names(folder: &Utf8Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

fn read_wheel(path: &Utf8Path) -> Result<AuditwheelPackage, UserError> {
    let absent = |file, reason: String| absent(path, file, &reason);
    let first = Family::Manylinux.published();
    let mut archive = WheelArchive::open(path).map_err(|error| absent(first, error.to_string()))?;
    let mut policies = Vec::new();
    for family in Family::ALL {
        let file = family.published();
        let index = archive
            .position(&format!("auditwheel/policy/{file}"))
            .ok_or_else(|| absent(file, "it is not a wheel of auditwheel".to_owned()))?;
        let bytes =
            archive.read(index, MAX_POLICY).map_err(|error| absent(file, error.to_string()))?;
        policies.push((family, bytes));
    }
    let version = path.file_name().and_then(|name| WheelName::parse(name).ok());
    let version = version.map_or_else(|| "unknown".to_owned(), |name| name.version);
    Ok(AuditwheelPackage { version, path: path.to_owned(), policies })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::super::testing::{Fixture, Folder};
    use super::*;

    fn wheel(folder: &Utf8Path) -> Utf8PathBuf {
        Fixture::new("auditwheel-6.9.0-py3-none-any.whl")
            .with("auditwheel/policy/manylinux-policy.json", "many")
            .with("auditwheel/policy/musllinux-policy.json", "musl")
            .write(folder)
    }

    fn unpacked(folder: &Utf8Path) -> Utf8PathBuf {
        let policy = folder.join("site/auditwheel/policy");
        fs_err::create_dir_all(&policy).unwrap();
        fs_err::create_dir(folder.join("site/auditwheel-6.8.2.dist-info")).unwrap();
        fs_err::write(policy.join("manylinux-policy.json"), "many").unwrap();
        fs_err::write(policy.join("musllinux-policy.json"), "musl").unwrap();
        folder.join("site")
    }

    fn parts(package: &AuditwheelPackage) -> (&str, Vec<&[u8]>) {
        let bytes = package.policies.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        (&package.version, bytes)
    }

    #[test]
    fn wheels_and_folders_are_read() {
        let folder = Folder::new();
        let (path, site) = (wheel(folder.path()), unpacked(folder.path()));
        let both: Vec<&[u8]> = vec![b"many", b"musl"];
        for place in [path.clone(), folder.path().to_owned()] {
            assert_eq!(parts(&read(&place).unwrap()), ("6.9.0", both.clone()), "{place}");
        }
        for below in ["", "auditwheel", "auditwheel/policy"] {
            let package = read(&site.join(below)).unwrap();
            assert_eq!(parts(&package), ("6.8.2", both.clone()), "{below}");
        }
    }

    #[test]
    fn errors_contain_the_path_without_a_package() {
        let folder = Folder::new();
        let other = Fixture::new("other-1-py3-none-any.whl").write(folder.path());
        let text = folder.path().join("notes.txt");
        fs_err::write(&text, "hello").unwrap();
        for path in [other, text, folder.path().to_owned(), folder.path().join("absent")] {
            let UserError { message, hint } = read(&path).unwrap_err();
            assert!(message.contains(path.as_str()) && hint.is_some(), "{message}");
        }
    }

    #[test]
    fn the_installed_package_is_used_or_else_downloaded() {
        use wheel_build::own::{Captured, ExecError};
        let folder = Folder::new();
        let site = unpacked(folder.path());
        let origin = site.join("auditwheel/__init__.py").to_string();
        let installed = Exec::fake(move |_| Ok(Captured::ok(&origin)));
        let work = folder.path().join("work");
        assert_eq!(auditwheel(&installed, None, &work).unwrap().version, "6.8.2");
        let here = work.clone();
        let downloads = Exec::fake(move |step: &Step| -> Result<Captured, ExecError> {
            if step.to_string().contains("pip download") {
                fs_err::create_dir_all(here.join("auditwheel")).unwrap();
                wheel(&here.join("auditwheel"));
            }
            Ok(Captured::ok(""))
        });
        assert_eq!(auditwheel(&downloads, None, &work).unwrap().version, "6.9.0");
    }
}
