//! The smoke test: the wheel, under its own name, installed by pip in a clean container of its own
//! target and platform that has the interpreter and no compiler; its modules are imported from
//! what was installed, and a function of each is called.
//!
//! It is a stage of the same Dockerfile, so that it runs wherever the build ran (an emulated
//! platform, another machine's engine) and a stopped run leaves no container behind.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;
use wheel_audit::UserError;
use wheel_audit::dist::Grafted;
use wheel_audit::text::shown;

use super::env::{Context, PipelineError};
use super::work::Workspace;
use super::{calls, export};
use crate::engine::base::BaseImage;
use crate::live::Watch;
use crate::plan::Job;

/// A wheel that is tested.
pub(super) struct Tested<'a> {
    /// Where it lies, under its own name.
    pub(super) path: &'a Utf8Path,
    /// Its extension modules for the job's interpreter.
    pub(super) extensions: Vec<&'a str>,
    /// The libraries that were put into it.
    pub(super) grafted: &'a [Grafted],
}

/// Tests the wheel; returns what the container reports of its interpreter.
pub(super) fn run(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    wheel: &Tested<'_>,
    workspace: &Workspace,
    log: &Utf8Path,
    watch: &dyn Watch,
) -> Result<Option<serde_json::Value>, PipelineError> {
    let title = job.title();
    let name = wheel.path.file_name().unwrap_or_default();
    let context = workspace.fresh("smoke-wheel")?;
    fs_err::copy(wheel.path, context.join(name))?;
    let output = workspace.fresh("smoke")?;
    let without = ctx.config.check.left_out(job.interpreter);
    if !without.is_empty() {
        let names = without.join(", ");
        watch.note(&format!(
            "{title}: smoke test without {names}, as `[check.smoke_without]` says; pip by itself would \
             not install this wheel there"
        ));
    }
    let mut bake = calls::smoke(ctx, job, base, context, &output, "rawjson");
    if ctx.config.check.imports.is_empty() {
        bake.args.insert("SMOKE_IMPORTS", wheel.extensions.join(" "));
    }
    if !wheel.grafted.is_empty() {
        let libraries = wheel.grafted.iter().map(|each| (&each.library, &each.file));
        let libraries: BTreeMap<_, _> = libraries.collect();
        let text = serde_json::to_string(&libraries).unwrap_or_default();
        bake.args.insert("SMOKE_GRAFTED", text);
    }
    let file = name.to_owned();
    ctx.engine
        .bake(&bake, log, &mut |event| watch.event(&title, event))
        .map_err(|source| PipelineError::Smoke { file, source })?;
    let report = export::report(&output, "smoke.json").ok();
    let report = report.and_then(|text| serde_json::from_slice::<Report>(&text).ok());
    let Some(report) = report else {
        let message = format!("the smoke test of `{name}` passed but wrote no valid smoke.json");
        return Err(PipelineError::Wrong(UserError::new(message)));
    };
    for check in report.checks.iter().filter(|check| check.skipped) {
        let (subject, detail) = (shown(&check.subject), shown(&check.detail));
        let text = format!("{title}: warning: entry point `{subject}` was not started: {detail}");
        watch.note(&text);
    }
    Ok(report.interpreter)
}

/// What the container reports.
#[derive(Deserialize)]
struct Report {
    interpreter: Option<serde_json::Value>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    subject: String,
    detail: String,
    #[serde(default)]
    skipped: bool,
}
