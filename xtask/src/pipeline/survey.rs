//! What is in `dist/` already.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Deserialize;

use super::env::{Context, PipelineError};
use crate::plan::{Job, Plan};
use crate::store::{Entry, Kind, Manifest, Store};

/// Of each job of a plan, in its order, the wheel that is there already.
#[derive(Debug, Clone)]
pub struct Survey {
    pub(super) done: Vec<Option<Entry>>,
}

impl Survey {
    /// Whether every job is done, so that no engine is needed.
    pub fn all_done(&self) -> bool {
        self.done.iter().all(Option::is_some)
    }

    /// The jobs of `plan` that are to be done.
    pub fn open<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Job> {
        plan.jobs.iter().zip(&self.done).filter(|(_, done)| done.is_none()).map(|(job, _)| job)
    }
}

/// Looks which jobs of `plan` have their wheel in `dist/`, made from the same things and whole. Each file
/// is read once, whatever the number of jobs that it matters to.
///
/// # Errors
/// When the manifest is there and cannot be read.
pub fn survey(ctx: &Context<'_>, plan: &Plan) -> Result<Survey, PipelineError> {
    if ctx.force {
        return Ok(Survey { done: vec![None; plan.jobs.len()] });
    }
    let manifest = ctx.store.manifest()?;
    let candidates: Vec<_> = plan.jobs.iter().map(|job| candidate(&manifest, job)).collect();
    let needed: BTreeSet<&str> =
        candidates.iter().flatten().flatten().map(|e| e.path.as_str()).collect();
    let needed: Vec<&Entry> =
        manifest.files.iter().filter(|entry| needed.contains(entry.path.as_str())).collect();
    let held = needed.par_iter().filter(|entry| ctx.store.holds(entry));
    let held: BTreeSet<&str> = held.map(|entry| entry.path.as_str()).collect();
    let done = candidates.into_iter().map(|entries| {
        let entries = entries?;
        let whole = entries.iter().all(|entry| held.contains(entry.path.as_str()));
        entries.first().filter(|_| whole).map(|&wheel| wheel.clone())
    });
    Ok(Survey { done: done.collect() })
}

/// The wheel of `job`, if it is the one that would be built now, and after it the metadata beside it,
/// which counts too: a folder without its checksums is not done.
fn candidate<'a>(manifest: &'a Manifest, job: &Job) -> Option<Vec<&'a Entry>> {
    let interpreter = job.interpreter.to_string();
    let wheel = manifest.wheel(&job.target.name, &job.platform.to_string(), &interpreter)?;
    if wheel.build(&interpreter).is_none_or(|build| build.job != job.key) {
        return None;
    }
    let below = format!("{}/", job.folder());
    let beside = manifest.files.iter().filter(|entry| entry.path.starts_with(&below));
    let metadata = beside.filter(|entry| entry.kind == Kind::Metadata);
    Some(std::iter::once(wheel).chain(metadata).collect())
}

/// How many warnings the audits in `dist/` hold, each folder's read once.
pub(super) struct Warnings<'a> {
    store: &'a Store,
    folders: BTreeMap<String, BTreeMap<String, usize>>,
}

#[derive(Deserialize)]
struct Audits {
    wheels: Vec<Audited>,
}

#[derive(Deserialize)]
struct Audited {
    file: String,
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    severity: String,
}

impl<'a> Warnings<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, folders: BTreeMap::new() }
    }

    /// The warnings of one wheel; none where its audit cannot be read, which is `verify`'s business.
    pub(super) fn of(&mut self, wheel: &Entry) -> usize {
        let (folder, name) = wheel.path.split_once('/').unwrap_or_default();
        let store = self.store;
        let wheels = self.folders.entry(folder.to_owned()).or_insert_with(|| {
            let text = fs_err::read(store.dist().join(folder).join("audit.json"));
            let audits = text.ok().and_then(|text| serde_json::from_slice::<Audits>(&text).ok());
            let count = |audited: Audited| {
                let warnings = audited.findings.iter().filter(|found| found.severity == "warning");
                (audited.file, warnings.count())
            };
            audits.map(|audits| audits.wheels.into_iter().map(count).collect()).unwrap_or_default()
        });
        wheels.get(name).copied().unwrap_or_default()
    }
}
