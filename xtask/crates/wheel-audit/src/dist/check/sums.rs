//! Checks `SHA256SUMS`, in the format of `sha256sum -c`.

use std::collections::BTreeMap;

use super::{Checker, DistFault, SUMS};
use crate::dist::manifest::Entry;
use crate::files::{self, Place};

/// SHA-256 digests by file name.
pub(super) type Sums = BTreeMap<String, String>;

/// Parses a line: 64 hexadecimal digits, a space, a space or an asterisk, the name.
fn line(text: &str) -> Option<(&str, &str)> {
    let (hash, rest) = text.split_at_checked(64)?;
    let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?;
    let is_hex = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && !name.is_empty()).then_some((hash, name))
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

impl Checker<'_> {
    /// Reads the checksums of a folder, and reports malformed lines.
    fn sums(&mut self, folder: &str) -> Option<Sums> {
        let path = below(folder, SUMS);
        let text = match files::list(self.root, &path)? {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(reason) => {
                self.found(DistFault::Sums, &path, reason);
                return Some(Sums::new());
            }
        };
        let mut sums = Sums::new();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.is_empty()) {
            let number = index + 1;
            let Some((hash, name)) = line(text) else {
                self.found(
                    DistFault::Sums,
                    &path,
                    format!("line {number} is not a checksum and a name"),
                );
                continue;
            };
            let hash = hash.to_ascii_lowercase();
            if sums.get(name).is_some_and(|other| *other != hash) {
                let message =
                    format!("line {number} has a second checksum for `{}`", name.escape_debug());
                self.found(DistFault::Sums, &path, message);
            }
            sums.insert(name.to_owned(), hash);
            if self.is_full() {
                break;
            }
        }
        Some(sums)
    }

    /// Compares the checksums of a folder with the manifest.
    pub(super) fn sums_of(&mut self, folder: &str, entries: &[&Entry]) {
        let path = below(folder, SUMS);
        let Some(sums) = self.sums(folder) else {
            // A listed file that is missing was reported before.
            if !entries.iter().any(|entry| entry.path == path) {
                self.found(
                    DistFault::Missing,
                    &path,
                    "missing, although the folder contains wheels",
                );
            }
            return;
        };
        let mut listed = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.path != path) {
            listed.insert(entry.path.rsplit('/').next().unwrap_or_default(), &entry.sha256);
        }
        for (name, hash) in &listed {
            let message = match sums.get(*name) {
                None => "is in the manifest, but has no checksum",
                Some(sum) if sum != *hash => "has another checksum than in the manifest",
                Some(_) => continue,
            };
            let message = format!("`{}` {message}", name.escape_debug());
            self.found(DistFault::SumsDisagree, &path, message);
        }
        for (name, hash) in &sums {
            if !listed.contains_key(name.as_str()) {
                let message =
                    format!("`{}` has a checksum, but is not in the manifest", name.escape_debug());
                self.found(DistFault::SumsDisagree, &path, message);
                self.summed(folder, name, hash, true);
            }
        }
    }

    /// Compares the checksums of a folder without a manifest with its files.
    pub(super) fn sums_without_manifest(&mut self, folder: &str, is_ours: bool) -> Sums {
        let sums = self.sums(folder).unwrap_or_default();
        for (name, hash) in &sums {
            if self.is_full() {
                break;
            }
            self.summed(folder, name, hash, is_ours);
        }
        let wheels = std::fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let wheels = wheels.filter_map(|entry| entry.file_name().into_string().ok());
        let mut wheels: Vec<_> = wheels.filter(|name| files::is_wheel(name)).collect();
        wheels.sort();
        for name in wheels.iter().filter(|name| !sums.contains_key(*name)) {
            let message = format!("`{}` has no line for it", below(folder, SUMS));
            self.found(DistFault::Unproved, &below(folder, name), message);
        }
        sums
    }

    fn summed(&mut self, folder: &str, name: &str, hash: &str, is_ours: bool) {
        let path = below(folder, name);
        // An absolute name would replace the folder when joined.
        let place = if name.starts_with('/') {
            files::place(self.root, "..")
        } else {
            files::place(self.root, &path)
        };
        match place {
            Place::File(_) => {}
            Place::Missing => {
                let fault = if is_ours { DistFault::Missing } else { DistFault::Absent };
                return self.found(fault, &path, "has a checksum, but is missing");
            }
            Place::Folder => return self.found(DistFault::Unsafe, &path, "is a folder"),
            Place::Unsafe(reason) => return self.found(DistFault::Unsafe, &path, reason),
        }
        match self.digest(&path) {
            Ok(found) if found == hash => {}
            Ok(found) => {
                let message = format!("has the SHA-256 {found}, but {hash} in `{SUMS}`");
                self.found(DistFault::Hash, &path, message);
            }
            Err(reason) => self.found(DistFault::Missing, &path, reason),
        }
    }
}
