//! `[repair]`: auditwheel copies libraries that a wheel needs and its target's tag does not guarantee into the
//! wheel.
//!
//! The stage follows the build stage, so that it finds the libraries that the build linked against. It repairs the
//! exported wheel, because the engine's cache may no longer have the build.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use wheel_audit::UserError;
use wheel_audit::audit::{Audit, Severity};
use wheel_audit::digest;
use wheel_audit::dist::{Grafted, Kind};
use wheel_audit::policy::PlatformTag;
use wheel_audit::text::shown;

use super::env::PipelineError;
use super::job_run::JobRun;
use super::work::Workspace;
use super::{base_images, calls, export};
use crate::config::RepairMode;
use crate::engine::base::BaseImage;
use crate::live::Stage;
use crate::plan::Job;

/// The finding that `mode = "auto"` repairs: a library that is neither in the wheel nor on every system.
const ABSENT_LIBRARY: &str = "ELF006";

/// A repaired wheel.
#[derive(Debug)]
pub(super) struct Repaired {
    /// The wheel, under the file name of its build.
    pub(super) path: Utf8PathBuf,
    /// Libraries that it contains now.
    pub(super) grafted: Vec<Grafted>,
    /// Report of the repair; `None` if another job did it.
    pub(super) report: Option<Report>,
}

/// Origin of a wheel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builder<'a> {
    /// The interpreter that built it for this job, if it is another one.
    pub(super) interpreter: Option<&'a str>,
    /// The base image, without a prebuilt image on it.
    pub(super) base: &'a BaseImage,
}

impl Builder<'_> {
    /// The job that built the wheel. Interpreters that share a wheel share its build settings, and the builder's
    /// repair applies to all of them.
    fn job(self, run: &JobRun<'_>) -> Job {
        let mut job = run.job.clone();
        if let Some(interpreter) = self.interpreter.and_then(|it| it.parse().ok()) {
            let (ctx, system) = (run.ctx, (&run.job.target, &run.job.platform));
            let settings = ctx.config.job_settings(interpreter, system, &BTreeMap::new());
            job.interpreter = interpreter;
            job.settings.repair = settings.repair;
        }
        job
    }
}

/// Report of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Version of auditwheel.
    pub auditwheel: String,
    /// Version of patchelf.
    pub patchelf: String,
    /// Libraries that the wheel contains now.
    pub grafted: Vec<Grafted>,
    /// Libraries that the wheel needs and the container lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// Repairs the wheel at `raw` if the job's settings and its `audit` require it.
///
/// # Errors
/// If auditwheel fails, or the container exports unexpected files.
pub(super) fn run(
    run: &JobRun<'_>,
    builder: Builder<'_>,
    (raw, audit): (&Utf8Path, &Audit),
    tag: PlatformTag,
) -> Result<Option<Repaired>, PipelineError> {
    let JobRun { ctx, job, workspace, log, watch, .. } = run;
    if builder.interpreter.is_some() {
        let sha256 = digest::of_file(raw)?;
        let files = ctx.store.manifest()?.files;
        if let Some(Kind::Wheel { grafted, .. }) =
            files.into_iter().find(|entry| entry.sha256 == sha256).map(|entry| entry.kind)
        {
            return Ok(Some(Repaired { path: raw.to_owned(), grafted, report: None }));
        }
    }
    let (title, name) = (job.title(), raw.file_name().unwrap_or_default());
    let job = builder.job(run);
    if !is_due(job.settings.repair.mode, audit) {
        return Ok(None);
    }
    let (base, _) = base_images::prepared(ctx, &job, builder.base, *watch)?;
    watch.stage(&title, Stage::Repair);
    let context = workspace.fresh("repair-wheel")?;
    fs_err::copy(raw, context.join(name))?;
    let output = workspace.fresh("repaired")?;
    // The stage starts from the build stage, so its arguments must be equal.
    let extra = Workspace::new(&ctx.work, &job)?.extra_requires();
    let bake = calls::repair(ctx, &job, &base, (context, tag), (&output, &extra));
    let baked = ctx.engine.bake(&bake, log, &mut |event| watch.event(&title, event));
    baked.map_err(|source| PipelineError::Repair { file: name.to_owned(), source })?;
    let wrong = |what: &str| {
        let message = format!("the repair of `{name}` {what}");
        PipelineError::Wrong(UserError::new(message).hint(format!("see the job's log, `{log}`")))
    };
    let report = export::report(&output, "repair.json")?;
    let report: Report = serde_json::from_slice(&report)
        .map_err(|error| wrong(&format!("wrote an invalid repair.json: {error}")))?;
    if !export::files(&output)?.iter().any(|(file, _)| file == name) {
        return Err(wrong("exported no wheel of this name"));
    }
    watch.note(&format!("{title}: {}", summary(&report)));
    watch.stage(&title, Stage::Audit);
    let (path, grafted) = (output.join(name), report.grafted.clone());
    Ok(Some(Repaired { path, grafted, report: Some(report) }))
}

fn is_due(mode: RepairMode, audit: &Audit) -> bool {
    let is_absent = || {
        let mut findings = audit.findings.iter();
        findings.any(|each| each.code == ABSENT_LIBRARY && each.severity == Severity::Error)
    };
    match mode {
        RepairMode::Off => false,
        RepairMode::Always => audit.facts.tag_claim != ["any"],
        RepairMode::Auto => is_absent(),
    }
}

/// Summary in one line: `repaired: libffi.so.8 (libffi8 3.4.4-1)`.
fn summary(report: &Report) -> String {
    let library = |each: &Grafted| shown(&each.to_string()).to_string();
    let grafted: Vec<String> = report.grafted.iter().map(library).collect();
    let grafted =
        if grafted.is_empty() { "nothing to graft".to_owned() } else { grafted.join(", ") };
    let missing: Vec<String> = report.missing.iter().map(|name| shown(name).to_string()).collect();
    let missing = if missing.is_empty() {
        String::new()
    } else {
        format!("; not in the build container: {}", missing.join(", "))
    };
    format!("repaired: {grafted}{missing}")
}
