//! How files enter and leave `dist/`.

use std::fmt::Write as _;
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::manifest::{Entry, Kind, MANIFEST, Manifest};
use crate::digest;

/// What `dist/` and its manifest could not do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file could not be read, written or moved.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The manifest is not one of ours.
    #[error(
        "`{path}` is no manifest of ours: {reason}\n\n\
         hint: move `dist/` out of the way and build again"
    )]
    Manifest {
        /// The manifest.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// `dist/` and the folder in which changes to it are prepared.
#[derive(Debug, Clone)]
pub struct Store {
    dist: Utf8PathBuf,
    work: Utf8PathBuf,
}

/// A change to one target's folder: carried out whole or not at all.
#[derive(Debug, Default)]
pub struct Change {
    /// Files to be moved in: where each lies now, and what it is. The name is kept.
    pub files: Vec<(Utf8PathBuf, Kind)>,
    /// Metadata to be written: name and contents.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// Names in the folder that give way to the new files.
    pub replaced: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Journal {
    moves: Vec<(Utf8PathBuf, Utf8PathBuf)>,
    removes: Vec<Utf8PathBuf>,
}

impl Store {
    /// The store at `dist`; `work` is xtask's own folder.
    pub fn new(dist: &Utf8Path, work: &Utf8Path) -> Self {
        Self { dist: dist.to_owned(), work: work.to_owned() }
    }

    /// `dist/` itself.
    pub fn dist(&self) -> &Utf8Path {
        &self.dist
    }

    fn journal(&self) -> Utf8PathBuf {
        self.work.join("journal.json")
    }

    fn staging(&self) -> Utf8PathBuf {
        self.work.join("commit")
    }

    /// Finishes the change that an earlier run was killed in, if there is one. Call it under the
    /// lock, before anything is read.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub fn recover(&self) -> Result<bool, StoreError> {
        let Ok(text) = fs_err::read(self.journal()) else {
            // Without a journal, what lies in staging was never promised to anyone.
            remove_folder(&self.staging())?;
            return Ok(false);
        };
        // The journal is written by rename, so one that cannot be read is not ours to follow.
        if let Ok(journal) = serde_json::from_slice::<Journal>(&text) {
            carry_out(&journal)?;
        }
        self.finish()?;
        Ok(true)
    }

    /// Reads the manifest; an empty one where there is none yet.
    ///
    /// # Errors
    /// When it is there and is not one of ours.
    pub fn manifest(&self) -> Result<Manifest, StoreError> {
        let path = self.dist.join(MANIFEST);
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Manifest::default());
            }
            Err(error) => return Err(error.into()),
        };
        Manifest::parse(&text).map_err(|reason| StoreError::Manifest { path, reason })
    }

    /// Whether the file of `entry` is in `dist/` with the size and hash that the manifest says.
    pub fn holds(&self, entry: &Entry) -> bool {
        let path = self.dist.join(&entry.path);
        let size = fs_err::metadata(&path).map(|meta| meta.len()).ok();
        size == Some(entry.size) && digest::of_file(&path).is_ok_and(|hash| hash == entry.sha256)
    }

    /// Carries out `change` in the target's `folder`: new files in, replaced ones out, checksums
    /// and manifest rewritten. Call it under the lock.
    ///
    /// # Errors
    /// When a file cannot be written or moved; the next [`Self::recover`] finishes what was begun.
    pub fn commit(&self, folder: &str, change: &Change) -> Result<(), StoreError> {
        self.commit_all(&[(folder, change)])
    }

    /// Carries out the changes of several folders as one: all of them happen, or none.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_all(&self, changes: &[(&str, &Change)]) -> Result<(), StoreError> {
        // A change that failed half way comes first, or its files would be in no manifest.
        if self.journal().exists() {
            self.recover()?;
        }
        let staging = self.staging();
        remove_folder(&staging)?;
        let mut manifest = self.manifest()?;
        // What someone took out of `dist/` is no longer promised by checksums and manifest.
        manifest.files.retain(|entry| self.dist.join(&entry.path).exists());
        let mut journal = Journal { moves: Vec::new(), removes: Vec::new() };
        for (folder, change) in changes {
            self.stage(folder, change, &mut manifest, &mut journal)?;
        }
        fs_err::create_dir_all(&staging)?;
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        text.push(b'\n');
        let staged = write_synced(&staging.join(MANIFEST), &text)?;
        journal.moves.push((staged, self.dist.join(MANIFEST)));
        let text = serde_json::to_vec(&journal).map_err(std::io::Error::from)?;
        let draft = write_synced(&self.work.join("journal.draft"), &text)?;
        // From this rename on the change happens, whatever becomes of this process.
        fs_err::rename(draft, self.journal())?;
        carry_out(&journal)?;
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
        let (staging, home) = (self.staging().join(folder), self.dist.join(folder));
        fs_err::create_dir_all(&staging)?;
        let below = |name: &str| format!("{folder}/{name}");
        manifest.files.retain(|entry| !change.replaced.iter().any(|n| below(n) == entry.path));
        let mut names = vec!["SHA256SUMS"];
        for (file, kind) in &change.files {
            let name = file.file_name().unwrap_or_default();
            let staged = staging.join(name);
            fs_err::copy(file, &staged)?;
            fs_err::File::open(&staged)?.sync_all()?;
            let new = entry(&below(name), &staged, kind.clone())?;
            manifest.take_over(folder, &new);
            manifest.put(new);
            journal.moves.push((staged, home.join(name)));
            names.push(name);
        }
        for (name, bytes) in &change.metadata {
            let staged = write_synced(&staging.join(name), bytes)?;
            manifest.put(entry(&below(name), &staged, Kind::Metadata)?);
            journal.moves.push((staged, home.join(name)));
            names.push(name);
        }
        let sums = write_synced(&staging.join("SHA256SUMS"), &checksums(manifest, folder))?;
        manifest.put(entry(&below("SHA256SUMS"), &sums, Kind::Metadata)?);
        journal.moves.push((sums, home.join("SHA256SUMS")));
        let replaced = change.replaced.iter().filter(|name| !names.contains(&name.as_str()));
        journal.removes.extend(replaced.map(|name| home.join(name)));
        Ok(())
    }

    fn finish(&self) -> Result<(), StoreError> {
        fs_err::remove_file(self.journal())?;
        remove_folder(&self.staging())
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
    Ok(Entry { path: path.to_owned(), sha256: digest::of_file(file)?, size, kind })
}

fn write_synced(path: &Utf8Path, bytes: &[u8]) -> Result<Utf8PathBuf, StoreError> {
    let mut file = fs_err::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(path.to_owned())
}

fn carry_out(journal: &Journal) -> Result<(), StoreError> {
    for (from, to) in &journal.moves {
        // A file that is no longer in staging was moved before the kill.
        if !from.exists() {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs_err::create_dir_all(folder)?;
        }
        move_file(from, to)?;
    }
    for path in &journal.removes {
        match fs_err::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Renames; where `dist/` is another file system, copies beside the place first, so that the name
/// itself still appears in one step.
fn move_file(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    match fs_err::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            let draft = to.with_file_name(format!(".{}.part", to.file_name().unwrap_or_default()));
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

fn remove_folder(path: &Utf8Path) -> Result<(), StoreError> {
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
