//! Many machines' `dist/` folders made one: each is held against its own manifest and checksums, judged
//! as if it had been built here, and moved in as one change.
//!
//! Architecture invariant: what was brought is not trusted. A path of a manifest is used only after
//! [`wheel_audit::dist::check`] has found it below its folder, without a link, and only in the form that the store
//! itself gives paths.

mod change;
mod find;
mod merge;
mod optional;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::config::{Config, Platform, TagPolicy};
use crate::pipeline::{self, BuildInfo};
use crate::ship::missing::{Missing, missing};
use crate::store::Store;
use wheel_audit::audit::{Audit, Expectations, Finding, Severity, audit_wheels};
use wheel_audit::dist::{Kind, Known, Manifest, Smoke, Tests};
use wheel_audit::files;
use wheel_audit::policy::PlatformTag;

use change::Audits;
pub(crate) use find::{FOLDER, find};
pub(crate) use merge::{Conflict, State};
use merge::{Folder, IncomingWheel, Source};

/// Version of the report's shape.
const SCHEMA_VERSION: u32 = 1;

/// What was brought, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Collection {
    /// Version of this shape.
    pub schema_version: u32,
    /// The folder that it is in now.
    pub dist: Utf8PathBuf,
    /// The `dist/` folders that were found, in the order they were named.
    pub inputs: Vec<Input>,
    /// The wheels that were brought, by path.
    pub wheels: Vec<Collected>,
    /// What is wrong with what was brought; where there is any, nothing was changed.
    pub problems: Vec<Problem>,
    /// What cannot be in one `dist/`; where there is any, nothing was changed.
    pub conflicts: Vec<Conflict>,
    /// Wheels that fail and that a release does without; nothing of them was taken.
    pub left_out: Vec<LeftOut>,
    /// What is asked for and is not in `dist/` now.
    pub missing: Vec<Missing>,
}

/// A `dist/` that was brought.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Input {
    /// Where it is.
    pub folder: Utf8PathBuf,
    /// How many wheels its manifest lists.
    pub wheels: usize,
}

/// A wheel that was brought.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Collected {
    /// Relative to `dist/`.
    pub path: String,
    /// SHA-256.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Target name.
    pub target: String,
    /// Platform in the engine's words.
    pub platform: String,
    /// C library that its symbols need.
    pub floor: String,
    /// The interpreters that it was built for.
    pub interpreters: Vec<String>,
    /// Whether each of them passed the smoke test.
    pub smoke: Smoke,
    /// Whether each of them passed the package's own tests, where it has some.
    pub tests: Tests,
    /// Whether that is what the other machine says: it was not repeated here.
    pub claimed: bool,
    /// The folder that it came from.
    pub from: Utf8PathBuf,
    /// What became of it.
    pub state: State,
}

/// Something wrong with a folder that was brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// The file in it.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// A collected wheel that fails and that no release requires. It counts as missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    /// The folder that it came from.
    pub folder: Utf8PathBuf,
    /// The file in it.
    pub path: String,
    /// Why it is not published.
    pub reasons: Vec<String>,
}

impl Collection {
    /// Whether a wheel is missing that a release needs.
    pub(crate) fn lacks_required(&self) -> bool {
        self.missing.iter().any(|missing| missing.required)
    }

    /// Whether `dist/` took what was brought.
    pub(crate) fn accepted(&self) -> bool {
        self.problems.is_empty() && self.conflicts.is_empty()
    }
}

/// Takes the `dist/` folders in `paths` into `store`, all or nothing. With `replace` they take the
/// place of what is there with other bytes. Call it under the lock, after [`Store::recover`].
///
/// # Errors
/// When there is nothing to collect or `dist/` cannot take it; what is wrong with the folders is in the [`Collection`].
pub(crate) fn collect(
    config: &Config,
    store: &Store,
    paths: &[Utf8PathBuf],
    replace: bool,
) -> anyhow::Result<Collection> {
    let folders = find(paths)?;
    let mut collection = Collection {
        schema_version: SCHEMA_VERSION,
        dist: store.dist().to_owned(),
        inputs: Vec::new(),
        wheels: Vec::new(),
        problems: Vec::new(),
        conflicts: Vec::new(),
        left_out: Vec::new(),
        missing: Vec::new(),
    };
    let mut manifests = read(&folders, &mut collection);
    if collection.accepted() {
        collection.left_out = optional::leave_out(config, &folders, &mut manifests)?;
        let work = Work { config, store, folders: &folders, manifests: &manifests };
        work.merge(replace, &mut collection)?;
    }
    collection.missing = missing(config, store)?;
    Ok(collection)
}

/// The manifests of `folders`, each held against its files.
fn read(folders: &[Utf8PathBuf], collection: &mut Collection) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for folder in folders {
        let problems = wheel_audit::dist::check(folder, &Known::new());
        let problem =
            |path: String, message: String| Problem { folder: folder.clone(), path, message };
        if problems.is_empty() {
            // Only now is it known to be of a bounded size and no link.
            match Store::new(folder, folder).manifest() {
                Ok(manifest) => {
                    let wheels = manifest.files.iter().filter(|e| !e.builds().is_empty()).count();
                    collection.inputs.push(Input { folder: folder.clone(), wheels });
                    manifests.push(manifest);
                }
                Err(error) => {
                    let path = wheel_audit::dist::MANIFEST.to_owned();
                    collection.problems.push(problem(path, error.to_string()));
                }
            }
        }
        let problems = problems.into_iter().map(|each| problem(each.path, each.message));
        collection.problems.extend(problems);
    }
    manifests
}

struct Work<'a> {
    config: &'a Config,
    store: &'a Store,
    folders: &'a [Utf8PathBuf],
    manifests: &'a [Manifest],
}

impl Work<'_> {
    fn merge(&self, replace: bool, collection: &mut Collection) -> anyhow::Result<()> {
        let mut sources: Vec<Source<'_>> = self
            .folders
            .iter()
            .zip(self.manifests)
            .map(|(folder, manifest)| Source { folder, manifest })
            .collect();
        let mut own = self.store.manifest()?;
        // A file that is damaged gives way to a whole one without a word.
        own.files.retain(|entry| self.store.holds(entry));
        let unpublished = self.config.unpublished_folders();
        let merged = merge::merge(self.config, &sources).and_then(|mut merged| {
            merge::against_own(&mut merged, &own, replace)?;
            let same = merge::one_name(&merged, &own, &unpublished);
            if same.is_empty() { Ok(merged) } else { Err(same) }
        });
        let mut merged = match merged {
            Ok(merged) => merged,
            Err(conflicts) => {
                collection.conflicts = conflicts;
                return Ok(());
            }
        };
        let fresh = self.judge(&merged, collection)?;
        for wheel in merged.values_mut().flat_map(|folder| folder.wheels.values_mut()) {
            if let Kind::Wheel { verdict, floor, .. } = &mut wheel.entry.kind
                && let Some(audit) = fresh.get(&wheel.entry.path)
            {
                "pass".clone_into(verdict);
                *floor = pipeline::floor_text(audit);
            }
        }
        collection.wheels = self.told(&merged);
        let own_side = sources.len();
        sources.push(Source { folder: self.store.dist(), manifest: &own });
        let mut changes = Vec::new();
        for (name, folder) in merged.iter_mut().filter(|(_, folder)| folder.changes()) {
            add_own(name, folder, own_side, &own);
            match change::change(name, folder, &sources, own_side, replace, &fresh) {
                Ok(change) => changes.push((name.as_str(), change)),
                Err(conflicts) => collection.conflicts.extend(conflicts),
            }
        }
        if collection.accepted() && !changes.is_empty() {
            let changes: Vec<_> = changes.iter().map(|(name, change)| (*name, change)).collect();
            self.store.commit_all(&changes)?;
        }
        Ok(())
    }

    fn told(&self, merged: &BTreeMap<String, Folder>) -> Vec<Collected> {
        let wheels = merged.values().flat_map(|folder| folder.wheels.values());
        wheels
            .filter_map(|wheel| {
                let Kind::Wheel { target, platform, builds, floor, .. } = &wheel.entry.kind else {
                    return None;
                };
                let skipped = builds.iter().any(|build| build.smoke == Smoke::Skipped);
                Some(Collected {
                    path: wheel.entry.path.clone(),
                    sha256: wheel.entry.sha256.clone(),
                    size: wheel.entry.size,
                    target: target.clone(),
                    platform: platform.clone(),
                    floor: floor.clone(),
                    interpreters: builds.iter().map(|build| build.interpreter.clone()).collect(),
                    claimed: builds.iter().any(|build| build.claimed),
                    tests: builds.iter().map(|build| build.tests).min().unwrap_or_default(),
                    smoke: if skipped { Smoke::Skipped } else { Smoke::Passed },
                    from: self.folders.get(wheel.source).cloned().unwrap_or_default(),
                    state: wheel.state,
                })
            })
            .collect()
    }

    /// Judges what is new, each wheel against the target that its folder is for.
    fn judge(
        &self,
        merged: &BTreeMap<String, Folder>,
        collection: &mut Collection,
    ) -> anyhow::Result<Audits> {
        let mut fresh = Audits::new();
        let settings = pipeline::settings(self.config)?;
        let new = merged.values().flat_map(|folder| folder.wheels.values());
        let new: Vec<&IncomingWheel> = new.filter(|wheel| wheel.state != State::Same).collect();
        let place =
            |wheel: &IncomingWheel| self.folders.get(wheel.source).cloned().unwrap_or_default();
        let job = |wheel: &&IncomingWheel| {
            let (root, path) = (place(wheel), &wheel.entry.path);
            let native = calls_for_extension(self.config, &root, path);
            let expectations =
                Expectations { native, ..expectations(self.config, &wheel.entry.kind) };
            (root.join(path), expectations)
        };
        let jobs: Vec<_> = new.iter().map(job).collect();
        for (wheel, result) in new.iter().zip(audit_wheels(&jobs, &settings, &|_| {})) {
            let problem = |message: String| Problem {
                folder: place(wheel),
                path: wheel.entry.path.clone(),
                message,
            };
            match result {
                Ok(audit) if audit.facts.sha256.as_ref() != Some(&wheel.entry.sha256) => {
                    collection.problems.push(problem("it changed while it was judged".to_owned()));
                }
                Ok(audit) => {
                    collection.problems.extend(errors(&audit).map(problem));
                    fresh.insert(wheel.entry.path.clone(), audit);
                }
                Err(error) => collection.problems.push(problem(error.to_string())),
            }
        }
        Ok(fresh)
    }
}

/// This machine's metadata of a folder, where wheels of its own stay in it.
fn add_own(name: &str, folder: &mut Folder, source: usize, own: &Manifest) {
    let stays =
        !folder.kept.is_empty() || folder.wheels.values().any(|wheel| wheel.state == State::Same);
    if !stays {
        return;
    }
    for entry in own.folder(name).filter(|entry| entry.kind == Kind::Metadata) {
        let file = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
        // The earlier report comes first.
        folder.metadata.entry(file).or_default().insert(0, (source, entry.clone()));
    }
}

fn errors(audit: &Audit) -> impl Iterator<Item = String> {
    let errors = audit.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(text)
}

fn text(finding: &Finding) -> String {
    format!("{}: {} ({})", finding.code, finding.message, finding.help)
}

/// What calls for an extension module in the wheel at `path` below `root`. A report that cannot be
/// read is refused where the folder's metadata is joined.
fn calls_for_extension(config: &Config, root: &Utf8Path, path: &str) -> Option<String> {
    let path = Utf8Path::new(path).with_file_name(change::INFO);
    let text = files::list(root, path.as_str()).and_then(Result::ok).unwrap_or_default();
    let info = BuildInfo::parse(&text).unwrap_or_default();
    info.calls_for_extension(config.check.native)
}

/// What a wheel of this target has to be.
fn expectations(config: &Config, kind: &Kind) -> Expectations {
    let isa = config.check.isa.values().copied().collect();
    let expectations = Expectations { isa, ..Expectations::default() };
    let Kind::Wheel { target, platform, builds, .. } = kind else { return expectations };
    let Ok(platform) = platform.parse::<Platform>() else { return expectations };
    let libc = config.targets.iter().find(|each| each.name == *target).and_then(|each| each.libc);
    let arch = platform.arch();
    let tag = match config.check.tag {
        TagPolicy::Linux => Some(PlatformTag::Linux(arch)),
        TagPolicy::Target | TagPolicy::Floor => libc.map(|libc| libc.platform_tag(arch)),
    };
    let interpreter = match builds.as_slice() {
        [only] => only.interpreter.parse().ok(),
        // One wheel for several: its own tags say which.
        _ => None,
    };
    Expectations { platform_tag: tag, arch: Some(arch), interpreter, ..expectations }
}
