//! `[repair]`: auditwheel puts the libraries that a wheel needs and its target's tag does not promise into
//! the wheel.
//!
//! It runs in a stage on top of the build, so that it finds the libraries that the build linked against. The
//! exported wheel is what it repairs: the engine's cache may have lost the build meanwhile.

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
use super::like::Place;
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
    /// The wheel, under the name that it was built with.
    pub(super) path: Utf8PathBuf,
    /// The libraries that are in it now.
    pub(super) grafted: Vec<Grafted>,
    /// What was done; `None` where another job did it.
    pub(super) report: Option<Report>,
}

/// Where a wheel comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builder<'a> {
    /// The interpreter that built it for this job, where it is another one.
    pub(super) interpreter: Option<&'a str>,
    /// The base image, without a pre-built one on it.
    pub(super) base: &'a BaseImage,
}

impl Builder<'_> {
    /// The job that built the wheel: interpreters that share a wheel share its build settings, and the builder's
    /// repair counts for all of them.
    fn job(self, place: &Place<'_>) -> Job {
        let mut job = place.job.clone();
        if let Some(interpreter) = self.interpreter.and_then(|it| it.parse().ok()) {
            let (ctx, system) = (place.ctx, (&place.job.target, &place.job.platform));
            let settings = ctx.config.job_settings(interpreter, system, &BTreeMap::new());
            job.interpreter = interpreter;
            job.settings.repair = settings.repair;
        }
        job
    }
}

/// What the container reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Version of auditwheel.
    pub auditwheel: String,
    /// Version of patchelf.
    pub patchelf: String,
    /// The libraries that are in the wheel now.
    pub grafted: Vec<Grafted>,
    /// Libraries that the wheel needs and the container lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// Repairs the wheel at `raw` where the job's settings and its `audit` call for it.
///
/// # Errors
/// When auditwheel fails, or the container does not export what it should.
pub(super) fn run(
    place: &Place<'_>,
    builder: Builder<'_>,
    (raw, audit): (&Utf8Path, &Audit),
    tag: PlatformTag,
) -> Result<Option<Repaired>, PipelineError> {
    let Place { ctx, job, workspace, log, watch, .. } = place;
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
    let job = builder.job(place);
    if !is_due(job.settings.repair.mode, audit) {
        return Ok(None);
    }
    let (base, _) = base_images::prepared(ctx, &job, builder.base, *watch)?;
    watch.stage(&title, Stage::Repair);
    let context = workspace.fresh("repair-wheel")?;
    fs_err::copy(raw, context.join(name))?;
    let output = workspace.fresh("repaired")?;
    // The stage starts from that of the build: its arguments must be equal.
    let extra = Workspace::new(&ctx.work, &job)?.extra_requires();
    let bake = calls::repair(ctx, &job, &base, (context, tag), (&output, &extra));
    let baked = ctx.engine.bake(&bake, log, &mut |event| watch.event(&title, event));
    baked.map_err(|source| PipelineError::Repair { file: name.to_owned(), source })?;
    let wrong = |what: &str| {
        let message = format!("the repair of `{name}` {what}");
        PipelineError::Wrong(UserError::new(message).hint(format!("read the job's log, `{log}`")))
    };
    let report = export::report(&output, "repair.json")?;
    let report: Report = serde_json::from_slice(&report)
        .map_err(|error| wrong(&format!("wrote a repair.json that cannot be read: {error}")))?;
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

/// One line: `repaired: libffi.so.8 (libffi8 3.4.4-1)`.
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
