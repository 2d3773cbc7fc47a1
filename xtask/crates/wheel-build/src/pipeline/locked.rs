//! What a job is held against: the entry of the lock file.

use camino::Utf8Path;
use wheel_audit::UserError;

use super::build_info::BuildInfo;
use super::calls;
use super::env::{Context, LockUse, PipelineError};
use super::export;
use super::work::Workspace;
use crate::engine::bake::{Bake, NoCache, Output};
use crate::engine::base::BaseImage;
use crate::engine::cache::Cached;
use crate::live::Watch;
use crate::lock::{self, Difference, Environment};
use crate::plan::Job;

/// Name of what [`after`] notes beside an interpreter.
const NOTE: &str = "lock";
/// Maximum number of differences in one message.
const MAX_SHOWN: usize = 20;

/// Compares the environment of `job` with the lock before anything is compiled in it, where differences are
/// failures. It builds no stage that the build does not have.
pub(super) fn before(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    workspace: &Workspace,
    log: &Utf8Path,
    watch: &dyn Watch,
) -> Result<(), PipelineError> {
    let (LockUse::Enforce, Some(locked)) = (ctx.lock, &job.locked.entry) else { return Ok(()) };
    let output = workspace.fresh("environment")?;
    let mut args = calls::common_args(ctx.config, job, base);
    args.insert("SOURCE_KIND", "none".to_owned());
    let bake = Bake {
        target: "build-info",
        platform: &job.platform,
        args,
        contexts: base.contexts.clone(),
        output: Output::Folder(&output),
        metadata: None,
        no_cache: NoCache::Nothing,
        cached: Cached::Read(calls::scopes(job)),
        progress: "rawjson",
    };
    let title = job.title();
    ctx.engine.bake(&bake, log, &mut |event| watch.event(&title, event))?;
    let text = export::report(&output, "build-info.json")?;
    let info =
        BuildInfo::parse(&text).map_err(|error| PipelineError::Wrong(UserError::new(error)))?;
    let Some(found) = environment(&info, job) else { return Ok(()) };
    refuse(job, &lock::environment_differences(locked, &found))
}

/// Compares what went into the wheel of `job` with the lock: records it, refuses differences, or notes and
/// reports them. `by` is the interpreter that built the wheel, where it is another one.
pub(super) fn after(
    ctx: &Context<'_>,
    job: &Job,
    info: BuildInfo,
    by: Option<&str>,
    watch: &dyn Watch,
) -> Result<BuildInfo, PipelineError> {
    let found = environment(&info, job);
    if let (LockUse::Record(into), Some(found)) = (ctx.lock, &found) {
        into.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(found.clone());
    }
    let (Some(locked), Some(found), false) = (&job.locked.entry, &found, ctx.lock.records()) else {
        return Ok(info);
    };
    let mut differences = lock::differences(locked, found);
    // The rest is the environment of the job that built it, which is compared there.
    let own = |it: &Difference| by.is_none() || ["interpreter", "smoke", "test"].contains(&it.kind);
    differences.retain(own);
    if matches!(ctx.lock, LockUse::Enforce) {
        refuse(job, &differences)?;
    }
    if !differences.is_empty() {
        watch.note(&format!(
            "{}: differs from the lock:\n{}\nhint: `cargo xtask lock` records the new versions; \
             `wheels --locked` refuses them",
            job.title(),
            listed(&differences)
        ));
    }
    let interpreter = job.interpreter.to_string();
    Ok(info.noted(&interpreter, NOTE, &serde_json::json!({ "differences": differences })))
}

/// Whether `info`, the report of a folder of `dist/`, notes that the wheel of `job` differs from the lock.
pub(super) fn differs(info: &BuildInfo, job: &Job) -> bool {
    let id = job.interpreter.to_string();
    let list = info.rest.get("interpreters").and_then(|list| list.as_array());
    let own = list.into_iter().flatten().find(|it| it["id"] == id.as_str());
    own.is_none_or(|it| it[NOTE]["differences"].as_array().is_none_or(|list| !list.is_empty()))
}

fn environment(info: &BuildInfo, job: &Job) -> Option<Environment> {
    let info = serde_json::to_value(info).ok()?;
    let (id, snapshot) = (job.interpreter.to_string(), job.target.snapshot.as_deref());
    let mut found = Environment::of_build(&info, &id, snapshot)?;
    // A pulled image is called by its digest.
    found.image.reference.clone_from(&job.target.image);
    Some(found)
}

fn refuse(job: &Job, differences: &[Difference]) -> Result<(), PipelineError> {
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("{} differs from the lock:\n{}", job.title(), listed(differences));
    Err(PipelineError::Wrong(UserError::new(message).hint(
        "`cargo xtask lock` records the new versions; older packages are available with `snapshot` in \
         `[[target]]`",
    )))
}

fn listed(differences: &[Difference]) -> String {
    let lines = differences.iter().take(MAX_SHOWN).map(|it| format!("  {it}"));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    if differences.len() > MAX_SHOWN {
        text.extend(["\n  and ", &(differences.len() - MAX_SHOWN).to_string(), " more"]);
    }
    text
}

/// The jobs without an entry, where the repository has a lock.
pub(crate) fn unlocked(jobs: &[Job]) -> Vec<&Job> {
    jobs.iter().filter(|job| job.locked.entry.is_none()).collect()
}
