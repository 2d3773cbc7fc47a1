//! Adds files to `dist/` and removes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wheel_audit::UserError;

use wheel_audit::dist::{Entry, Kind, MANIFEST, Manifest, WheelBuild, documents_of};
use wheel_audit::files::{self, Place, place, remove_folder};
use wheel_audit::sys::permissions;
use wheel_audit::text::shown;

/// Mode of every file in `dist/`, whatever its mode after the build.
const FILE_MODE: u32 = 0o644;
/// The journal's name in xtask's own folder.
const JOURNAL: &str = "journal.json";

/// Why a change to `dist/` failed.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// A file could not be read, written or moved.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A manifest or journal names a file that is not below its folder.
    #[error("{0}")]
    Unsafe(#[source] UserError),
    /// A file differs from the audited one.
    #[error("{0}")]
    Changed(#[source] UserError),
    /// The manifest was not written by xtask, or is invalid.
    #[error("{0}")]
    Manifest(#[source] UserError),
}

impl StoreError {
    /// An unsafe file or folder at `path`, with the reason.
    fn not_safe(path: &str, reason: &str) -> Self {
        let message = format!("`{}` cannot be used: {reason}", shown(path));
        Self::Unsafe(
            UserError::new(message).hint("replace it by a regular file or folder, or remove it"),
        )
    }
}

/// `dist/`, and the folder for preparing changes to it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    dist: Utf8PathBuf,
    work: Utf8PathBuf,
}

/// A change to one target's folder, applied completely or not at all.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Files to move in: the current path, and the kind. The name stays.
    pub files: Vec<(Utf8PathBuf, Kind)>,
    /// Metadata to write: name and contents.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// SHA-256 of the audited files, by name. Other contents are rejected.
    pub audited: BTreeMap<String, String>,
    /// Names in the folder that the new files replace.
    pub replaced: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Journal {
    /// Paths in the staging folder, identical to those in `dist/`.
    moves: Vec<String>,
    /// Paths below `dist/`.
    removes: Vec<String>,
}

impl Store {
    /// The store at `dist`. `work` is xtask's own folder.
    pub(crate) fn new(dist: &Utf8Path, work: &Utf8Path) -> Self {
        Self { dist: dist.to_owned(), work: work.to_owned() }
    }

    /// `dist/` itself.
    pub(crate) fn dist(&self) -> &Utf8Path {
        &self.dist
    }

    fn journal(&self) -> Utf8PathBuf {
        self.work.join(JOURNAL)
    }

    fn staging(&self) -> Utf8PathBuf {
        self.work.join("commit")
    }

    /// Finishes the interrupted change of an earlier run, if there is one. Call it with the lock held, before
    /// anything is read.
    ///
    /// # Errors
    /// If a file cannot be moved.
    pub(crate) fn recover(&self) -> Result<bool, StoreError> {
        let Some(text) = read(&self.work, JOURNAL)? else {
            // Without a journal, the staging folder contains nothing of value.
            remove_folder(&self.staging())?;
            return Ok(false);
        };
        // The journal is written by rename, so it is complete or of another version. Keep its files.
        let journal: Journal = serde_json::from_slice(&text).map_err(|error| {
            let reason = format!("this xtask does not support its format: {error}");
            StoreError::not_safe(self.journal().as_str(), &reason)
        })?;
        self.execute(&journal)?;
        self.finish()?;
        Ok(true)
    }

    /// Reads the manifest; an empty one if there is none.
    ///
    /// # Errors
    /// If the manifest is invalid.
    pub(crate) fn manifest(&self) -> Result<Manifest, StoreError> {
        let path = self.dist.join(MANIFEST);
        let Some(text) = read(&self.dist, MANIFEST)? else { return Ok(Manifest::default()) };
        Manifest::parse(&text).map_err(|reason| {
            StoreError::Manifest(
                UserError::new(format!("`{path}` is not a manifest of this tool: {reason}"))
                    .hint("move `dist/` away and build again"),
            )
        })
    }

    /// The contents of a report or list in `dist/`; `None` if it does not exist.
    ///
    /// # Errors
    /// If it is not a regular file, or cannot be read.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.dist, path)
    }

    /// Returns whether the file of `entry` is in `dist/` with the manifest's size and hash.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        place(&self.dist, &entry.path) == Place::File(entry.size)
            && files::sha256(&self.dist.join(&entry.path)).is_ok_and(|hash| hash == entry.sha256)
    }

    /// Applies `change` to the target's `folder`: moves new files in, removes replaced ones, and rewrites checksums
    /// and manifest. Call it with the lock held.
    ///
    /// # Errors
    /// If a file cannot be written or moved. The next [`Self::recover`] finishes the change.
    pub(crate) fn commit(&self, folder: &str, change: &Change) -> Result<(), StoreError> {
        self.commit_all(&[(folder, change)])
    }

    /// Updates the manifest's entry of the wheel at `path` for `interpreter`. Call it with the lock held.
    ///
    /// # Errors
    /// If the manifest cannot be read or written.
    pub(crate) fn note(
        &self,
        path: &str,
        interpreter: &str,
        change: impl FnOnce(&mut WheelBuild),
    ) -> Result<(), StoreError> {
        self.recover()?;
        let mut manifest = self.manifest()?;
        let entry = manifest.files.iter_mut().find(|entry| entry.path == path);
        let Some(Entry { kind: Kind::Wheel { builds, .. }, .. }) = entry else { return Ok(()) };
        let build = builds.iter_mut().find(|build| build.interpreter == interpreter);
        build.map(change);
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        text.push(b'\n');
        let draft = write_synced(&self.work.join("manifest.draft"), &text)?;
        move_file(&draft, &inside(&self.dist, MANIFEST)?)?;
        Ok(sync_folder(&self.dist)?)
    }

    /// Applies the changes of several folders together, completely or not at all.
    ///
    /// # Errors
    /// See [`Self::commit`].
    pub(crate) fn commit_all(&self, changes: &[(&str, &Change)]) -> Result<(), StoreError> {
        // Finish an interrupted change first, because its files would be missing in the manifest.
        self.recover()?;
        let staging = self.staging();
        let mut manifest = self.manifest()?;
        // Files that someone removed from `dist/` leave checksums and manifest.
        manifest.files.retain(|entry| matches!(place(&self.dist, &entry.path), Place::File(_)));
        let mut journal = Journal { moves: Vec::new(), removes: Vec::new() };
        for (folder, change) in changes {
            self.stage(folder, change, &mut manifest, &mut journal)?;
        }
        fs_err::create_dir_all(&staging)?;
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        text.push(b'\n');
        write_synced(&staging.join(MANIFEST), &text)?;
        journal.moves.push(MANIFEST.to_owned());
        for (folder, _) in changes {
            sync_folder(&staging.join(folder))?;
        }
        sync_folder(&staging)?;
        let text = serde_json::to_vec(&journal).map_err(std::io::Error::from)?;
        let draft = write_synced(&self.work.join("journal.draft"), &text)?;
        // From this rename on, the change will be completed, even if this process is killed.
        fs_err::rename(draft, self.journal())?;
        sync_folder(&self.work)?;
        self.execute(&journal)?;
        self.finish()
    }

    /// Prepares the files of one folder and records their moves.
    fn stage(
        &self,
        folder: &str,
        change: &Change,
        manifest: &mut Manifest,
        journal: &mut Journal,
    ) -> Result<(), StoreError> {
        let staging = self.staging().join(folder);
        fs_err::create_dir_all(&staging)?;
        let below = |name: &str| format!("{folder}/{name}");
        // A replaced wheel's documents are removed as well. A rebuilt wheel has new documents, or keeps its old ones.
        let comes =
            |name: &&String| change.files.iter().any(|(file, _)| file.file_name() == Some(name));
        let mut replaced = change.replaced.clone();
        let goes = change.replaced.iter().filter(|name| !comes(name));
        replaced.extend(goes.flat_map(|name| documents_of(name)));
        let gone: BTreeSet<_> = replaced.iter().map(|name| below(name)).collect();
        manifest.files.retain(|entry| !gone.contains(&entry.path));
        let mut new = Vec::new();
        let mut names = BTreeSet::from(["SHA256SUMS"]);
        for (file, kind) in &change.files {
            let name = file.file_name().unwrap_or_default();
            let staged = staging.join(name);
            files::copy(file, &staged)?;
            let copy = fs_err::File::open(&staged)?;
            copy.set_permissions(permissions(FILE_MODE))?;
            copy.sync_all()?;
            let wheel = entry(&below(name), &staged, kind.clone())?;
            if change.audited.get(name).is_some_and(|audited| *audited != wheel.sha256) {
                let message = format!(
                    "`{}` changed after its audit; nothing was added to `dist/`",
                    shown(file.as_str())
                );
                return Err(StoreError::Changed(
                    UserError::new(message)
                        .hint("run the command again when no other program writes there"),
                ));
            }
            new.push(wheel);
            journal.moves.push(below(name));
            names.insert(name);
        }
        for (name, bytes) in &change.metadata {
            let staged = write_synced(&staging.join(name), bytes)?;
            new.push(entry(&below(name), &staged, Kind::Metadata)?);
            journal.moves.push(below(name));
            names.insert(name);
        }
        manifest.put(folder, new);
        let sums = write_synced(&staging.join("SHA256SUMS"), &checksums(manifest, folder))?;
        manifest.put(folder, vec![entry(&below("SHA256SUMS"), &sums, Kind::Metadata)?]);
        journal.moves.push(below("SHA256SUMS"));
        let replaced = replaced.iter().filter(|name| !names.contains(name.as_str()));
        journal.removes.extend(replaced.map(|name| below(name)));
        Ok(())
    }

    fn execute(&self, journal: &Journal) -> Result<(), StoreError> {
        let mut folders = BTreeSet::from([self.dist.clone()]);
        for path in &journal.moves {
            let (from, to) = (inside(&self.staging(), path)?, inside(&self.dist, path)?);
            // A file that is not in staging was moved before the interruption.
            if !from.try_exists()? {
                continue;
            }
            if let Some(folder) = to.parent() {
                fs_err::create_dir_all(folder)?;
                folders.insert(folder.to_owned());
            }
            move_file(&from, &to)?;
        }
        for path in &journal.removes {
            match fs_err::remove_file(inside(&self.dist, path)?) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        // Remove the journal only after the files are durable.
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            sync_folder(folder)?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), StoreError> {
        fs_err::remove_file(self.journal())?;
        sync_folder(&self.work)?;
        Ok(remove_folder(&self.staging())?)
    }
}

/// The contents of `SHA256SUMS` for one folder, in the format of `sha256sum -c`.
fn checksums(manifest: &Manifest, folder: &str) -> Vec<u8> {
    let mut text = String::new();
    for entry in manifest.folder(folder) {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        if name != "SHA256SUMS" {
            let _ = writeln!(text, "{}  {name}", entry.sha256);
        }
    }
    text.into_bytes()
}

fn entry(path: &str, file: &Utf8Path, kind: Kind) -> Result<Entry, StoreError> {
    let size = fs_err::metadata(file)?.len();
    Ok(Entry { path: path.to_owned(), sha256: files::sha256(file)?, size, kind })
}

/// Reads a list below `root` without following links or waiting for a FIFO.
fn read(root: &Utf8Path, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let refused = |reason: String| StoreError::not_safe(root.join(path).as_str(), &reason);
    files::list(root, path).transpose().map_err(refused)
}

fn write_synced(path: &Utf8Path, bytes: &[u8]) -> Result<Utf8PathBuf, StoreError> {
    let mut file = fs_err::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(path.to_owned())
}

/// Makes the names in a folder durable, if the file system supports it.
fn sync_folder(path: &Utf8Path) -> std::io::Result<()> {
    match fs_err::File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

/// `path` below `root`, if no component of the path is a link. The last component may be anything
/// but a folder: it is replaced or removed, never opened.
fn inside(root: &Utf8Path, path: &str) -> Result<Utf8PathBuf, StoreError> {
    let refused = |reason: &str| Err(StoreError::not_safe(path, reason));
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if matches!(name, "" | "." | "..") || path.starts_with('/') {
        return refused("it is not a valid file name");
    }
    match place(root, folder) {
        Place::Folder | Place::Missing => Ok(root.join(path)),
        Place::File(_) => refused("its folder is a file"),
        Place::Unsafe(reason) => refused(&reason),
    }
}

/// Renames a file. If `dist/` is on another file system, copies it to a temporary name first, so that the final
/// name appears in one step.
fn move_file(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    match fs_err::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let draft = to.with_file_name(format!(".{}.part", to.file_name().unwrap_or_default()));
            // A copy would follow an existing link.
            let _ = fs_err::remove_file(&draft);
            let copied = fs_err::copy(from, &draft).and_then(|_| {
                fs_err::File::open(&draft)?.sync_all()?;
                fs_err::rename(&draft, to)
            });
            if copied.is_err() {
                // An incomplete copy would only waste space on a full disk.
                let _ = fs_err::remove_file(&draft);
            }
            copied?;
            fs_err::remove_file(from)
        }
        result => result,
    }
}
