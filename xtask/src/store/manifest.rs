//! `dist/manifest.json`: every file of every target once.

use serde::{Deserialize, Serialize};

/// Version of the manifest's shape.
pub const SCHEMA_VERSION: u32 = 1;
/// Its name in `dist/`.
pub const MANIFEST: &str = "manifest.json";

/// What `dist/` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this shape.
    pub schema_version: u32,
    /// The files, sorted by path.
    pub files: Vec<Entry>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, files: Vec::new() }
    }
}

/// One file of `dist/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to `dist/`, with `/`.
    pub path: String,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What a file of `dist/` is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// A wheel.
    Wheel {
        /// Target name.
        target: String,
        /// Platform in the engine's words.
        platform: String,
        /// Interpreter tag.
        interpreter: String,
        /// Key of the job that made it.
        job: String,
        /// `pass`: nothing else is let in.
        verdict: String,
        /// What the smoke test said.
        smoke: Smoke,
        /// glibc (or musl) that its symbols need, or `none`.
        floor: String,
    },
    /// Build information, audit, checksums.
    Metadata,
}

/// Outcome of a wheel's smoke test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Smoke {
    /// Installed and ran in a clean container.
    Passed,
    /// Left out on request (`--no-smoke`).
    Skipped,
}

impl Manifest {
    /// The wheel of one target, platform and interpreter.
    pub fn wheel(&self, target: &str, platform: &str, interpreter: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| match &entry.kind {
            Kind::Wheel { target: t, platform: p, interpreter: i, .. } => {
                t == target && p == platform && i == interpreter
            }
            Kind::Metadata => false,
        })
    }

    /// The entries below one target's folder.
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.files.iter().filter(move |entry| {
            entry.path.split_once('/').is_some_and(|(first, _)| first == folder)
        })
    }

    /// Puts `entry` in the place of the one with its path, or adds it; keeps the order.
    pub(super) fn put(&mut self, entry: Entry) {
        self.files.retain(|other| other.path != entry.path);
        self.files.push(entry);
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
    }
}
