//! How files enter and leave `dist/`.

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

/// Mode of every file that enters `dist/`, whatever a build gave it.
const FILE_MODE: u32 = 0o644;
/// The journal's name in xtask's own folder.
const JOURNAL: &str = "journal.json";

/// What `dist/` and its manifest could not do.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// A file could not be read, written or moved.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A manifest or journal names a file that is not below its folder.
    #[error("{0}")]
    Unsafe(#[source] UserError),
    /// A file is not the one that was judged.
    #[error("{0}")]
    Changed(#[source] UserError),
    /// The manifest is not one of ours.
    #[error("{0}")]
    Manifest(#[source] UserError),
}

impl StoreError {
    /// What stands at `path` is not followed, for this reason.
    fn not_safe(path: &str, reason: &str) -> Self {
        let message = format!("`{}` cannot be used: {reason}", shown(path));
        Self::Unsafe(
            UserError::new(message).hint("replace it by a regular file or folder, or remove it"),
        )
    }
}

/// `dist/` and the folder in which changes to it are prepared.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    dist: Utf8PathBuf,
    work: Utf8PathBuf,
}

/// A change to one target's folder: carried out whole or not at all.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Files to be moved in: where each lies now, and what it is. The name is kept.
    pub files: Vec<(Utf8PathBuf, Kind)>,
    /// Metadata to be written: name and contents.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// SHA-256 of the files that were judged, by name: one with other bytes is refused.
    pub judged: BTreeMap<String, String>,
    /// Names in the folder that give way to the new files.
    pub replaced: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Journal {
    /// Paths below the staging folder, which are the same below `dist/`.
    moves: Vec<String>,
    /// Paths below `dist/`.
    removes: Vec<String>,
}

impl Store {
    /// The store at `dist`; `work` is xtask's own folder.
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

    /// Finishes the change that an earlier run was killed in, if there is one. Call it under the
    /// lock, before anything is read.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub(crate) fn recover(&self) -> Result<bool, StoreError> {
        let Some(text) = read(&self.work, JOURNAL)? else {
            // Without a journal, what lies in staging was never promised to anyone.
            remove_folder(&self.staging())?;
            return Ok(false);
        };
        // It is written by rename, so it is whole or another version's. What it promises is not thrown away.
        let journal: Journal = serde_json::from_slice(&text).map_err(|error| {
            let reason = format!("it is no journal that this xtask knows: {error}");
            StoreError::not_safe(self.journal().as_str(), &reason)
        })?;
        self.carry_out(&journal)?;
        self.finish()?;
        Ok(true)
    }

    /// Reads the manifest; an empty one where there is none yet.
    ///
    /// # Errors
    /// When it is there and is not one of ours.
    pub(crate) fn manifest(&self) -> Result<Manifest, StoreError> {
        let path = self.dist.join(MANIFEST);
        let Some(text) = read(&self.dist, MANIFEST)? else { return Ok(Manifest::default()) };
        Manifest::parse(&text).map_err(|reason| {
            StoreError::Manifest(
                UserError::new(format!("`{path}` is no manifest of ours: {reason}"))
                    .hint("move `dist/` out of the way and build again"),
            )
        })
    }

    /// The contents of a report or list in `dist/`; `None` where it is not there.
    ///
    /// # Errors
    /// When something else is in its place, or it cannot be read.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.dist, path)
    }

    /// Whether the file of `entry` is in `dist/` with the size and hash that the manifest says.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        place(&self.dist, &entry.path) == Place::File(entry.size)
            && files::sha256(&self.dist.join(&entry.path)).is_ok_and(|hash| hash == entry.sha256)
    }

    /// Carries out `change` in the target's `folder`: new files in, replaced ones out, checksums
    /// and manifest rewritten. Call it under the lock.
    ///
    /// # Errors
    /// When a file cannot be written or moved; the next [`Self::recover`] finishes what was begun.
    pub(crate) fn commit(&self, folder: &str, change: &Change) -> Result<(), StoreError> {
        self.commit_all(&[(folder, change)])
    }

    /// Changes what the manifest says of the wheel at `path`, as built for `interpreter`. Call it under the lock.
    ///
    /// # Errors
    /// When the manifest cannot be read or written.
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

    /// Carries out the changes of several folders as one: all of them happen, or none.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(crate) fn commit_all(&self, changes: &[(&str, &Change)]) -> Result<(), StoreError> {
        // A change that failed half way comes first, or its files would be in no manifest.
        self.recover()?;
        let staging = self.staging();
        let mut manifest = self.manifest()?;
        // What someone took out of `dist/` is no longer promised by checksums and manifest.
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
        // From this rename on the change happens, whatever becomes of this process.
        fs_err::rename(draft, self.journal())?;
        sync_folder(&self.work)?;
        self.carry_out(&journal)?;
        self.finish()
    }

    /// Lays the files of one folder ready and notes what is to become of them.
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
        // A wheel's documents go with it; one that comes again brings its own, or keeps what it has.
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
            if change.judged.get(name).is_some_and(|judged| *judged != wheel.sha256) {
                let message = format!(
                    "`{}` changed while it was judged; nothing was taken",
                    shown(file.as_str())
                );
                return Err(StoreError::Changed(
                    UserError::new(message).hint("run the command again when nothing writes there"),
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

    fn carry_out(&self, journal: &Journal) -> Result<(), StoreError> {
        let mut folders = BTreeSet::from([self.dist.clone()]);
        for path in &journal.moves {
            let (from, to) = (inside(&self.staging(), path)?, inside(&self.dist, path)?);
            // A file that is no longer in staging was moved before the kill.
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
        // The journal goes only when what it promises is durable.
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

/// The contents of `SHA256SUMS` for one folder, in the form that `sha256sum -c` reads.
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

/// A list of ours below `root`, without following a link or waiting for a FIFO.
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

/// Makes the names in a folder durable, where its file system can.
fn sync_folder(path: &Utf8Path) -> std::io::Result<()> {
    match fs_err::File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

/// `path` below `root`, where nothing on the way to it is a link. What is there itself may be anything
/// but a folder: it is replaced or removed, never opened.
fn inside(root: &Utf8Path, path: &str) -> Result<Utf8PathBuf, StoreError> {
    let refused = |reason: &str| Err(StoreError::not_safe(path, reason));
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if matches!(name, "" | "." | "..") || path.starts_with('/') {
        return refused("it is no name of a file");
    }
    match place(root, folder) {
        Place::Folder | Place::Missing => Ok(root.join(path)),
        Place::File(_) => refused("a file is in its folder's place"),
        Place::Unsafe(reason) => refused(&reason),
    }
}

/// Renames; where `dist/` is another file system, copies beside the place first, so that the name
/// itself still appears in one step.
fn move_file(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    match fs_err::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let draft = to.with_file_name(format!(".{}.part", to.file_name().unwrap_or_default()));
            // A copy would follow a link of this name.
            let _ = fs_err::remove_file(&draft);
            let copied = fs_err::copy(from, &draft).and_then(|_| {
                fs_err::File::open(&draft)?.sync_all()?;
                fs_err::rename(&draft, to)
            });
            if copied.is_err() {
                // Half a file would only take more of what a full disk has too little of.
                let _ = fs_err::remove_file(&draft);
            }
            copied?;
            fs_err::remove_file(from)
        }
        result => result,
    }
}
