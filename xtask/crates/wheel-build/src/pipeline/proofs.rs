//! Documents of a job's wheel (`proof`), from the reports of its build.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::build_info::BuildInfo;
use super::env::{Context, PipelineError};
use crate::plan::Job;
use crate::proof::{self, Facts};
use wheel_audit::audit::Audit;
use wheel_audit::digest;
use wheel_audit::dist::{Grafted, Manifest, documents_of};
use wheel_audit::wheel::WheelArchive;

/// Maximum size of a grafted library whose hash is recorded, in bytes.
const MAX_LIBRARY: u64 = 1 << 30;

/// A wheel whose documents are written.
pub(super) struct Wheel<'a> {
    /// Its path before it enters `dist/`.
    pub(super) file: &'a Utf8Path,
    /// Its path below `dist/`.
    pub(super) path: &'a str,
    /// SHA-256 of its bytes.
    pub(super) sha256: &'a str,
    pub(super) audit: &'a Audit,
    pub(super) grafted: &'a [Grafted],
    /// The interpreter that built it, if it is another job's.
    pub(super) built_by: Option<&'a str>,
}

/// The documents of `wheel`, by name; empty if the job that built it has written them.
pub(super) fn documents(
    ctx: &Context<'_>,
    job: &Job,
    info: &BuildInfo,
    wheel: &Wheel<'_>,
    manifest: &Manifest,
) -> Result<Vec<(String, Vec<u8>)>, PipelineError> {
    if wheel.built_by.is_some() && has_documents(ctx, wheel, manifest) {
        return Ok(Vec::new());
    }
    let own = job.interpreter.to_string();
    let builder = wheel.built_by.unwrap_or(&own);
    let interpreter = builder.parse().unwrap_or(job.interpreter);
    // Without the variables of `env-pass`: a value of this machine may be a secret.
    let place = (&job.target, &job.platform);
    let settings = ctx.config.job_settings(interpreter, place, &BTreeMap::new());
    let mut settings = serde_json::to_value(settings).map_err(std::io::Error::from)?;
    if let Some(settings) = settings.as_object_mut() {
        settings.remove("test");
    }
    let (target, platform) = (&job.target.name, &job.platform.to_string());
    let lock = ctx.locks.as_ref().and_then(|(name, file)| {
        Some((name.as_str(), file.locked(target, platform, builder).build_hash()?))
    });
    let info = serde_json::to_value(info).map_err(std::io::Error::from)?;
    let facts = Facts {
        file: wheel.path.rsplit('/').next().unwrap_or_default(),
        sha256: wheel.sha256,
        grafted: wheel.grafted,
        members: members(wheel),
        needed: needed(wheel.audit),
        target,
        platform,
        builder,
        info: &info,
        settings,
        snapshot: job.target.snapshot.as_deref(),
        lock,
    };
    Ok(proof::documents(&facts)?)
}

/// Returns whether `dist/` has this wheel with intact documents.
fn has_documents(ctx: &Context<'_>, wheel: &Wheel<'_>, manifest: &Manifest) -> bool {
    let entry = |path: &str| manifest.files.iter().find(|entry| entry.path == path);
    let is_same = entry(wheel.path).is_some_and(|entry| entry.sha256 == wheel.sha256);
    is_same
        && documents_of(wheel.path)
            .iter()
            .all(|path| entry(path).is_some_and(|entry| ctx.store.holds(entry)))
}

/// Hashes of the libraries grafted into `wheel`, without unreadable ones.
fn members<'a>(wheel: &Wheel<'a>) -> BTreeMap<&'a str, String> {
    let Ok(mut archive) = WheelArchive::open(wheel.file) else { return BTreeMap::new() };
    let each = wheel.grafted.iter().filter_map(|library| {
        let index = archive.position(&library.file)?;
        let bytes = archive.read(index, MAX_LIBRARY).ok()?;
        Some((library.file.as_str(), digest::of_bytes(&bytes)))
    });
    each.collect()
}

/// Libraries that the wheel's files need and the wheel lacks, each once.
fn needed(audit: &Audit) -> Vec<&str> {
    let name = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let own: BTreeSet<String> = audit.facts.elf.iter().map(|file| name(&file.path)).collect();
    let all = audit.facts.elf.iter().flat_map(|file| &file.needed);
    let others: BTreeSet<&str> =
        all.map(String::as_str).filter(|library| !own.contains(*library)).collect();
    others.into_iter().collect()
}
