//! Merges the `dist/` folders of several machines: checks each against its manifest and checksums, audits its
//! wheels like local builds, and commits everything as one change.
//!
//! Architecture invariant: collected folders are untrusted. `collect` uses a path of a manifest only if
//! it has the form that the store writes, and [`wheel_audit::dist::check`] found it below its folder, without a link.

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

/// Version of the JSON report.
const SCHEMA_VERSION: u32 = 1;

/// The result of a collection.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Collection {
    /// Version of this format.
    pub schema_version: u32,
    /// The `dist/` after the collection.
    pub dist: Utf8PathBuf,
    /// The `dist/` folders that were found, in the order of the command line.
    pub inputs: Vec<Input>,
    /// The collected wheels, by path.
    pub wheels: Vec<Collected>,
    /// Problems in the collected folders. If there are any, nothing was changed.
    pub problems: Vec<Problem>,
    /// Conflicts between wheels. If there are any, nothing was changed.
    pub conflicts: Vec<Conflict>,
    /// Skipped wheels: they have errors, and a release does not require them.
    pub left_out: Vec<Skipped>,
    /// Expected wheels that `dist/` lacks now.
    pub missing: Vec<Missing>,
}

/// A collected `dist/`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Input {
    pub folder: Utf8PathBuf,
    /// Number of wheels in its manifest.
    pub wheels: usize,
}

/// A collected wheel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Collected {
    /// Path relative to `dist/`.
    pub path: String,
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// Target name.
    pub target: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    /// Floor.
    pub floor: String,
    /// Interpreters that it was built for.
    pub interpreters: Vec<String>,
    /// Result of the smoke tests of all builds.
    pub smoke: Smoke,
    /// Result of the package tests of all builds, if the package has any.
    pub tests: Tests,
    /// True if these results are claims of the other machine, which are not repeated here.
    pub claimed: bool,
    /// The folder that it comes from.
    pub from: Utf8PathBuf,
    /// Its state after the merge.
    pub state: State,
}

/// A problem in a collected folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub folder: Utf8PathBuf,
    /// The file in it.
    pub path: String,
    /// Description of the problem.
    pub message: String,
}

/// A collected wheel with errors that no release requires. It counts as missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Skipped {
    /// The folder that it comes from.
    pub folder: Utf8PathBuf,
    /// The file in it.
    pub path: String,
    /// Why it is not published.
    pub reasons: Vec<String>,
}

impl Collection {
    /// Returns whether a required wheel is missing.
    pub(crate) fn lacks_required(&self) -> bool {
        self.missing.iter().any(|missing| missing.required)
    }

    /// Returns whether the collection was merged into `dist/`.
    pub(crate) fn accepted(&self) -> bool {
        self.problems.is_empty() && self.conflicts.is_empty()
    }
}

/// Merges the `dist/` folders in `paths` into `store`, all or nothing. `replace` allows replacing wheels with other
/// bytes. The caller holds the lock and has called [`Store::recover`].
///
/// # Errors
/// If there is nothing to collect, or `dist/` cannot be written. Problems of the folders are in the [`Collection`].
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
        collection.left_out = optional::skip(config, &folders, &mut manifests)?;
        let work = Merge { config, store, folders: &folders, manifests: &manifests };
        work.merge(replace, &mut collection)?;
    }
    collection.missing = missing(config, store)?;
    Ok(collection)
}

/// Reads the manifests of `folders` and checks each against its files.
fn read(folders: &[Utf8PathBuf], collection: &mut Collection) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for folder in folders {
        let problems = wheel_audit::dist::check(folder, &Known::new());
        let problem =
            |path: String, message: String| Problem { folder: folder.clone(), path, message };
        if problems.is_empty() {
            // Only now is its size known to be bounded, and that it is not a link.
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

struct Merge<'a> {
    config: &'a Config,
    store: &'a Store,
    folders: &'a [Utf8PathBuf],
    manifests: &'a [Manifest],
}

impl Merge<'_> {
    fn merge(&self, replace: bool, collection: &mut Collection) -> anyhow::Result<()> {
        let mut sources: Vec<Source<'_>> = self
            .folders
            .iter()
            .zip(self.manifests)
            .map(|(folder, manifest)| Source { folder, manifest })
            .collect();
        let mut own = self.store.manifest()?;
        // An intact file replaces a damaged one silently.
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
        let fresh = self.audit(&merged, collection)?;
        for wheel in merged.values_mut().flat_map(|folder| folder.wheels.values_mut()) {
            if let Kind::Wheel { verdict, floor, .. } = &mut wheel.entry.kind
                && let Some(audit) = fresh.get(&wheel.entry.path)
            {
                "pass".clone_into(verdict);
                *floor = pipeline::floor_text(audit);
            }
        }
        collection.wheels = self.collected(&merged);
        let own_index = sources.len();
        sources.push(Source { folder: self.store.dist(), manifest: &own });
        let mut changes = Vec::new();
        for (name, folder) in merged.iter_mut().filter(|(_, folder)| folder.changes()) {
            add_own(name, folder, own_index, &own);
            match change::change(name, folder, &sources, own_index, replace, &fresh) {
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

    fn collected(&self, merged: &BTreeMap<String, Folder>) -> Vec<Collected> {
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

    /// Audits new wheels, each against the target of its folder.
    fn audit(
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
            let native = extension_reason(self.config, &root, path);
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
                    collection.problems.push(problem("it changed during the audit".to_owned()));
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

/// Adds this machine's metadata of a folder that keeps some of its wheels.
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

/// The reason why the wheel at `path` below `root` must have an extension module. An unreadable report is rejected
/// when metadata is merged.
fn extension_reason(config: &Config, root: &Utf8Path, path: &str) -> Option<String> {
    let path = Utf8Path::new(path).with_file_name(change::INFO);
    let text = files::list(root, path.as_str()).and_then(Result::ok).unwrap_or_default();
    let info = BuildInfo::parse(&text).unwrap_or_default();
    info.extension_reason(config.check.native)
}

/// Expectations for a wheel of this target.
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
        // The tags of a wheel for several interpreters list them.
        _ => None,
    };
    Expectations { platform_tag: tag, arch: Some(arch), interpreter, ..expectations }
}
