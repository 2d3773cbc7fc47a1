//! Wheels that `dist/` already has.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Deserialize;

use super::build_info::BuildInfo;
use super::env::{Context, LockUse, PipelineError};
use super::locked;
use super::outcome::{Findings, Warning};
use crate::engine::Engine;
use crate::engine::base::{self, BaseImage, BasePolicy, Origin};
use crate::plan::{Job, Plan};
use crate::store::Store;
use wheel_audit::dist::{BaseUsed, DOCUMENTS, Entry, Kind, Manifest, documented};

/// The existing wheel of each job of a plan, in order.
#[derive(Debug, Clone)]
pub(crate) struct Survey {
    pub(super) done: Vec<Option<Entry>>,
}

impl Survey {
    /// The existing wheel of each job.
    pub(crate) fn done(&self) -> &[Option<Entry>] {
        &self.done
    }

    /// Returns whether all jobs are done, so that no engine is needed.
    pub(crate) fn all_done(&self) -> bool {
        self.done.iter().all(Option::is_some)
    }

    /// The jobs of `plan` that are not done.
    pub(crate) fn open<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Job> {
        plan.jobs.iter().zip(&self.done).filter(|(_, done)| done.is_none()).map(|(job, _)| job)
    }
}

/// Finds the jobs of `plan` whose intact wheel in `dist/` has the same inputs, including the base image that
/// `base_policy` selects, from local knowledge only. Reads each file once.
///
/// # Errors
/// If the manifest exists and cannot be read.
pub(crate) fn survey(
    ctx: &Context<'_>,
    plan: &Plan,
    base_policy: BasePolicy,
) -> Result<Survey, PipelineError> {
    if ctx.force {
        return Ok(Survey { done: vec![None; plan.jobs.len()] });
    }
    let manifest = ctx.store.manifest()?;
    let mut candidates: Vec<_> = plan.jobs.iter().map(|job| candidate(&manifest, job)).collect();
    let bases = bases(ctx.engine, plan, &candidates, base_policy);
    for (job, candidate) in plan.jobs.iter().zip(&mut candidates) {
        let wheel = candidate.as_ref().and_then(|entries| entries.first());
        if wheel.is_some_and(|wheel| !fits(wheel, job, base_policy, bases.get(&job.folder()))) {
            *candidate = None;
        }
    }
    let needed: BTreeSet<&str> =
        candidates.iter().flatten().flatten().map(|e| e.path.as_str()).collect();
    let needed: Vec<&Entry> =
        manifest.files.iter().filter(|entry| needed.contains(entry.path.as_str())).collect();
    let held = needed.par_iter().filter(|entry| ctx.store.holds(entry));
    let held: BTreeSet<&str> = held.map(|entry| entry.path.as_str()).collect();
    let mut infos = Infos::default();
    let done = plan.jobs.iter().zip(candidates).map(|(job, entries)| {
        let entries = entries?;
        let whole = entries.iter().all(|entry| held.contains(entry.path.as_str()));
        let wheel = entries.first().copied().filter(|_| whole)?;
        let is_locked = !matches!(ctx.lock, LockUse::Enforce)
            || !locked::differs(ctx, wheel, infos.of(ctx.store, job), job);
        is_locked.then(|| wheel.clone())
    });
    Ok(Survey { done: done.collect() })
}

/// The up-to-date wheel of `job`, followed by its metadata: a folder without checksums is not done, and neither is
/// a wheel without documents. Documents of other wheels do not count.
fn candidate<'a>(manifest: &'a Manifest, job: &Job) -> Option<Vec<&'a Entry>> {
    let interpreter = job.interpreter.to_string();
    let wheel = manifest.wheel(&job.target.name, &job.platform.to_string(), &interpreter)?;
    if wheel.build(&interpreter).is_none_or(|build| build.job != job.key) {
        return None;
    }
    let below = format!("{}/", job.folder());
    let beside = manifest.files.iter().filter(|entry| entry.path.starts_with(&below));
    let metadata = beside.filter(|entry| entry.kind == Kind::Metadata);
    let of_others = |entry: &&Entry| documented(&entry.path).is_some_and(|it| it != wheel.path);
    let metadata: Vec<&Entry> = metadata.filter(|entry| !of_others(entry)).collect();
    let documents = metadata.iter().filter(|entry| documented(&entry.path).is_some());
    if documents.count() < DOCUMENTS.len() {
        return None;
    }
    Some(std::iter::once(wheel).chain(metadata).collect())
}

/// The base image that `wheel` was built in for `job`.
fn base_used<'a>(wheel: &'a Entry, job: &Job) -> Option<&'a BaseUsed> {
    wheel.build(&job.interpreter.to_string())?.base.as_ref()
}

/// Returns whether `wheel` was built for `job` in exactly the image `base`.
pub(super) fn made_in(wheel: &Entry, job: &Job, base: &BaseImage) -> bool {
    base_used(wheel, job).is_some_and(|used| used.digest == base.digest)
}

/// Returns whether `job` pins the image that `wheel` was built in, so that no lookup is needed.
fn is_pinned(wheel: &Entry, job: &Job) -> bool {
    let pinned = job.target.digest.get(&job.platform);
    base_used(wheel, job).is_some_and(|used| Some(&used.digest) == pinned)
}

/// Returns whether `wheel` was built as `base_policy` allows, and in the image `present`, if there is one.
fn fits(wheel: &Entry, job: &Job, base_policy: BasePolicy, present: Option<&BaseImage>) -> bool {
    let made = base_used(wheel, job).map(|used| used.origin == Origin::Bootstrapped.as_str());
    let allowed = match base_policy {
        BasePolicy::Auto => made.is_some(),
        BasePolicy::Pull => made == Some(false),
        BasePolicy::Bootstrap => made == Some(true),
    };
    allowed && (is_pinned(wheel, job) || present.is_none_or(|base| made_in(wheel, job, base)))
}

/// For each folder with a candidate whose image is not pinned, the engine's current image. Queries engines
/// concurrently and ignores one that does not answer in time. Queries no registry.
fn bases(
    engine: &Engine,
    plan: &Plan,
    candidates: &[Option<Vec<&Entry>>],
    base_policy: BasePolicy,
) -> BTreeMap<String, BaseImage> {
    let pairs = plan.jobs.iter().zip(candidates);
    let wheel = |entries: &Vec<&Entry>| entries.first().copied().cloned();
    let open = pairs.filter_map(|(job, entries)| {
        let wheel = entries.as_ref().and_then(wheel)?;
        (!is_pinned(&wheel, job)).then(|| (job.folder(), job))
    });
    let open: BTreeMap<String, &Job> = open.collect();
    let found = open.into_par_iter().filter_map(|(folder, job)| {
        let image =
            base::present_within(engine, &job.target, &job.platform, base_policy).ok()??;
        Some((folder, image))
    });
    found.collect()
}

/// Reports of the folders of `dist/`, each read once.
#[derive(Default)]
struct Infos(BTreeMap<String, Option<BuildInfo>>);

impl Infos {
    fn of(&mut self, store: &Store, job: &Job) -> Option<&BuildInfo> {
        let read = |path: String| BuildInfo::parse(&store.read(&path).ok()??).ok();
        let folder = job.folder();
        let path = format!("{folder}/build-info.json");
        self.0.entry(folder).or_insert_with(|| read(path)).as_ref()
    }
}

/// Findings of the audits in `dist/`; each folder is read once.
pub(super) struct Audits<'a> {
    store: &'a Store,
    folders: BTreeMap<String, BTreeMap<String, Findings>>,
}

#[derive(Deserialize)]
struct AuditFile {
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
    #[serde(flatten)]
    warning: Warning,
}

impl<'a> Audits<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, folders: BTreeMap::new() }
    }

    /// The findings of one wheel; `None` if `audit.json` is unreadable or lacks the wheel.
    pub(super) fn of(&mut self, wheel: &Entry) -> Option<Findings> {
        let (folder, name) = wheel.path.split_once('/').unwrap_or_default();
        let store = self.store;
        let wheels = self.folders.entry(folder.to_owned()).or_insert_with(|| {
            let text = store.read(&format!("{folder}/audit.json")).ok().flatten();
            let audits = text.and_then(|text| serde_json::from_slice::<AuditFile>(&text).ok());
            let wheels = audits.map(|audits| audits.wheels).unwrap_or_default();
            wheels.into_iter().map(|audited| (audited.file, counted(audited.findings))).collect()
        });
        wheels.get(name).cloned()
    }
}

fn counted(found: Vec<Found>) -> Findings {
    let mut findings = Findings::default();
    for Found { severity, warning } in found {
        match severity.as_str() {
            "warning" => findings.warnings.push(warning),
            "ignored" => findings.ignored += 1,
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn findings_have_the_keys_of_the_report_schema() {
        let schema = include_str!("../../../wheel-audit/schema/report.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let keys = schema["$defs"]["finding"]["required"].as_array().unwrap();
        let finding = |severity: &str| {
            let mut finding: Map<String, Value> =
                keys.iter().map(|key| (key.as_str().unwrap().to_owned(), key.clone())).collect();
            finding.insert("severity".to_owned(), severity.into());
            serde_json::from_value::<Found>(finding.into()).unwrap()
        };
        let found = counted(["note", "warning", "ignored", "warning"].map(finding).into());
        let keys = found.warnings.iter().map(|w| [&w.code, &w.path, &w.message, &w.hint]);
        assert_eq!(keys.collect::<Vec<_>>(), [["code", "path", "message", "cure"]; 2]);
        assert_eq!(found.ignored, 1);
    }
}
