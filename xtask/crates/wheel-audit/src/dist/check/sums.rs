//! `SHA256SUMS`, in the form that `sha256sum -c` reads.

use std::collections::BTreeMap;

use super::{Checker, DistFault, SUMS};
use crate::dist::manifest::Entry;
use crate::files::{self, Place};

/// SHA-256 by the name of the file.
pub(super) type Sums = BTreeMap<String, String>;

/// One line: 64 hexadecimal digits, a space, a space or an asterisk, the name.
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
    /// Reads the checksums of a folder; what is wrong with their form is told.
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
                    format!("line {number} gives `{}` a second checksum", name.escape_debug());
                self.found(DistFault::Sums, &path, message);
            }
            sums.insert(name.to_owned(), hash);
            if self.is_full() {
                break;
            }
        }
        Some(sums)
    }

    /// The checksums of a folder against the manifest's lines for it.
    pub(super) fn sums_of(&mut self, folder: &str, entries: &[&Entry]) {
        let path = below(folder, SUMS);
        let Some(sums) = self.sums(folder) else {
            // Listed and gone has been told already.
            if !entries.iter().any(|entry| entry.path == path) {
                self.found(
                    DistFault::Missing,
                    &path,
                    "each folder of wheels has one, and this has not",
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
                None => "has no checksum there, and is in the manifest",
                Some(sum) if sum != *hash => "has another checksum there than in the manifest",
                Some(_) => continue,
            };
            let message = format!("`{}` {message}", name.escape_debug());
            self.found(DistFault::SumsDisagree, &path, message);
        }
        for (name, hash) in &sums {
            if !listed.contains_key(name.as_str()) {
                let message = format!(
                    "`{}` has a checksum there, and is not in the manifest",
                    name.escape_debug()
                );
                self.found(DistFault::SumsDisagree, &path, message);
                self.summed(folder, name, hash, true);
            }
        }
    }

    /// The checksums of a folder that no manifest speaks of, against its files.
    pub(super) fn sums_alone(&mut self, folder: &str, is_ours: bool) -> Sums {
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
        // A name that begins anew at the root is not below the folder, whatever it is joined to.
        let place = if name.starts_with('/') {
            files::place(self.root, "..")
        } else {
            files::place(self.root, &path)
        };
        match place {
            Place::File(_) => {}
            Place::Missing => {
                let fault = if is_ours { DistFault::Missing } else { DistFault::Absent };
                return self.found(fault, &path, "it has a checksum, and is not there");
            }
            Place::Folder => return self.found(DistFault::Unsafe, &path, "it is a folder"),
            Place::Unsafe(reason) => return self.found(DistFault::Unsafe, &path, reason),
        }
        match self.digest(&path) {
            Ok(found) if found == hash => {}
            Ok(found) => {
                let message = format!("its SHA-256 is {found}, and {hash} in `{SUMS}`");
                self.found(DistFault::Hash, &path, message);
            }
            Err(reason) => self.found(DistFault::Missing, &path, reason),
        }
    }
}
