//! Compares `dist/` with its manifest and checksums. The folder is not trusted: the check opens only files below it,
//! follows no link, and limits the size of lists.

mod documents;
mod proofs;
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use self::sums::Sums;
use super::manifest::{Entry, Kind, MANIFEST, Manifest};
use crate::files::{self, Place};

/// The checksum list in each target's folder.
const SUMS: &str = "SHA256SUMS";
/// Maximum number of problems.
const MAX_PROBLEMS: usize = 1000;

/// Known SHA-256 digests, by path.
pub type Known = BTreeMap<Utf8PathBuf, String>;

/// A difference between a folder and its lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistProblem {
    /// The kind of problem.
    pub fault: DistFault,
    /// The path in the list, relative to the folder.
    pub path: String,
    /// The message.
    pub message: String,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DistFault {
    /// The manifest is missing, damaged, or has an unknown version.
    Manifest,
    /// The manifest lists a file twice.
    ListedTwice,
    /// A listed file is missing.
    Missing,
    /// A file of a checksum list without a manifest is missing. The list may cover more files than were downloaded.
    Absent,
    /// The digest of a file differs from the list.
    Hash,
    /// The size of a file differs from the list.
    Size,
    /// A wheel is not listed.
    Unlisted,
    /// A wheel has no checksum, in a folder without a manifest.
    Unproved,
    /// A path is outside of the folder, contains a link, or is not a file.
    Unsafe,
    /// The checksum list, or a line of it, is unreadable.
    Sums,
    /// The checksums differ from the manifest.
    SumsDisagree,
    /// `audit.json`, `build-info.json` or a document of a wheel is missing.
    ProofMissing,
    /// One of these files is unreadable.
    ProofUnreadable,
    /// One of these files describes other wheels, another build, or failed wheels.
    ProofDisagrees,
    /// A wheel was built or tested with other inputs than those of the lock file.
    Unlocked,
}

/// Compares the lists in `folder` with its files. `folder` is a `dist/` with a manifest, or any folder with checksums
/// in it or one level below. Uses the digests in `known`.
pub fn check(folder: &Utf8Path, known: &Known) -> Vec<DistProblem> {
    let mut checker =
        Checker { root: folder, known, digests: BTreeMap::new(), problems: Vec::new() };
    match checker.manifest() {
        Some(manifest) => checker.with_manifest(&manifest),
        None => checker.without_manifest(),
    }
    checker.problems
}

struct Checker<'a> {
    root: &'a Utf8Path,
    known: &'a Known,
    /// A cache of digests, so that no file is read twice.
    digests: BTreeMap<Utf8PathBuf, Result<String, String>>,
    problems: Vec<DistProblem>,
}

impl Checker<'_> {
    fn found(&mut self, fault: DistFault, path: &str, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let message = message.into();
            self.problems.push(DistProblem { fault, path: path.to_owned(), message });
        }
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn manifest(&mut self) -> Option<Manifest> {
        let bytes = match files::list(self.root, MANIFEST)? {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.found(DistFault::Manifest, MANIFEST, reason);
                return None;
            }
        };
        match Manifest::parse(&bytes) {
            Ok(manifest) => Some(manifest),
            Err(reason) => {
                let reason = format!("is not a manifest of this tool: {reason}");
                self.found(DistFault::Manifest, MANIFEST, reason);
                None
            }
        }
    }

    fn with_manifest(&mut self, manifest: &Manifest) {
        let mut listed = BTreeSet::new();
        for entry in &manifest.files {
            if self.is_full() {
                return;
            }
            if listed.insert(entry.path.as_str()) {
                self.compare(entry);
            } else {
                self.found(DistFault::ListedTwice, &entry.path, "the manifest lists it twice");
            }
        }
        self.unlisted(&listed);
        let mut folders: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &manifest.files {
            if let Some((folder, _)) = entry.path.rsplit_once('/') {
                folders.entry(folder).or_default().push(entry);
            }
        }
        for (folder, entries) in folders {
            // Unsafe paths were reported before.
            if matches!(files::place(self.root, folder), Place::Folder) {
                self.sums_of(folder, &entries);
                self.proofs_of(folder, &entries);
            }
        }
    }

    /// Compares an entry with its file.
    fn compare(&mut self, entry: &Entry) {
        if let Kind::Wheel { verdict, .. } = &entry.kind
            && verdict != "pass"
        {
            let message = format!("has the verdict `{}` in the manifest", verdict.escape_debug());
            self.found(DistFault::ProofDisagrees, &entry.path, message);
        }
        let size = match files::place(self.root, &entry.path) {
            Place::File(size) => size,
            Place::Missing => {
                return self.found(
                    DistFault::Missing,
                    &entry.path,
                    "the manifest lists it, but it is missing",
                );
            }
            Place::Folder => return self.found(DistFault::Unsafe, &entry.path, "is a folder"),
            Place::Unsafe(reason) => return self.found(DistFault::Unsafe, &entry.path, reason),
        };
        if size != entry.size {
            let message = format!("has {size} bytes, but {} in the manifest", entry.size);
            return self.found(DistFault::Size, &entry.path, message);
        }
        match self.digest(&entry.path) {
            Ok(hash) if hash == entry.sha256 => {}
            Ok(hash) => {
                let listed = entry.sha256.escape_debug();
                let message = format!("has the SHA-256 {hash}, but {listed} in the manifest");
                self.found(DistFault::Hash, &entry.path, message);
            }
            Err(reason) => self.found(DistFault::Missing, &entry.path, reason),
        }
    }

    /// The SHA-256 of a file with a safe path.
    fn digest(&mut self, path: &str) -> Result<String, String> {
        let path = self.root.join(path);
        if let Some(hash) = self.known.get(&path) {
            return Ok(hash.clone());
        }
        let read = || files::sha256(&path).map_err(|error| error.to_string());
        self.digests.entry(path.clone()).or_insert_with(read).clone()
    }

    /// Reports wheels that the manifest does not list.
    fn unlisted(&mut self, listed: &BTreeSet<&str>) {
        for entry in WalkDir::new(self.root).sort_by_file_name().into_iter().flatten() {
            let path = Utf8Path::from_path(entry.path());
            let Some(path) = path.and_then(|path| path.strip_prefix(self.root).ok()) else {
                continue;
            };
            if files::is_wheel(path.as_str()) && !listed.contains(path.as_str()) {
                self.found(DistFault::Unlisted, path.as_str(), "the manifest does not list it");
            }
        }
    }

    fn without_manifest(&mut self) {
        let mut folders = vec![String::new()];
        folders.extend(files::folders(self.root));
        for folder in folders {
            let has = |name: &str| files::exists(&self.root.join(&folder).join(name));
            if !has(SUMS) {
                self.documents_without_manifest(&folder, &Sums::new());
                continue;
            }
            let is_ours = has("build-info.json") && has("audit.json");
            let sums = self.sums_without_manifest(&folder, is_ours);
            self.documents_without_manifest(&folder, &sums);
            if is_ours && !folder.is_empty() && !files::exists(&self.root.join(MANIFEST)) {
                let message = format!("missing, although `{folder}` comes from this tool");
                self.found(DistFault::Manifest, MANIFEST, message);
            }
            if is_ours {
                self.audits(&folder, &sums);
            }
        }
    }
}

#[cfg(test)]
mod tests;
