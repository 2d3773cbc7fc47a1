//! Merges the manifests of several `dist/` folders.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use serde::Serialize;

use crate::config::{Config, Platform};
use wheel_audit::dist::{Entry, Kind, Manifest, Smoke, WheelBuild, documented};
use wheel_audit::text::shown;
use wheel_audit::wheel::{Interpreter, WheelName};

/// Maximum size of a metadata file, in bytes.
const MAX_METADATA: u64 = 16 << 20;

/// A `dist/` of the merge: this machine's own, or a collected one.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) folder: &'a Utf8Path,
    pub(super) manifest: &'a Manifest,
}

/// Two entries that cannot both be in one `dist/`, or one that cannot be in any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Conflict {
    /// The file or folder below `dist/`.
    pub path: String,
    /// Description of the conflict.
    pub message: String,
    /// How to resolve it.
    pub hint: &'static str,
}

impl Conflict {
    pub(super) fn new(path: &str, message: String, hint: &'static str) -> Self {
        Self { path: path.to_owned(), message, hint }
    }
}

/// State of a collected wheel after the merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// `dist/` lacks it.
    Added,
    /// `dist/` already has it.
    Same,
    /// It replaces another wheel.
    Replaced,
}

impl State {
    /// The state as a word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Same => "same",
            Self::Replaced => "replaced",
        }
    }
}

/// A collected wheel.
#[derive(Debug, Clone)]
pub(super) struct IncomingWheel {
    pub(super) entry: Entry,
    /// Index of the source to copy it from.
    pub(super) source: usize,
    pub(super) state: State,
}

/// One target's folder after the merge.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// By file name.
    pub(super) wheels: BTreeMap<String, IncomingWheel>,
    /// File name of the wheel for each interpreter.
    by_interpreter: BTreeMap<String, String>,
    /// Sources that have the folder's metadata, in order, by file name.
    pub(super) metadata: BTreeMap<String, Vec<(usize, Entry)>>,
    /// Wheels of this machine that are replaced.
    pub(super) replaced: BTreeSet<String>,
    /// Wheels of this machine that are kept.
    pub(super) kept: BTreeMap<String, Entry>,
}

impl Folder {
    /// Returns whether the merge changes the folder.
    pub(super) fn changes(&self) -> bool {
        self.wheels.values().any(|wheel| wheel.state != State::Same)
    }

    /// Records the interpreters of the wheel with this name.
    fn index(&mut self, name: &str) {
        let Some(wheel) = self.wheels.get(name) else { return };
        for build in wheel.entry.builds() {
            let known = self.by_interpreter.entry(build.interpreter.clone());
            known.or_insert_with(|| name.to_owned());
        }
    }

    /// The wheel for an interpreter.
    fn wheel_for(&self, interpreter: &str) -> Option<&IncomingWheel> {
        self.wheels.get(self.by_interpreter.get(interpreter)?)
    }

    /// Interpreters of `builds` for which the folder has a wheel with another name.
    fn other_wheels<'a>(
        &'a self,
        name: &'a str,
        builds: &'a [WheelBuild],
    ) -> impl Iterator<Item = (&'a str, &'a IncomingWheel)> {
        builds.iter().filter_map(move |build| {
            let other = self.by_interpreter.get(&build.interpreter)?;
            let other = (other != name).then(|| self.wheels.get(other)).flatten()?;
            Some((build.interpreter.as_str(), other))
        })
    }
}

/// Files that the store and builds write beside the wheels; all others are rejected.
const METADATA: [&str; 4] = ["audit.json", "build-info.json", "build-info.txt", "SHA256SUMS"];
const OTHER_BYTES: &str = "build each target, platform and interpreter on one machine, or omit one \
                           of the folders";
const REPLACE: &str = "use `--replace` to replace the wheel in `dist/`";
const INVALID_DIST: &str = "collect a `dist/` exactly as `cargo xtask wheels` wrote it";

/// Merges the folders of `sources`.
///
/// # Errors
/// Every conflict between them.
pub(super) fn merge(
    config: &Config,
    sources: &[Source<'_>],
) -> Result<BTreeMap<String, Folder>, Vec<Conflict>> {
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        for entry in &source.manifest.files {
            match placed(entry).and_then(|place| known(config, entry).map(|()| place)) {
                Err(reason) => conflicts.push(Conflict::new(&entry.path, reason, INVALID_DIST)),
                Ok((folder, name)) => {
                    let folder = folders.entry(folder.to_owned()).or_default();
                    match &entry.kind {
                        Kind::Wheel { .. } => {
                            take(folder, name, entry, index, sources, &mut conflicts);
                        }
                        Kind::Metadata => {
                            let all = folder.metadata.entry(name.to_owned()).or_default();
                            all.push((index, entry.clone()));
                        }
                    }
                }
            }
        }
    }
    // An outdated `dist/` may have a folder without wheels.
    folders.retain(|_, folder| !folder.wheels.is_empty());
    if conflicts.is_empty() { Ok(folders) } else { Err(conflicts) }
}

/// Rejects targets, platforms and interpreters that `wheels.toml` does not have, and an interpreter that cannot run
/// the wheel.
pub(super) fn known(config: &Config, entry: &Entry) -> Result<(), String> {
    let Kind::Wheel { target: name, platform, builds, .. } = &entry.kind else { return Ok(()) };
    let Some(target) = config.targets.iter().find(|target| target.name == *name) else {
        return Err(format!("wheels.toml has no target `{}`", shown(name)));
    };
    if !target.platforms.iter().any(|known| known.to_string() == *platform) {
        return Err(format!("wheels.toml does not build `{name}` for `{}`", shown(platform)));
    }
    let file = entry.path.rsplit('/').next().unwrap_or_default();
    let tags = WheelName::parse(file).map_err(|error| error.to_string())?.tags.expand();
    for WheelBuild { interpreter, built_by, .. } in builds {
        let python = target.pythons.iter().find(|known| known.to_string() == *interpreter);
        let Some(python) = python else {
            return Err(format!(
                "wheels.toml does not build `{name}` for the interpreter `{}`",
                shown(interpreter)
            ));
        };
        if !tags.iter().any(|tag| python.accepts(tag)) {
            return Err(format!(
                "the manifest lists it for `{interpreter}`, which its name excludes"
            ));
        }
        if let Some(other) = built_by.as_ref().filter(|it| it.parse::<Interpreter>().is_err()) {
            return Err(format!("the manifest lists `{}` as its interpreter", shown(other)));
        }
    }
    Ok(())
}

/// Folder and file name of an entry, if the store would use the same ones.
pub(super) fn placed(entry: &Entry) -> Result<(&str, &str), String> {
    let parts: Vec<&str> = entry.path.split('/').collect();
    let [folder, name] = parts.as_slice() else {
        return Err("it is not in the folder of a target".to_owned());
    };
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_graphic() && c != '\\')
    };
    if !plain(folder) || !plain(name) {
        return Err("no build writes a file of this name".to_owned());
    }
    let is_wheel = name.to_ascii_lowercase().ends_with(".whl");
    match &entry.kind {
        Kind::Metadata if is_wheel => {
            return Err("the manifest lists this wheel as metadata".to_owned());
        }
        Kind::Metadata if entry.size > MAX_METADATA => {
            return Err(format!("its metadata is too large: {} bytes", entry.size));
        }
        Kind::Metadata if !METADATA.contains(name) && !is_document(name) => {
            return Err("no build writes a file of this name".to_owned());
        }
        Kind::Metadata => {}
        Kind::Wheel { target, platform, builds, .. } => {
            WheelName::parse(name).map_err(|error| error.to_string())?;
            let platform: Platform =
                platform.parse().map_err(|error: String| shown(&error).to_string())?;
            let home = format!("{target}-{}", platform.engine_arch());
            if home != *folder {
                return Err(format!("the manifest lists it for `{}`", shown(&home)));
            }
            if builds.is_empty() {
                return Err("the manifest lists no interpreter for it".to_owned());
            }
            let names: BTreeSet<_> = builds.iter().map(|build| &build.interpreter).collect();
            if names.len() < builds.len() {
                return Err("the manifest lists an interpreter twice for it".to_owned());
            }
        }
    }
    Ok((folder, name))
}

/// Returns whether `name` is the name of a wheel's document.
fn is_document(name: &str) -> bool {
    documented(name).is_some_and(|wheel| WheelName::parse(wheel).is_ok())
}

fn take(
    folder: &mut Folder,
    name: &str,
    entry: &Entry,
    index: usize,
    sources: &[Source<'_>],
    conflicts: &mut Vec<Conflict>,
) {
    let place = |index: usize| {
        shown(sources.get(index).map_or("", |source| source.folder.as_str())).to_string()
    };
    // Check a known wheel as well: this source may have it for more interpreters.
    for (interpreter, other) in folder.other_wheels(name, entry.builds()) {
        let message = format!(
            "for {interpreter}, `{}` has this wheel and `{}` has `{}`",
            place(index),
            place(other.source),
            other.entry.path
        );
        conflicts.push(Conflict::new(&entry.path, message, OTHER_BYTES));
    }
    if let Some(known) = folder.wheels.get_mut(name) {
        if known.entry.sha256 == entry.sha256 {
            join_builds(&mut known.entry, claimed(entry).builds());
            folder.index(name);
        } else {
            let message = format!(
                "`{}` and `{}` have different bytes for it",
                place(known.source),
                place(index)
            );
            conflicts.push(Conflict::new(&entry.path, message, OTHER_BYTES));
        }
        return;
    }
    let entry = claimed(entry);
    let incoming = IncomingWheel { entry, source: index, state: State::Added };
    folder.wheels.insert(name.to_owned(), incoming);
    folder.index(name);
}

/// Marks the builds of `entry` as claimed by the other machine: smoke tests are not repeated here.
fn claimed(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if let Kind::Wheel { builds, .. } = &mut entry.kind {
        for build in builds {
            build.claimed = true;
        }
    }
    entry
}

/// Adds builds that `entry` lacks, and prefers tests that passed. Returns whether it changed anything.
fn join_builds(entry: &mut Entry, more: &[WheelBuild]) -> bool {
    let Kind::Wheel { builds, .. } = &mut entry.kind else { return false };
    let mut changed = false;
    for build in more {
        let known = builds.iter_mut().find(|known| known.interpreter == build.interpreter);
        if let Some(known) = known {
            let proved = |build: &WheelBuild| (build.smoke == Smoke::Passed, build.tests);
            if proved(build) > proved(known) {
                *known = build.clone();
                changed = true;
            }
        } else {
            builds.push(build.clone());
            changed = true;
        }
    }
    builds.sort_by(|a, b| a.interpreter.cmp(&b.interpreter));
    changed
}

/// Compares `folders` with `own`, the intact wheels of this machine's `dist/`.
///
/// # Errors
/// Wheels that `dist/` has with other bytes, unless they may be replaced.
pub(super) fn against_own(
    folders: &mut BTreeMap<String, Folder>,
    own: &Manifest,
    replace: bool,
) -> Result<(), Vec<Conflict>> {
    let mut conflicts = Vec::new();
    for (name, folder) in folders.iter_mut() {
        let wheels = own.folder(name).filter(|entry| !entry.builds().is_empty());
        for entry in wheels {
            match merge_own_wheel(folder, entry) {
                Some(message) if !replace => {
                    conflicts.push(Conflict::new(&entry.path, message, REPLACE));
                }
                _ => {}
            }
        }
    }
    if conflicts.is_empty() { Ok(()) } else { Err(conflicts) }
}

/// Compares one wheel of this machine. Returns a reason if it must be replaced.
fn merge_own_wheel(folder: &mut Folder, own: &Entry) -> Option<String> {
    let name = own.path.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(incoming) = folder.wheels.get_mut(&name) {
        if incoming.entry.sha256 != own.sha256 {
            incoming.state = State::Replaced;
            return Some("`dist/` already has it with other bytes".to_owned());
        }
        let mut joined = own.clone();
        let other_wheels: BTreeMap<String, String> = folder
            .other_wheels(&name, own.builds())
            .map(|(interpreter, other)| (interpreter.to_owned(), other.entry.path.clone()))
            .collect();
        if let Kind::Wheel { builds, .. } = &mut joined.kind {
            builds.retain(|build| !other_wheels.contains_key(&build.interpreter));
        }
        let incoming = folder.wheels.get_mut(&name)?;
        let is_more = join_builds(&mut joined, incoming.entry.builds());
        incoming.entry = joined;
        incoming.state = if is_more { State::Replaced } else { State::Same };
        folder.index(&name);
        for path in other_wheels.values() {
            let file = path.rsplit('/').next().unwrap_or_default();
            if let Some(wheel) = folder.wheels.get_mut(file) {
                wheel.state = State::Replaced;
            }
        }
        let (interpreter, other) = other_wheels.first_key_value()?;
        return Some(format!("`dist/` has it for {interpreter}, and `{other}` replaces it"));
    }
    let interpreters: BTreeSet<&str> =
        own.builds().iter().map(|b| b.interpreter.as_str()).collect();
    let taken = interpreters.iter().filter(|it| folder.wheel_for(it).is_some());
    let taken: Vec<&&str> = taken.collect();
    let Some(first) = taken.first().map(|it| (**it).to_owned()) else {
        folder.kept.insert(name, own.clone());
        return None;
    };
    if taken.len() == interpreters.len() {
        folder.replaced.insert(name);
    } else {
        folder.kept.insert(name, own.clone());
    }
    let new = folder.by_interpreter.get(&first);
    if let Some(incoming) = new.and_then(|new| folder.wheels.get_mut(new)) {
        incoming.state = State::Replaced;
    }
    Some(format!("`dist/` has it for {first}, and another wheel replaces it"))
}

/// Conflicts of wheels with one name and different bytes in several published folders, including `own`.
pub(super) fn one_name(
    folders: &BTreeMap<String, Folder>,
    own: &Manifest,
    unpublished: &BTreeSet<String>,
) -> Vec<Conflict> {
    const HINT: &str = "an index accepts each file name once: list one target for each C library \
                        in `[publish] targets` of wheels.toml";
    let mut names: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    let is_published =
        |path: &str| path.split_once('/').is_some_and(|(f, _)| !unpublished.contains(f));
    let gone = |path: &str| {
        let (folder, name) = path.split_once('/').unwrap_or_default();
        let folder = folders.get(folder);
        folder.is_some_and(|f| f.replaced.contains(name) || f.wheels.contains_key(name))
    };
    let own = own.files.iter().filter(|entry| !entry.builds().is_empty() && !gone(&entry.path));
    let incoming = folders.values().flat_map(|folder| folder.wheels.values()).map(|b| &b.entry);
    for entry in own.chain(incoming).filter(|entry| is_published(&entry.path)) {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        names.entry(name).or_default().insert(&entry.path, &entry.sha256);
    }
    let differ = |all: &BTreeMap<&str, &str>| all.values().collect::<BTreeSet<_>>().len() > 1;
    let conflict = |all: BTreeMap<&str, &str>| {
        let mut paths = all.keys();
        let first = paths.next().copied().unwrap_or_default();
        let others: Vec<_> = paths.map(|path| format!("`{path}`")).collect();
        let message = format!("{} has the same name but other bytes", others.join(", "));
        Conflict::new(first, message, HINT)
    };
    names.into_values().filter(differ).map(conflict).collect()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
