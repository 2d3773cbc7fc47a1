//! Compares jobs with their entries in the lock file.

use camino::Utf8Path;
use serde_json::Value;
use wheel_audit::UserError;
use wheel_audit::dist::{DistFault, DistProblem, Entry, MANIFEST, Manifest, documents_of};
use wheel_audit::files;
use wheel_audit::text::shown;

use super::build_info::BuildInfo;
use super::calls;
use super::env::{Context, LockUse, PipelineError};
use super::export;
use super::work::Workspace;
use crate::engine::bake::{Bake, NoCache, Output};
use crate::engine::base::BaseImage;
use crate::engine::cache::Cached;
use crate::live::Watch;
use crate::lock::{self, Difference, Environment, LockFile};
use crate::plan::Job;

/// Name of the note that [`after`] adds to an interpreter.
const NOTE: &str = "lock";
/// Maximum number of differences in one message.
const MAX_SHOWN: usize = 20;

/// With `--locked`, compares the environment of `job` with the lock file before compiling. Builds only stages that
/// the build also needs.
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
    let found = environment(&info, job).ok_or_else(|| unreported(job))?;
    reject(job, &lock::environment_differences(locked, &found))
}

/// Compares the inputs of `job`'s wheel with the lock file: records them, rejects differences, or reports them.
/// `by` is the interpreter that built the wheel, if it is another one.
pub(super) fn after(
    ctx: &Context<'_>,
    job: &Job,
    info: BuildInfo,
    by: Option<&str>,
    watch: &dyn Watch,
) -> Result<BuildInfo, PipelineError> {
    let found = environment(&info, job);
    if let LockUse::Record(into) = ctx.lock {
        let found = found.clone().ok_or_else(|| unreported(job))?;
        into.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(found);
    }
    let (Some(locked), false) = (&job.locked.entry, ctx.lock.records()) else { return Ok(info) };
    let Some(found) = &found else {
        // No container of this interpreter ran.
        let is_untested = by.is_some() && !ctx.smoke;
        let is_enforced = matches!(ctx.lock, LockUse::Enforce) && !is_untested;
        return if is_enforced { Err(unreported(job)) } else { Ok(info) };
    };
    let mut differences = lock::differences(locked, found);
    // The job that built it compares the rest of its environment.
    differences.retain(|it| by.is_none() || it.belongs_to_test());
    if matches!(ctx.lock, LockUse::Enforce) {
        reject(job, &differences)?;
    }
    if !differences.is_empty() {
        watch.note(&format!(
            "{}: differs from the lock file:\n{}\nhint: `cargo xtask lock` records the new \
             versions; `wheels --locked` rejects them",
            job.title(),
            listed(&differences)
        ));
    }
    let interpreter = job.interpreter.to_string();
    Ok(info.noted(&interpreter, NOTE, &serde_json::json!({ "differences": differences })))
}

/// Returns whether the wheel of `job` in `dist/` was built or tested with other versions than the lock file's. The
/// versions are those of its provenance and of `info`, its folder's report.
pub(super) fn differs(
    ctx: &Context<'_>,
    wheel: &Entry,
    info: Option<&BuildInfo>,
    job: &Job,
) -> bool {
    let Some((_, file)) = &ctx.locks else { return true };
    let [_, provenance] = documents_of(&wheel.path);
    let provenance = ctx.store.read(&provenance).ok().flatten();
    let provenance = provenance.and_then(|text| serde_json::from_slice(&text).ok());
    let built = provenance.and_then(|it| lock::build_differences(file, &it));
    let info = info.and_then(|it| serde_json::to_value(it).ok());
    let id = job.interpreter.to_string();
    let tested = info.map(|it| lock::test_differences(file, &it, &id));
    [built, tested].iter().any(|it| it.as_ref().is_none_or(|it| !it.is_empty()))
}

/// Differences between the wheels in `dist` and the lock file `name`, one problem each. `dist` is untrusted;
/// unreadable files are not this rule's problem.
pub(crate) fn problems(dist: &Utf8Path, name: &str, file: &LockFile) -> Vec<DistProblem> {
    let bytes = |path: &str| files::list(dist, path).and_then(Result::ok);
    let json = |path: &str| serde_json::from_slice::<Value>(&bytes(path)?).ok();
    let manifest = bytes(MANIFEST).and_then(|bytes| Manifest::parse(&bytes).ok());
    let mut all = Vec::new();
    let mut add = |path: &str, found: Vec<Difference>| {
        let left = found.len().saturating_sub(MAX_SHOWN);
        let mut lines: Vec<_> = found.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        lines.extend((left > 0).then(|| format!("and {left} more")));
        all.extend(lines.iter().map(|line| DistProblem {
            fault: DistFault::Unlocked,
            path: path.to_owned(),
            message: format!("differs from `{name}`: {}", shown(line)),
        }));
    };
    for wheel in manifest.unwrap_or_default().files.iter().filter(|it| !it.builds().is_empty()) {
        let [_, provenance] = documents_of(&wheel.path);
        let built = json(&provenance).and_then(|it| lock::build_differences(file, &it));
        add(&provenance, built.unwrap_or_default());
        let folder = wheel.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("{folder}/build-info.json");
        let Some(info) = json(&path) else { continue };
        for build in wheel.builds() {
            let mut tested = lock::test_differences(file, &info, &build.interpreter);
            // The provenance names the interpreter that built the wheel.
            tested.retain(|it| build.built_by.is_some() || it.kind != "interpreter");
            add(&path, tested);
        }
    }
    all
}

fn environment(info: &BuildInfo, job: &Job) -> Option<Environment> {
    let info = serde_json::to_value(info).ok()?;
    let (id, snapshot) = (job.interpreter.to_string(), job.target.snapshot.as_deref());
    let mut found = Environment::of_build(&info, &id, snapshot)?;
    // A pulled image is identified by its digest.
    found.image.reference.clone_from(&job.target.image);
    Some(found)
}

/// A job without these facts has no entry, and no comparison with one.
fn unreported(job: &Job) -> PipelineError {
    PipelineError::Wrong(UserError::new(format!(
        "build-info.json of {} lacks `{}`, its version, its provider or the digest of the base image",
        job.title(),
        job.interpreter
    )))
}

fn reject(job: &Job, differences: &[Difference]) -> Result<(), PipelineError> {
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("{} differs from the lock file:\n{}", job.title(), listed(differences));
    Err(PipelineError::Wrong(UserError::new(message).hint(
        "`cargo xtask lock` records the new versions; set `snapshot` in `[[target]]` to build with \
         older packages",
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

/// Jobs without an entry in an existing lock file.
pub(crate) fn unlocked(jobs: &[Job]) -> Vec<&Job> {
    jobs.iter().filter(|job| job.locked.entry.is_none()).collect()
}
