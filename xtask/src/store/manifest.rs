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
        /// `pass`: nothing else is let in.
        verdict: String,
        /// The interpreters it was built for: several share one abi3 or pure wheel.
        builds: Vec<WheelBuild>,
        /// glibc (or musl) that its symbols need, or `none`.
        floor: String,
    },
    /// Build information, audit, checksums.
    Metadata,
}

/// One interpreter's build of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelBuild {
    /// Interpreter tag.
    pub interpreter: String,
    /// Key of the job that made it.
    pub job: String,
    /// The base image that it was made in; without it, it counts as made in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseUsed>,
    /// What the smoke test with this interpreter said.
    pub smoke: Smoke,
    /// Whether another machine's manifest says so, and nothing here has checked it (`collect`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// The base image that a wheel was really made in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseUsed {
    /// Its digest.
    pub digest: String,
    /// Where it came from, in the words of `build-info.json`.
    pub origin: String,
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

impl Entry {
    /// The build of one interpreter, where this is its wheel.
    pub fn build(&self, interpreter: &str) -> Option<&WheelBuild> {
        self.builds().iter().find(|build| build.interpreter == interpreter)
    }

    /// The interpreters that this wheel was built for; none where it is no wheel.
    pub fn builds(&self) -> &[WheelBuild] {
        match &self.kind {
            Kind::Wheel { builds, .. } => builds,
            Kind::Metadata => &[],
        }
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Why it is not one of ours, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match manifest.schema_version {
            SCHEMA_VERSION => {
                // `put` relies on the order.
                manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
                Ok(manifest)
            }
            found => Err(format!("schema version {found}, this xtask knows {SCHEMA_VERSION}")),
        }
    }

    /// The wheel of one target, platform and interpreter.
    pub fn wheel(&self, target: &str, platform: &str, interpreter: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| match &entry.kind {
            Kind::Wheel { target: t, platform: p, .. } => {
                t == target && p == platform && entry.build(interpreter).is_some()
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

    /// Takes the interpreters of `new` away from the other wheels of its folder.
    pub(super) fn take_over(&mut self, folder: &str, new: &Entry) {
        let below = format!("{folder}/");
        for other in self.files.iter_mut().filter(|other| other.path.starts_with(&below)) {
            if let Kind::Wheel { builds, .. } = &mut other.kind {
                builds.retain(|build| new.build(&build.interpreter).is_none());
            }
        }
    }

    /// Puts `entry` in the place of the one with its path, or adds it; keeps the order.
    pub(super) fn put(&mut self, entry: Entry) {
        match self.files.binary_search_by(|other| other.path.cmp(&entry.path)) {
            Ok(index) => self.files[index] = entry,
            Err(index) => self.files.insert(index, entry),
        }
    }
}
