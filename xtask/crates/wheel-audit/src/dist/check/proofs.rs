//! Checks `audit.json` and `build-info.json` next to wheels.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::documents::Info;
use super::sums::Sums;
use super::{Checker, DistFault};
use crate::dist::manifest::{Entry, Kind};
use crate::files;

const AUDIT: &str = "audit.json";
const INFO: &str = "build-info.json";
const SCHEMA_VERSION: u32 = 1;

/// The used part of `audit.json`.
#[derive(Deserialize)]
struct Audits {
    schema_version: u32,
    wheels: Vec<Audited>,
}

#[derive(Deserialize)]
struct Audited {
    file: String,
    sha256: Option<String>,
    verdict: String,
}

impl Checker<'_> {
    /// Compares both files of a folder with the manifest's wheels in it.
    pub(super) fn proofs_of(&mut self, folder: &str, entries: &[&Entry]) {
        let wheels: Sums = entries
            .iter()
            .filter(|entry| matches!(entry.kind, Kind::Wheel { .. }))
            .map(|entry| {
                let name = entry.path.rsplit('/').next().unwrap_or_default();
                (name.to_owned(), entry.sha256.clone())
            })
            .collect();
        if wheels.is_empty() {
            return;
        }
        self.audits(folder, &wheels);
        let info = self.proof::<Info>(folder, INFO);
        self.documents_of(entries, info.as_ref());
        let Some(info) = info else { return };
        let other = |entry: &&&Entry| match &entry.kind {
            Kind::Wheel { target, platform, .. } => {
                *target != info.target || *platform != info.platform
            }
            Kind::Metadata => false,
        };
        if let Some(entry) = entries.iter().find(other) {
            let name = entry.path.rsplit('/').next().unwrap_or_default().escape_debug();
            let message = format!(
                "describes `{}` on {}, but the manifest lists `{name}` for another target",
                info.target.escape_debug(),
                info.platform.escape_debug()
            );
            self.found(DistFault::ProofDisagrees, &format!("{folder}/{INFO}"), message);
        }
    }

    /// Compares `audit.json` with the wheels and their checksums.
    pub(super) fn audits(&mut self, folder: &str, wheels: &Sums) {
        let Some(audits) = self.proof::<Audits>(folder, AUDIT) else { return };
        let path = if folder.is_empty() { AUDIT.to_owned() } else { format!("{folder}/{AUDIT}") };
        if audits.schema_version != SCHEMA_VERSION {
            let message = format!(
                "has schema version {}, but this tool supports {SCHEMA_VERSION}",
                audits.schema_version
            );
            return self.found(DistFault::ProofUnreadable, &path, message);
        }
        let audits: BTreeMap<&str, &Audited> =
            audits.wheels.iter().map(|audited| (audited.file.as_str(), audited)).collect();
        for (name, hash) in wheels.iter().filter(|(name, _)| files::is_wheel(name)) {
            let message = match audits.get(name.as_str()) {
                None => "was not audited".to_owned(),
                Some(audited) if audited.sha256.as_ref() != Some(hash) => {
                    "was audited with other bytes".to_owned()
                }
                Some(audited) if audited.verdict != "pass" => {
                    format!("has the verdict `{}`", audited.verdict.escape_debug())
                }
                Some(_) => continue,
            };
            let message = format!("`{}` {message}", name.escape_debug());
            self.found(DistFault::ProofDisagrees, &path, message);
        }
    }

    fn proof<T: for<'a> Deserialize<'a>>(&mut self, folder: &str, name: &str) -> Option<T> {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let bytes = match files::list(self.root, &path) {
            Some(Ok(bytes)) => bytes,
            Some(Err(reason)) => {
                self.found(DistFault::ProofUnreadable, &path, reason);
                return None;
            }
            None => {
                self.found(DistFault::ProofMissing, &path, "missing next to the wheels");
                return None;
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(proof) => Some(proof),
            Err(error) => {
                self.found(DistFault::ProofUnreadable, &path, error.to_string());
                None
            }
        }
    }
}
