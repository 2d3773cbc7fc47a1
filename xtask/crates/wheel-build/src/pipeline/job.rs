//! Runs one job: build, audit, tag, smoke test, commit.

use std::collections::BTreeMap;
use std::time::SystemTime;
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};

use super::base_images;
use super::build_info::{BuildInfo, Recipe, Requirement};
use super::calls;
use super::earlier;
use super::env::{Context, PipelineError};
use super::export;
use super::job_run::JobRun;
use super::like;
use super::locked;
use super::proofs;
use super::repair;
use super::sharing::Shared;
use super::smoke;
use super::work::{Built, Workspace};
use crate::config::TagPolicy;
use crate::engine::bake::Bake;
use crate::engine::base::BaseImage;
use crate::engine::failure::EngineError;
use crate::engine::prebuilt::Prebuilt;
use crate::live::{Stage, Watch};
use crate::plan::Job;
use crate::store::Change;
use wheel_audit::audit::{Audit, Expectations, Finding, Settings, Severity, audit_wheel};
use wheel_audit::digest;
use wheel_audit::dist::{BaseUsed, Entry, Grafted, Kind, Reproduced, Smoke, Tests, WheelBuild};
use wheel_audit::policy::{Arch, Libc, PlatformTag};
use wheel_audit::report;
use wheel_audit::text::shown;
use wheel_audit::wheel::{WheelName, finish};

/// Maximum number of builds of one job: a backend may request more after each build.
const EXTRA_FETCHES: usize = 3;
/// Maximum number of paths in one message.
const MAX_LISTED: usize = 10;

/// The wheel of a finished job.
#[derive(Debug, Clone)]
pub(super) struct FinishedJob {
    pub(super) entry: Entry,
    pub(super) fresh: bool,
}

/// Builds the wheel of `job` in `base`, or takes it from a job of `shared`, and commits it to `dist/`. Calls
/// `build_ended` when other jobs may take it.
pub(super) fn run(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    (shared, build_ended): (&Shared<'_>, &dyn Fn()),
    log: &Utf8Path,
    watch: &dyn Watch,
) -> Result<FinishedJob, PipelineError> {
    let title = job.title();
    let workspace = Workspace::new(&ctx.work, job)?;
    let resolved = base;
    let (base, prebuilt) = base_images::prepared(ctx, job, resolved, watch)?;
    let (base, prebuilt) = (&base, prebuilt.as_ref());
    let run = JobRun { ctx, job, base, workspace: &workspace, log, watch };
    let build = || {
        locked::before(ctx, job, base, &workspace, log, watch)?;
        build(&run, prebuilt, &|_| {})
    };
    // A lock file records the facts of each interpreter's own container.
    let built = if ctx.lock.records() {
        build()?
    } else {
        shared.built(ctx, (job, base), &workspace, watch, build)?
    };
    build_ended();
    let builder = built.by.clone().unwrap_or_else(|| job.interpreter.to_string());
    watch.stage(&title, Stage::Audit);
    let info = build_info(&workspace, job)?;
    let info = info.built_on(&builder, built.prebuilt.as_deref());
    let recipe = recipe(&workspace)?;
    if let Some(notice) = recipe.as_ref().and_then(Recipe::notice)
        && ctx.recipes.lock().is_ok_and(|mut known| known.insert(notice.clone()))
    {
        watch.note(&notice);
    }
    let info = match &recipe {
        Some(recipe) => info.made_by(&builder, recipe),
        None => info,
    };
    let info = with_requirements(info, &workspace, &builder)?;
    let info = if job.settings.build.network { info.not_isolated(&builder) } else { info };
    let raw = pick_wheel(&workspace, &built, job)?;
    let by = repair::Builder { interpreter: built.by.as_deref(), base: resolved };
    let mut wheel = audited(&run, by, &info, &raw)?;
    like::compare(&run, &mut wheel.audit, &wheel.path, wheel.libc)?;
    reject_failed(&wheel.audit, &wheel.path, |_| true)?;
    let (smoke, reported) = if ctx.smoke {
        watch.stage(&title, Stage::Smoke);
        let extensions = wheel.audit.facts.extensions(job.interpreter);
        let requires = &wheel.audit.facts.requires_dist;
        let grafted = &wheel.grafted;
        let tested = smoke::Tested { path: &wheel.path, extensions, requires, grafted };
        let reported = smoke::run(ctx, job, base, &tested, &workspace, log, watch)?;
        (Smoke::Passed, reported)
    } else {
        (Smoke::Skipped, smoke::Reported::default())
    };
    let info = match &wheel.repair {
        Some(report) => info.repaired_by(&builder, report),
        None => info,
    };
    let tests = smoke::outcome(job, ctx.smoke);
    let info = match built.by {
        Some(_) => info.tested_by(&job.interpreter.to_string(), reported.interpreter.as_ref()),
        None => info,
    };
    let info = reported.noted(info, &job.interpreter.to_string());
    let info = locked::after(ctx, job, info, built.by.as_deref(), watch)?;
    if ctx.lock.records() {
        return Ok(FinishedJob { entry: uncommitted(job, &wheel)?, fresh: true });
    }
    watch.stage(&title, Stage::Commit);
    let entry = commit(ctx, job, base, info, &wheel, (smoke, tests, built.by))?;
    Ok(FinishedJob { entry, fresh: true })
}

/// Builds the wheel of a job into its workspace. `adjust` may change the bake call.
pub(super) fn build(
    run: &JobRun<'_>,
    prebuilt: Option<&Prebuilt>,
    adjust: &dyn Fn(&mut Bake<'_>),
) -> Result<Built, PipelineError> {
    let JobRun { ctx, job, base, workspace, log, watch } = run;
    let title = job.title();
    watch.stage(&title, Stage::Build);
    let mut extra = workspace.extra_requires();
    let mut is_old = !extra.is_empty();
    for _ in 0..EXTRA_FETCHES {
        let export = workspace.new_export()?;
        let mut bake = calls::build(ctx, job, base, (&export, &extra));
        adjust(&mut bake);
        match ctx.engine.bake(&bake, log, &mut |event| watch.event(&title, event)) {
            // The package may have changed since the build that listed them.
            Err(error) if is_old && is_fetch(&error) => {
                watch.note(&format!(
                    "{title}: fetching failed; repeating it without the earlier requirements of the build backend"
                ));
                workspace.keep_extra_requires("")?;
                (extra, is_old) = (String::new(), false);
                continue;
            }
            answer => answer?,
        }
        is_old = false;
        let Some(wanted) = export::extra_requires(&export)? else {
            return Ok(workspace.keep(&export, &job.build_key, base, prebuilt)?);
        };
        if wanted == extra {
            break;
        }
        let listed = wanted.lines().map(|line| shown(line).to_string()).collect::<Vec<_>>();
        watch.note(&format!(
            "{title}: fetching requirements of the build backend: {}",
            listed.join(", ")
        ));
        workspace.keep_extra_requires(&wanted)?;
        extra = wanted;
    }
    Err(PipelineError::Wrong(
        UserError::new(format!(
            "the build backend has further requirements that were not fetched: {}",
            shown(&extra.replace('\n', ", "))
        ))
        .hint("list these requirements in `requires` in `[build]` of wheels.toml"),
    ))
}

/// Returns whether the requirements of the build cannot be fetched, although their source answers.
fn is_fetch(error: &EngineError) -> bool {
    let is_step = error.step().is_some_and(|step| step.name.contains("fetch-build"));
    is_step && error.source_down().is_none()
}

/// Adds the files that the builder's fetch steps fetched.
fn with_requirements(
    mut info: BuildInfo,
    workspace: &Workspace,
    builder: &str,
) -> Result<BuildInfo, PipelineError> {
    for kind in ["build", "crates"] {
        match export::report(&workspace.built_folder(), &format!("requirements-{kind}.json")) {
            Ok(text) => info = info.requiring(builder, kind, &Requirement::list(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(info)
}

/// The report of `build.sh`; `None` if the build wrote none, as cached builds of an earlier version do.
fn recipe(workspace: &Workspace) -> Result<Option<Recipe>, PipelineError> {
    match export::report(&workspace.built_folder(), "recipe.json") {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn build_info(workspace: &Workspace, job: &Job) -> Result<BuildInfo, PipelineError> {
    let text = export::report(&workspace.built_folder(), "build-info.json")?;
    let info =
        BuildInfo::parse(&text).map_err(|error| PipelineError::Wrong(UserError::new(error)))?;
    if let (Some(configured), Some(found)) = (job.target.libc, info.libc())
        && configured != found
    {
        return Err(PipelineError::Wrong(
            UserError::new(format!(
                "target `{}` has {configured} in wheels.toml, but its image has {found}",
                job.target.name
            ))
            .hint("correct `glibc` or `musl` of this `[[target]]` in wheels.toml, or its `image`"),
        ));
    }
    Ok(info)
}

/// Returns the one wheel for the job's interpreter. Any other number of wheels is an error of the recipe.
pub(super) fn pick_wheel(
    workspace: &Workspace,
    built: &Built,
    job: &Job,
) -> Result<Utf8PathBuf, PipelineError> {
    let wheels: Vec<&str> = built
        .files
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| Utf8Path::new(name).extension() == Some("whl"))
        .collect();
    let ours: Vec<_> = wheels
        .iter()
        .filter(|name| {
            let name = WheelName::parse(name);
            name.is_ok_and(|n| n.tags.expand().iter().any(|tag| job.interpreter.accepts(tag)))
        })
        .collect();
    let message = match ours.as_slice() {
        [one] => return Ok(workspace.built_folder().join(one)),
        [] => format!(
            "the build produced no wheel for {} (it produced: {})",
            job.interpreter,
            if wheels.is_empty() { "nothing".to_owned() } else { names(&wheels) }
        ),
        several => format!(
            "the build produced {} wheels for {}, expected one: {}",
            several.len(),
            job.interpreter,
            names(&several.iter().map(|name| **name).collect::<Vec<_>>())
        ),
    };
    let hint = "the build backend, or the recipe of the source's justfile, must write one wheel that this interpreter \
                can install";
    Err(PipelineError::Wrong(UserError::new(message).hint(hint)))
}

/// File names that a package chose, safe to print.
fn names(files: &[&str]) -> String {
    files.iter().map(|name| shown(name).to_string()).collect::<Vec<_>>().join(", ")
}

/// A wheel that passed the audit, under its final name.
pub(super) struct AuditedWheel {
    pub(super) path: Utf8PathBuf,
    audit: Audit,
    libc: Libc,
    /// Libraries that were grafted into it.
    grafted: Vec<Grafted>,
    repair: Option<repair::Report>,
}

pub(super) fn audited(
    run: &JobRun<'_>,
    by: repair::Builder<'_>,
    info: &BuildInfo,
    raw: &Utf8Path,
) -> Result<AuditedWheel, PipelineError> {
    let JobRun { ctx, job, workspace, .. } = run;
    let wrong =
        |error: &dyn std::fmt::Display| PipelineError::Wrong(UserError::new(error.to_string()));
    let libc = job.target.libc.or_else(|| info.libc()).ok_or_else(|| {
        let message = format!("the C library of the target `{}` is unknown", job.target.name);
        let hint = "set `glibc` or `musl` of this `[[target]]` in wheels.toml";
        PipelineError::Wrong(UserError::new(message).hint(hint))
    })?;
    let arch = job.platform.arch();
    let target_tag = libc.platform_tag(arch);
    let built_on = Some(libc);
    let expectations = Expectations { built_on, ..expectations(ctx, job, info, target_tag) };
    // Audit the wheel as built against its target before it is tagged. Rules of an index about the current name do
    // not apply to the final name.
    let unpublished = Settings { publish: false, ..ctx.settings.clone() };
    let first = |raw: &Utf8Path| {
        audit_wheel(raw, &expectations, &unpublished).map_err(|error| wrong(&error))
    };
    let as_built = first(raw)?;
    let repaired = repair::run(run, by, (raw, &as_built), target_tag)?;
    let (raw, first) = match &repaired {
        Some(repaired) => (repaired.path.as_path(), first(&repaired.path)?),
        None => (raw, as_built),
    };
    reject_failed(&first, raw, |code| !NOT_TAGGED_YET.contains(&code))?;
    let tag = match (ctx.config.check.tag, libc) {
        (TagPolicy::Linux, _) => PlatformTag::Linux(arch),
        // musl has no symbol versions: the floor is the version of the build system (PEP 656).
        (TagPolicy::Target, _) | (TagPolicy::Floor, Libc::Musl(..)) => target_tag,
        (TagPolicy::Floor, Libc::Glibc(..)) => floor_tag(&first, arch, raw)?,
    };
    let folder = workspace.fresh("proved")?;
    let tag_text = (first.facts.tag_claim != ["any"]).then(|| tag.to_string());
    // A wheel of another job already has the fixed times.
    let modified = recipe(workspace)?.and_then(|recipe| recipe.source_date_epoch);
    let path =
        finish(raw, &folder, tag_text.as_deref(), modified).map_err(|error| wrong(&error))?;
    let expectations = match ctx.config.check.tag {
        TagPolicy::Linux => Expectations { built_on, ..self::expectations(ctx, job, info, tag) },
        TagPolicy::Target | TagPolicy::Floor => expectations,
    };
    let audit = audit_wheel(&path, &expectations, &ctx.settings).map_err(|error| wrong(&error))?;
    reject_failed(&audit, &path, |_| true)?;
    let (grafted, repair) = repaired.map_or((Vec::new(), None), |it| (it.grafted, it.report));
    Ok(AuditedWheel { path, audit, libc, grafted, repair })
}

/// The tag of the `floor` policy: the newest glibc version that symbols require, as in auditwheel.
fn floor_tag(audit: &Audit, arch: Arch, raw: &Utf8Path) -> Result<PlatformTag, PipelineError> {
    audit.facts.floor_tag(arch).ok_or_else(|| {
        let file = raw.file_name().unwrap_or_default();
        let message =
            format!("no manylinux tag applies to `{file}`, but `tag = \"floor\"` requires one");
        let hint =
            "remove `tag` from `[check]` of wheels.toml: the wheel then has the tag of its target";
        PipelineError::Wrong(UserError::new(message).hint(hint))
    })
}

/// The glibc version that the wheel's symbols require, for tables: `2.4`, or `none`.
pub(crate) fn floor_text(audit: &Audit) -> String {
    audit.facts.floor.get("GLIBC").map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn expectations(ctx: &Context<'_>, job: &Job, info: &BuildInfo, tag: PlatformTag) -> Expectations {
    let own_level = ctx.config.check.isa.get(job.platform.engine_arch());
    Expectations {
        platform_tag: Some(tag),
        arch: Some(job.platform.arch()),
        interpreter: Some(job.interpreter),
        native: info.extension_reason(ctx.config.check.native),
        limit: None,
        built_on: None,
        isa: own_level.copied().into_iter().collect(),
    }
}

/// Findings of every wheel before it is tagged: it does not have its target's tag yet, and wheels.toml may make
/// TAG004 an error.
const NOT_TAGGED_YET: [&str; 2] = ["TAG101", "TAG004"];

/// Fails if the audit has an error whose code `counts`.
fn reject_failed(
    audit: &Audit,
    path: &Utf8Path,
    counts: impl Fn(&str) -> bool,
) -> Result<(), PipelineError> {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let wheel = path.file_name().unwrap_or_default();
    let mut groups: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for error in audit.findings.iter().filter(is_error).filter(|f| counts(f.code)) {
        // The caller already names the wheel.
        let members = error.places().map(|(path, _)| path).filter(|path| *path != wheel);
        match groups.iter_mut().find(|(f, _)| (f.code, &f.message) == (error.code, &error.message))
        {
            Some((_, all)) => all.extend(members),
            None => groups.push((error, members.collect())),
        }
    }
    let line = |(f, members): &(&Finding, Vec<&str>)| {
        let members =
            if members.is_empty() { String::new() } else { format!("{}: ", listed(members)) };
        format!("  {}: {members}{} ({})", f.code, f.message, f.help)
    };
    let lines: Vec<_> = groups.iter().map(line).collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(PipelineError::Audit { file: wheel.to_owned(), findings: lines.join("\n") })
}

/// The first of some paths, and the number of the others.
pub(crate) fn listed(paths: &[&str]) -> String {
    let (first, rest) = paths.split_at(paths.len().min(MAX_LISTED));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    first.join(", ") + &more
}

/// A wheel that tests what a lock file records and does not enter `dist/`.
fn uncommitted(job: &Job, wheel: &AuditedWheel) -> Result<Entry, PipelineError> {
    let kind = Kind::Wheel {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        verdict: "pass".to_owned(),
        builds: Vec::new(),
        floor: floor_text(&wheel.audit),
        grafted: Vec::new(),
    };
    let path = format!("{}/{}", job.folder(), wheel.path.file_name().unwrap_or_default());
    let (sha256, size) = (digest::of_file(&wheel.path)?, fs_err::metadata(&wheel.path)?.len());
    Ok(Entry { path, sha256, size, kind })
}

fn commit(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    mut info: BuildInfo,
    wheel: &AuditedWheel,
    (smoke, tests, built_by): (Smoke, Tests, Option<String>),
) -> Result<Entry, PipelineError> {
    let name = wheel.path.file_name().unwrap_or_default().to_owned();
    // One job at a time reads, merges and writes metadata of the folder.
    let _guard = ctx.committing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let earlier = ctx.store.read(&format!("{}/build-info.json", job.folder()))?;
    let earlier = earlier.and_then(|text| BuildInfo::parse(&text).ok());
    info.date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let info = info.joined(earlier.as_ref());
    let manifest = ctx.store.manifest()?;
    let sha256 = digest::of_file(&wheel.path)?;
    let path = format!("{}/{name}", job.folder());
    let interpreter = job.interpreter.to_string();
    let mut builds = earlier::shared_builds(ctx, &manifest, &path, &sha256, &interpreter)?;
    let base = BaseUsed { digest: base.digest.clone(), origin: base.origin.as_str().to_owned() };
    let job_key = job.key.clone();
    builds.push(WheelBuild {
        interpreter: interpreter.clone(),
        built_by: built_by.clone(),
        job: job_key,
        base: Some(base),
        smoke,
        tests,
        reproduced: Reproduced::Unknown,
        claimed: false,
    });
    builds.sort_by(|a, b| a.interpreter.cmp(&b.interpreter));
    let kind = Kind::Wheel {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        verdict: "pass".to_owned(),
        builds,
        floor: floor_text(&wheel.audit),
        grafted: wheel.grafted.clone(),
    };
    // Replaces the interpreter's earlier wheel, unless other interpreters share it.
    let old = manifest.wheel(&job.target.name, &job.platform.to_string(), &interpreter);
    let old = old.filter(|entry| entry.path == path || entry.builds().len() == 1);
    let old_name = old.and_then(|entry| entry.path.rsplit('/').next()).map(str::to_owned);
    let earlier = ctx.store.read(&format!("{}/audit.json", job.folder()))?;
    let audits = earlier::joined_audits(earlier, &wheel.audit, old_name.as_deref())?;
    let json = report::json_text(&info).map_err(std::io::Error::from)? + "\n";
    let (audit, grafted) = (&wheel.audit, wheel.grafted.as_slice());
    let built_by = built_by.as_deref();
    let file = &wheel.path;
    let proved = proofs::Wheel { file, path: &path, sha256: &sha256, audit, grafted, built_by };
    let mut metadata = proofs::documents(ctx, job, &info, &proved, &manifest)?;
    metadata.extend([
        ("build-info.json".to_owned(), json.into_bytes()),
        ("build-info.txt".to_owned(), info.text().into_bytes()),
        ("audit.json".to_owned(), audits),
    ]);
    let change = Change {
        files: vec![(wheel.path.clone(), kind.clone())],
        metadata,
        audited: audited_hash(wheel),
        replaced: old_name.into_iter().collect(),
    };
    ctx.store.commit(&job.folder(), &change)?;
    Ok(Entry { path, sha256, size: fs_err::metadata(&wheel.path)?.len(), kind })
}

/// Hash of the audited file, by its name.
fn audited_hash(wheel: &AuditedWheel) -> BTreeMap<String, String> {
    let facts = &wheel.audit.facts;
    facts.sha256.iter().map(|hash| (facts.file.clone(), hash.clone())).collect()
}
