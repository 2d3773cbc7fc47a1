//! `dist/manifest.json`, which lists every file of every target once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the manifest's format.
pub const SCHEMA_VERSION: u32 = 1;
/// Its file name.
pub const MANIFEST: &str = "manifest.json";

/// The content of `dist/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub schema_version: u32,
    /// The files, sorted by path.
    pub files: Vec<Entry>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, files: Vec::new() }
    }
}

/// A file of `dist/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The path relative to `dist/`, with `/`.
    pub path: String,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// The kind.
    #[serde(flatten)]
    pub kind: Kind,
}

/// The kind of a file of `dist/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// A wheel.
    Wheel {
        /// Target name.
        target: String,
        /// The engine's name of the platform: `linux/amd64`.
        platform: String,
        /// Always `pass`.
        verdict: String,
        /// The builds, one per interpreter. Several interpreters share one abi3 or pure wheel.
        builds: Vec<WheelBuild>,
        /// The glibc (or musl) that its symbols need, or `none`.
        floor: String,
        /// The bundled libraries.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        grafted: Vec<Grafted>,
    },
    /// Build information, audit, checksums.
    Metadata,
}

/// A library that auditwheel bundled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grafted {
    /// Its name in `DT_NEEDED`: `libffi.so.8`.
    pub library: String,
    /// Its file in the wheel.
    pub file: String,
    /// The original file in the build container.
    pub from: String,
    /// The system package of that file. `None` for a library that the build compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The version of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl std::fmt::Display for Grafted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = match (&self.package, &self.version) {
            (Some(package), Some(version)) => format!("{package} {version}"),
            (Some(package), None) => package.clone(),
            (None, _) => self.from.clone(),
        };
        write!(f, "{} ({origin})", self.library)
    }
}

/// The build of a wheel for one interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelBuild {
    /// The interpreter tag.
    pub interpreter: String,
    /// The interpreter that built the wheel, if it is another one. This interpreter only tested the wheel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_by: Option<String>,
    /// The key of its job.
    pub job: String,
    /// The base image of the build. Without it, the wheel counts as built in another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseUsed>,
    /// The outcome of the smoke test with this interpreter.
    pub smoke: Smoke,
    /// The outcome of the package tests with this interpreter.
    #[serde(default, skip_serializing_if = "Tests::is_none")]
    pub tests: Tests,
    /// Result of `reproduce`.
    #[serde(default, skip_serializing_if = "Reproduced::is_unknown")]
    pub reproduced: Reproduced,
    /// True if the outcomes come from another machine's manifest, unverified (`collect`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// The base image of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseUsed {
    /// Its digest.
    pub digest: String,
    /// Its origin, as in `build-info.json`.
    pub origin: String,
}

/// Outcome of a wheel's smoke test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Smoke {
    /// Installed and ran in a clean container.
    Passed,
    /// Skipped (`--no-smoke`).
    Skipped,
}

impl Smoke {
    /// The outcome for tables, marked if it is only `claimed`.
    pub fn text(self, claimed: bool) -> String {
        let word = match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
        };
        if claimed { format!("{word} (claimed)") } else { word.to_owned() }
    }
}

/// The outcome of the package tests (`[test]`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tests {
    /// The package has no tests.
    #[default]
    None,
    /// Skipped (`[test] skip`, `--no-smoke`).
    Skipped,
    /// They passed in a clean container.
    Passed,
}

impl Tests {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The outcome for tables.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
        }
    }
}

/// Result of further builds in other circumstances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reproduced {
    /// Not built again.
    #[default]
    Unknown,
    /// Two further builds produced the same bytes.
    Identical,
    /// A further build produced other bytes.
    Different,
}

impl Reproduced {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl Entry {
    /// The build for an interpreter, if this is its wheel.
    pub fn build(&self, interpreter: &str) -> Option<&WheelBuild> {
        self.builds().iter().find(|build| build.interpreter == interpreter)
    }

    /// The builds of this wheel. Empty for other files.
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
    /// The reason why it is not a manifest of this tool.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match manifest.schema_version {
            SCHEMA_VERSION => {
                manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
                Ok(manifest)
            }
            found => {
                Err(format!("schema version {found}, but this tool supports {SCHEMA_VERSION}"))
            }
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

    /// Adds the entries of `new`, all of `folder`, or replaces those with the same paths. Removes their interpreters
    /// from the folder's other wheels.
    pub fn put(&mut self, folder: &str, new: Vec<Entry>) {
        let new: BTreeMap<String, Entry> =
            new.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for entry in new.values() {
            let builds = entry.builds().iter();
            owners.extend(builds.map(|build| (build.interpreter.clone(), entry.path.clone())));
        }
        self.files.retain(|entry| !new.contains_key(&entry.path));
        self.files.extend(new.into_values());
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let below = format!("{folder}/");
        for entry in self.files.iter_mut().filter(|entry| entry.path.starts_with(&below)) {
            let Entry { path, kind: Kind::Wheel { builds, .. }, .. } = entry else { continue };
            builds.retain(|build| owners.get(&build.interpreter).is_none_or(|owner| owner == path));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::{Duration, Instant};

    use super::*;

    fn wheel(path: &str, interpreters: &[String]) -> Entry {
        let build = |interpreter: &String| WheelBuild {
            interpreter: interpreter.clone(),
            built_by: None,
            job: "job".into(),
            base: None,
            smoke: Smoke::Passed,
            tests: Tests::None,
            reproduced: Reproduced::Unknown,
            claimed: false,
        };
        let kind = Kind::Wheel {
            target: "t".into(),
            platform: "linux/amd64".into(),
            verdict: "pass".into(),
            builds: interpreters.iter().map(build).collect(),
            floor: "none".into(),
            grafted: Vec::new(),
        };
        Entry { path: path.into(), sha256: "0".repeat(64), size: 1, kind }
    }

    /// `count` wheels of one folder, each for another interpreter.
    fn many(count: usize, version: &str) -> Vec<Entry> {
        let entry = |i| wheel(&format!("t/demo-{version}.{i}.whl"), &[format!("cp{i}")]);
        (0..count).map(entry).collect()
    }

    #[test]
    fn a_new_wheel_takes_its_interpreters_from_others_in_its_folder() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let mut manifest = Manifest::default();
        manifest.put("t", vec![wheel("t/b", &names(&["cp311", "cp312"]))]);
        manifest.put("u", vec![wheel("u/b", &names(&["cp311"]))]);
        manifest.put("t", vec![wheel("t/a", &names(&["cp312"]))]);
        let found = |entry: &Entry| {
            let builds = entry.builds().iter().map(|build| build.interpreter.clone());
            (entry.path.clone(), builds.collect::<Vec<_>>())
        };
        let expected = [("t/a", "cp312"), ("t/b", "cp311"), ("u/b", "cp311")];
        let expected = expected.map(|(path, it)| (path.to_owned(), vec![it.to_owned()]));
        assert_eq!(manifest.files.iter().map(found).collect::<Vec<_>>(), expected);
        manifest.put("t", vec![wheel("t/a", &names(&["cp313"]))]);
        assert_eq!(manifest.files.len(), 3);
        assert!(manifest.wheel("t", "linux/amd64", "cp312").is_none());
    }

    fn putting(count: usize) -> Duration {
        let mut manifest = Manifest::default();
        manifest.put("t", many(count, "1"));
        let new = many(count, "2");
        let start = Instant::now();
        manifest.put("t", new);
        let took = start.elapsed();
        assert_eq!(manifest.files.len(), 2 * count);
        assert_eq!(manifest.files.iter().filter(|entry| entry.builds().is_empty()).count(), count);
        took
    }

    #[test]
    fn ten_times_the_entries_cost_about_ten_times_the_time() {
        // Other processes may slow down some of the attempts, but not all.
        let is_linear = |_| putting(20_000) < putting(2_000) * 40;
        assert!((0..10).any(is_linear));
    }
}
