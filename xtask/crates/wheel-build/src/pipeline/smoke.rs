//! The smoke test, and the package's own tests after it.
//!
//! The smoke test: the wheel, under its own name, installed by pip in a clean container of its own
//! target and platform that has the interpreter and no compiler; its modules are imported from
//! what was installed, and a function of each is called.
//!
//! Both are stages of the same Dockerfile, so that they run wherever the build ran (an emulated
//! platform, another machine's engine) and a stopped run leaves no container behind.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;
use wheel_audit::UserError;
use wheel_audit::dist::{Grafted, Tests};
use wheel_audit::text::shown;

use super::env::{Context, PipelineError};
use super::source::versions::normal_name;
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
    /// The `Requires-Dist` lines of its METADATA.
    pub(super) requires: &'a [String],
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
    let ignored = &job.settings.test.ignore_requirements;
    if !ignored.is_empty() {
        let names = ignored.join(", ");
        watch.note(&format!(
            "{title}: the tests ignore the requirements {names} (`[test] ignore-requirements`); pip by \
             itself would not install this wheel there"
        ));
    }
    let mut bake = calls::smoke(ctx, job, base, context, &output, "rawjson");
    let requires = requires(wheel.requires, name, ignored);
    if !requires.is_empty() {
        bake.args.insert("SMOKE_REQUIRES", requires.join("\n"));
    }
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
    ctx.engine.bake(&bake, log, &mut |event| watch.event(&title, event)).map_err(|source| {
        match source.step() {
            Some(step) if is_of_tests(&step.name) => PipelineError::Tests { file, source },
            _ => PipelineError::Smoke { file, source },
        }
    })?;
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
    if job.settings.test.active().is_some() {
        export::report(&output, "test.json")?;
    }
    Ok(report.interpreter)
}

/// The requirements that are installed: those of `lines` whose project is not in `ignored`, and not the one of the
/// wheel `file`, whose extras require it. The installer evaluates the markers. A line that begins with no name could
/// be an option of the installer; pip refuses the wheel for it.
fn requires<'a>(lines: &'a [String], file: &str, ignored: &[String]) -> Vec<&'a str> {
    let own = file.split('-').next().map(str::to_owned);
    let ignored: Vec<String> = ignored.iter().chain(&own).map(|name| normal_name(name)).collect();
    let is_taken = |line: &&str| {
        line.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !ignored.contains(&normal_name(line))
    };
    lines.iter().map(|line| line.trim()).filter(is_taken).collect()
}

/// The outcome of the package's own tests for a job that got through, where they were `run`.
pub(super) fn outcome(job: &Job, run: bool) -> Tests {
    let test = &job.settings.test;
    match &test.command {
        None => Tests::None,
        Some(_) if run && !test.skip => Tests::Passed,
        Some(_) => Tests::Skipped,
    }
}

/// Whether a step is one of the package's own tests.
fn is_of_tests(step: &str) -> bool {
    ["test-env", "test-run", "/test-env.sh", "/test.sh"].iter().any(|name| step.contains(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_requirements_are_left_out_whatever_their_spelling() {
        let lines = ["Cffi>=2; python_version > '3'", " attrs", "cffi-extra"].map(str::to_owned);
        let all = ["Cffi>=2; python_version > '3'", "attrs", "cffi-extra"];
        assert_eq!(requires(&lines, "demo-1.whl", &[]), all);
        assert_eq!(requires(&lines, "demo-1.whl", &["CFFI".to_owned()]), all[1..]);
        assert_eq!(requires(&lines, "demo-1.whl", &["Cffi_-Extra".to_owned()]), all[..2]);
    }

    #[test]
    fn neither_the_project_itself_nor_an_option_is_installed() {
        let lines = ["My.Demo[cli]; extra == 'all'", "--index-url x", "-r y", "", "a (>=1)"];
        assert_eq!(
            requires(&lines.map(str::to_owned), "my_demo-1-py3-none-any.whl", &[]),
            ["a (>=1)"]
        );
    }
}
