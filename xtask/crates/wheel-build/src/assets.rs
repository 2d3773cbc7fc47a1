//! The build files: Dockerfile, bake file and scripts. They are the build context of every engine call.
//!
//! The program embeds them. A run writes them to a folder in `target/xtask/assets/` whose name is a hash of its
//! contents. A repository can replace single files in `xtask/assets/`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;
use wheel_audit::digest;
use wheel_audit::files::remove_folder;

/// The tool's files: name with folder, and contents.
const FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));
/// The folder of a repository's replacements, relative to the workspace root.
pub(crate) const OVERRIDES: &str = "xtask/assets";
/// Number of hash digits in a folder's name.
const HASH_LENGTH: usize = 16;
/// Maximum size of a replaced build file.
const MAX_BYTES: u64 = 1 << 20;

/// The build files of a run, in a folder that the engine's client reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assets {
    /// Their folder, relative to the workspace root.
    pub(crate) folder: Utf8PathBuf,
    /// SHA-256 of their names and contents.
    pub(crate) hash: String,
    /// The files that the repository replaces, relative to [`OVERRIDES`].
    pub(crate) replaced: Vec<String>,
}

/// The names of the tool's files, each with its folder.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The text of the tool's file `name`; empty if it is not text.
pub(crate) fn text(name: &str) -> &'static str {
    let found = FILES.iter().find(|(file, _)| *file == name);
    found.and_then(|(_, bytes)| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

type Contents<'a> = BTreeMap<String, Cow<'a, [u8]>>;

impl Assets {
    /// Writes the files for the workspace `root`, unless they exist. `requirements`, relative to `root`, is added to
    /// them.
    ///
    /// # Errors
    /// If a replacement matches no build file, or a file cannot be read or written.
    pub(crate) fn place(root: &Utf8Path, requirements: Option<&Utf8Path>) -> io::Result<Self> {
        let (mut files, replaced) = files(root)?;
        let hash = hash_of(&files);
        if let Some(path) = requirements {
            let bytes = fs_err::read(root.join(path)).map_err(|error| {
                let message = format!("`requirements = \"{path}\"` in wheels.toml: {error}");
                io::Error::new(error.kind(), message)
            })?;
            files.insert(added(path), Cow::Owned(bytes));
        }
        let name = &hash_of(&files)[..HASH_LENGTH];
        let folder = Utf8PathBuf::from(format!("target/xtask/assets/{name}"));
        write(&root.join(&folder), &files)?;
        Ok(Self { folder, hash, replaced })
    }
}

/// The name of a requirements file in the build context.
fn added(path: &Utf8Path) -> String {
    format!("docker/{}", path.file_name().unwrap_or_default())
}

/// The tool's files with the replacements of the workspace `root`, and the names of the replacements.
fn files(root: &Utf8Path) -> io::Result<(Contents<'static>, Vec<String>)> {
    let own = FILES.iter().map(|(name, bytes)| ((*name).to_owned(), Cow::Borrowed(*bytes)));
    let mut files: Contents<'static> = own.collect();
    let replacements = below(&root.join(OVERRIDES))?;
    for (name, bytes) in &replacements {
        let Some(file) = files.get_mut(name) else {
            return Err(io::Error::other(unknown(name, &files)));
        };
        *file = Cow::Owned(bytes.clone());
    }
    if let Some((name, _)) = files.iter().find(|(_, bytes)| bytes.contains(&b'\r')) {
        return Err(io::Error::other(windows_lines(name, replacements.contains_key(name))));
    }
    Ok((files, replacements.into_keys().collect()))
}

/// Shells and Docker treat a carriage return as part of a word: `set: Illegal option -`.
fn windows_lines(name: &str, is_replaced: bool) -> UserError {
    if is_replaced {
        return UserError::new(format!("`{OVERRIDES}/{name}` has Windows line endings"))
            .hint("add the line `* text=auto eol=lf` to `xtask/.gitattributes`, then run `git add --renormalize xtask`");
    }
    UserError::new(format!("the tool's build file `{name}` has Windows line endings"))
        .hint("clone the tool again, because its `.gitattributes` was missing")
}

fn unknown(name: &str, files: &Contents<'_>) -> UserError {
    // Users often leave the folder or an extension out: `Dockerfile` for `docker/Dockerfile.wheels`.
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let near = |known: &&String| {
        let (own, word) = (base(known), base(name));
        let distance = strsim::damerau_levenshtein;
        (!own.contains(&word), distance(&own, &word), distance(known, name))
    };
    let nearest = files.keys().min_by_key(near).map_or("", String::as_str);
    UserError::new(format!("`{OVERRIDES}/{name}` matches no build file of the tool")).hint(format!(
        "the nearest name is `{nearest}`; `cargo xtask assets export` writes the originals"
    ))
}

/// The regular files below `folder`, by relative path; empty if the folder does not exist.
fn below(folder: &Utf8Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if !folder.try_exists()? {
        return Ok(found);
    }
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = Utf8Path::from_path(entry.path())
            .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", entry.path().display())))?;
        let name = path.strip_prefix(folder).unwrap_or(path).to_string();
        let text = wheel_audit::files::text(path, MAX_BYTES);
        let text = text.map_err(|error| io::Error::other(format!("`{path}`: {error}")))?;
        found.insert(name, text.into_bytes());
    }
    Ok(found)
}

fn hash_of(files: &Contents<'_>) -> String {
    let line =
        |(name, bytes): (&String, &Cow<'_, [u8]>)| format!("{name}\n{}\n", digest::of_bytes(bytes));
    digest::of_bytes(files.iter().map(line).collect::<String>().as_bytes())
}

/// Makes `folder` contain exactly `files`. It appears complete, by rename.
fn write(folder: &Utf8Path, files: &Contents<'_>) -> io::Result<()> {
    let is_whole = || {
        let found = below(folder).unwrap_or_default();
        found.len() == files.len()
            && found
                .iter()
                .zip(files)
                .all(|(found, file)| found.0 == file.0 && *found.1 == **file.1)
    };
    if is_whole() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(folder);
    fs_err::create_dir_all(parent)?;
    let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(parent)?;
    for (name, bytes) in files {
        let path = draft.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap_or(draft.path()))?;
        fs_err::write(path, bytes)?;
    }
    // Keep a folder that another run wrote in the meantime, because that run uses it.
    if fs_err::rename(draft.path(), folder).is_ok() || is_whole() {
        return Ok(());
    }
    remove_folder(folder)?;
    let renamed = fs_err::rename(draft.path(), folder);
    if is_whole() { Ok(()) } else { renamed }
}

/// Writes the tool's own files, or only `names`, to [`OVERRIDES`] of the workspace `root`; returns the written
/// paths. Existing files stay unchanged.
///
/// # Errors
/// If a name is not one of the tool's files, or a file cannot be written.
pub(crate) fn export(root: &Utf8Path, names: &[String]) -> io::Result<Vec<Utf8PathBuf>> {
    let own: Contents<'_> =
        FILES.iter().map(|(name, bytes)| ((*name).to_owned(), Cow::Borrowed(*bytes))).collect();
    if let Some(name) = names.iter().find(|name| !own.contains_key(*name)) {
        return Err(io::Error::other(unknown(name, &own)));
    }
    let mut written = Vec::new();
    for (name, bytes) in own.iter().filter(|(name, _)| names.is_empty() || names.contains(name)) {
        let path = Utf8Path::new(OVERRIDES).join(name);
        let place = root.join(&path);
        fs_err::create_dir_all(place.parent().unwrap_or(root))?;
        // Existing files stay unchanged, and links are not followed.
        let mut file = match fs_err::File::create_new(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            result => result?,
        };
        file.write_all(bytes)?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const SCRIPT: &str = "scripts/build-all.sh";

    fn workspace() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        (dir, root)
    }

    fn write_file(root: &Utf8Path, path: &str, text: &str) {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    #[test]
    fn the_folder_contains_exactly_the_files_and_is_repaired() {
        let (_dir, root) = workspace();
        // A package's own files of the same names are not build files of the tool.
        write_file(&root, "docker/Dockerfile.wheels", "FROM evil\n");
        write_file(&root, SCRIPT, "evil\n");
        let assets = Assets::place(&root, None).unwrap();
        let own = below(&root.join(&assets.folder)).unwrap();
        assert_eq!(own.len(), FILES.len());
        assert!(!own.values().any(|bytes| bytes.starts_with(b"FROM evil") || bytes == b"evil\n"));
        assert_eq!(assets.replaced, [""; 0]);
        // Changed, added and removed files are restored.
        let folder = assets.folder.clone();
        write_file(&root, &format!("{folder}/{SCRIPT}"), "other\n");
        write_file(&root, &format!("{folder}/scripts/new.sh"), "");
        fs_err::remove_file(root.join(&folder).join("docker/docker-bake.hcl")).unwrap();
        assert_eq!(Assets::place(&root, None).unwrap(), assets);
        assert_eq!(below(&root.join(&folder)).unwrap(), own);
        // No other folder is left beside it.
        assert_eq!(fs_err::read_dir(root.join("target/xtask/assets")).unwrap().count(), 1);
    }

    #[test]
    fn concurrent_runs_with_the_same_files_share_the_folder() {
        let losses: usize = (0..40)
            .map(|_| {
                let (_dir, root) = workspace();
                let start = std::sync::Barrier::new(8);
                let run = || {
                    start.wait();
                    let folder = root.join(Assets::place(&root, None).unwrap().folder);
                    let reads = (0..20).map(|_| below(&folder).map_or(0, |found| found.len()));
                    reads.filter(|found| *found != FILES.len()).count()
                };
                std::thread::scope(|scope| {
                    let runs: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
                    runs.into_iter().map(|run| run.join().unwrap()).sum::<usize>()
                })
            })
            .sum();
        assert_eq!(losses, 0);
    }

    #[test]
    fn a_replacement_is_used_and_one_without_an_original_is_rejected() {
        let (_dir, root) = workspace();
        let own = Assets::place(&root, None).unwrap();
        write_file(&root, &format!("{OVERRIDES}/{SCRIPT}"), "mine\n");
        let mine = Assets::place(&root, None).unwrap();
        assert_eq!(mine.replaced, [SCRIPT]);
        assert!(mine.hash != own.hash && mine.folder != own.folder);
        let text = fs_err::read_to_string(root.join(&mine.folder).join(SCRIPT)).unwrap();
        assert_eq!(text, "mine\n");
        write_file(&root, &format!("{OVERRIDES}/scripts/build-al.sh"), "");
        let error = UserError::explain(&Assets::place(&root, None).unwrap_err());
        assert!(error.contains("scripts/build-al.sh") && error.contains(SCRIPT), "{error}");
    }

    #[test]
    fn a_replacement_with_windows_line_endings_is_rejected() {
        let (_dir, root) = workspace();
        write_file(&root, &format!("{OVERRIDES}/{SCRIPT}"), "#!/bin/sh\r\nset -eu\r\n");
        let error = Assets::place(&root, None).unwrap_err();
        assert!(error.to_string().contains(SCRIPT), "{error}");
        assert!(UserError::hint_of(&error).is_some_and(|hint| hint.contains("eol=lf")));
    }

    #[test]
    fn a_replacement_is_a_regular_file_and_an_export_follows_no_link() {
        let (_dir, root) = workspace();
        write_file(&root, &format!("{OVERRIDES}/scripts/x"), "");
        fs_err::remove_file(root.join(OVERRIDES).join("scripts/x")).unwrap();
        let place = root.join(OVERRIDES).join(SCRIPT);
        std::os::unix::fs::symlink(root.join("elsewhere"), &place).unwrap();
        assert!(!export(&root, &[]).unwrap().iter().any(|path| path.ends_with(SCRIPT)));
        assert!(!root.join("elsewhere").exists());
        fs_err::remove_file(&place).unwrap();
        let status = std::process::Command::new("mkfifo").arg(&place).status();
        assert!(status.unwrap().success());
        let error = Assets::place(&root, None).unwrap_err().to_string();
        assert!(error.contains(SCRIPT) && error.contains("regular file"), "{error}");
    }

    #[test]
    fn requirements_are_in_the_context_but_not_in_the_tools_hash() {
        let (_dir, root) = workspace();
        let own = Assets::place(&root, None).unwrap();
        write_file(&root, "ci/pins.txt", "a==1\n");
        let none = Assets::place(&root, Some(Utf8Path::new("none.txt"))).unwrap_err();
        assert!(
            none.to_string().contains("`requirements = \"none.txt\"` in wheels.toml"),
            "{none}"
        );
        let with = Assets::place(&root, Some(Utf8Path::new("ci/pins.txt"))).unwrap();
        assert!(with.hash == own.hash && with.folder != own.folder);
        let text = fs_err::read_to_string(root.join(&with.folder).join("docker/pins.txt")).unwrap();
        assert_eq!(text, "a==1\n");
    }

    #[test]
    fn originals_are_exported_and_nothing_is_overwritten() {
        let (_dir, root) = workspace();
        let one = [SCRIPT.to_owned()];
        assert_eq!(export(&root, &one).unwrap(), [format!("{OVERRIDES}/{SCRIPT}")]);
        write_file(&root, &format!("{OVERRIDES}/{SCRIPT}"), "mine\n");
        let rest = export(&root, &[]).unwrap();
        assert_eq!(rest.len(), FILES.len() - 1);
        let text = fs_err::read_to_string(root.join(OVERRIDES).join(SCRIPT)).unwrap();
        assert_eq!(text, "mine\n");
        for (word, nearest) in [
            ("Dockerfile", "docker/Dockerfile.wheels"),
            ("docker/build-all.sh", SCRIPT),
            ("scripts/smok.py", "scripts/smoke.py"),
        ] {
            let error = export(&root, &[word.to_owned()]).unwrap_err();
            let hint = UserError::hint_of(&error).unwrap_or_default();
            assert!(hint.contains(&format!("`{nearest}`")), "{word}: {hint}");
        }
    }
}
