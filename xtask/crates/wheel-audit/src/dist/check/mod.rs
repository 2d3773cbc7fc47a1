//! Is `dist/` still what its manifest and checksums say? For folders that anyone may have changed:
//! nothing outside of the folder is opened, no link is followed, and lists are read up to a limit.

mod documents;
mod proofs;
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use self::sums::Sums;
use super::manifest::{Entry, Kind, MANIFEST, Manifest};
use crate::files::{self, Place};

/// The list of checksums in each target's folder.
const SUMS: &str = "SHA256SUMS";
/// After so many problems no more are looked for.
const MAX_PROBLEMS: usize = 1000;

/// SHA-256 of files that have been read already, by path.
pub type Known = BTreeMap<Utf8PathBuf, String>;

/// Something about a folder that is not as its lists say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistProblem {
    /// What sort of thing.
    pub fault: DistFault,
    /// Relative to the folder, as the list has it.
    pub path: String,
    /// What is wrong, in words.
    pub message: String,
}

/// What can be wrong with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DistFault {
    /// The manifest is missing, damaged, or of a version that is not known.
    Manifest,
    /// The manifest lists a file twice.
    ListedTwice,
    /// A listed file is not there.
    Missing,
    /// A file listed by checksums alone, which may cover more than was fetched, is not there.
    Absent,
    /// A file has other bytes than listed.
    Hash,
    /// A file has another size than listed.
    Size,
    /// A wheel is in no list.
    Unlisted,
    /// A wheel is not among the checksums beside it, and there is no manifest.
    Unproved,
    /// A path leaves the folder, or leads through a link or to what is no file.
    Unsafe,
    /// The checksums, or a line of them, cannot be read.
    Sums,
    /// The checksums are not those of the manifest.
    SumsDisagree,
    /// `audit.json`, `build-info.json` or a document of a wheel is not there.
    ProofMissing,
    /// It cannot be read.
    ProofUnreadable,
    /// It describes other wheels or another build, or wheels that failed.
    ProofDisagrees,
    /// A wheel was built or tested with other things than the lock file has.
    Unlocked,
}

/// Compares the lists in `folder` with its files: a `dist/` with a manifest, or any folder with
/// checksums in it or one level below. What `known` has is not read again.
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
    /// What was read so far; no file is read twice, however often it is listed.
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
                let reason = format!("it is not a manifest of this tool: {reason}");
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
                self.found(DistFault::ListedTwice, &entry.path, "the manifest has it twice");
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
            // Where the path itself is at fault, that has been told.
            if matches!(files::place(self.root, folder), Place::Folder) {
                self.sums_of(folder, &entries);
                self.proofs_of(folder, &entries);
            }
        }
    }

    /// The file of an entry, against what the entry says.
    fn compare(&mut self, entry: &Entry) {
        if let Kind::Wheel { verdict, .. } = &entry.kind
            && verdict != "pass"
        {
            let message = format!("the manifest gives it the verdict `{}`", verdict.escape_debug());
            self.found(DistFault::ProofDisagrees, &entry.path, message);
        }
        let size = match files::place(self.root, &entry.path) {
            Place::File(size) => size,
            Place::Missing => {
                return self.found(
                    DistFault::Missing,
                    &entry.path,
                    "the manifest lists it, and it is not there",
                );
            }
            Place::Folder => return self.found(DistFault::Unsafe, &entry.path, "it is a folder"),
            Place::Unsafe(reason) => return self.found(DistFault::Unsafe, &entry.path, reason),
        };
        if size != entry.size {
            let message = format!("it has {size} bytes, and {} in the manifest", entry.size);
            return self.found(DistFault::Size, &entry.path, message);
        }
        match self.digest(&entry.path) {
            Ok(hash) if hash == entry.sha256 => {}
            Ok(hash) => {
                let listed = entry.sha256.escape_debug();
                let message = format!("its SHA-256 is {hash}, and {listed} in the manifest");
                self.found(DistFault::Hash, &entry.path, message);
            }
            Err(reason) => self.found(DistFault::Missing, &entry.path, reason),
        }
    }

    /// SHA-256 of a file whose path has been found safe.
    fn digest(&mut self, path: &str) -> Result<String, String> {
        let path = self.root.join(path);
        if let Some(hash) = self.known.get(&path) {
            return Ok(hash.clone());
        }
        let read = || files::sha256(&path).map_err(|error| error.to_string());
        self.digests.entry(path.clone()).or_insert_with(read).clone()
    }

    /// Wheels that the manifest does not know.
    fn unlisted(&mut self, listed: &BTreeSet<&str>) {
        for entry in WalkDir::new(self.root).sort_by_file_name().into_iter().flatten() {
            let path = Utf8Path::from_path(entry.path());
            let Some(path) = path.and_then(|path| path.strip_prefix(self.root).ok()) else {
                continue;
            };
            if files::is_wheel(path.as_str()) && !listed.contains(path.as_str()) {
                self.found(DistFault::Unlisted, path.as_str(), "no line of the manifest is for it");
            }
        }
    }

    fn without_manifest(&mut self) {
        let mut folders = vec![String::new()];
        folders.extend(files::folders(self.root));
        for folder in folders {
            let has = |name: &str| files::exists(&self.root.join(&folder).join(name));
            if !has(SUMS) {
                self.documents_alone(&folder, &Sums::new());
                continue;
            }
            let is_ours = has("build-info.json") && has("audit.json");
            let sums = self.sums_alone(&folder, is_ours);
            self.documents_alone(&folder, &sums);
            if is_ours && !folder.is_empty() && !files::exists(&self.root.join(MANIFEST)) {
                let message = format!("`{folder}` is of a run of ours, and there is no manifest");
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
