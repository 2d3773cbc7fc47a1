//! The smoke test and the package tests.
//!
//! The smoke test installs the wheel with pip in a clean container of its target and platform, which has the
//! interpreter and no compiler. It imports the installed modules and calls a function of each.
//!
//! Both are stages of the same Dockerfile, so they run where the build ran (an emulated platform, a remote engine). A
//! stopped run leaves no container behind.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wheel_audit::UserError;
use wheel_audit::dist::{Grafted, Tests};
use wheel_audit::text::shown;

use super::build_info::{BuildInfo, Requirement};
use super::env::{Context, PipelineError};
use super::source::versions::normal_name;
use super::work::Workspace;
use super::{calls, export};
use crate::config::Config;
use crate::engine::base::BaseImage;
use crate::live::Watch;
use crate::plan::Job;

pub(super) struct Tested<'a> {
    /// Its path, under its final name.
    pub(super) path: &'a Utf8Path,
    /// Its extension modules for the job's interpreter.
    pub(super) extensions: Vec<&'a str>,
    /// The `Requires-Dist` lines of its METADATA.
    pub(super) requires: &'a [String],
    /// Libraries that were grafted into it.
    pub(super) grafted: &'a [Grafted],
}

/// Report of the test container.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) interpreter: Option<serde_json::Value>,
    /// Files that were fetched for the smoke test and the package tests.
    requirements: Vec<(&'static str, Vec<Requirement>)>,
}

impl Reported {
    /// Adds the fetched files to the entry of `interpreter` in `info`.
    pub(super) fn noted(&self, info: BuildInfo, interpreter: &str) -> BuildInfo {
        let list = self.requirements.iter();
        list.fold(info, |info, (kind, list)| info.requiring(interpreter, kind, list))
    }
}

/// Tests the wheel and returns the container's report.
pub(super) fn run(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    wheel: &Tested<'_>,
    workspace: &Workspace,
    log: &Utf8Path,
    watch: &dyn Watch,
) -> Result<Reported, PipelineError> {
    let title = job.title();
    let name = wheel.path.file_name().unwrap_or_default();
    let context = workspace.fresh("smoke-wheel")?;
    fs_err::copy(wheel.path, context.join(name))?;
    let output = workspace.fresh("smoke")?;
    let ignored = &job.settings.test.ignore_requirements;
    if !ignored.is_empty() {
        let names = ignored.join(", ");
        watch.note(&format!(
            "{title}: the tests ignore the requirements {names} (`[test] ignore-requirements`); \
             pip alone would not install this wheel there"
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
    let report: Report = report(&output, "smoke.json")?;
    let requested = requested(ctx.config, job, wheel);
    report.answers(&requested).map_err(|reason| rejected(name, &reason))?;
    let mut is_separate = report.unprivileged;
    for check in report.checks.iter().filter(|check| check.skipped) {
        let (subject, detail) = (shown(&check.subject), shown(&check.detail));
        let text = format!("{title}: warning: entry point `{subject}` was not started: {detail}");
        watch.note(&text);
    }
    if job.settings.test.active().is_some() {
        let tests: TestReport = self::report(&output, "test.json")?;
        if tests.schema_version != SCHEMA_VERSION || tests.status != 0 {
            return Err(rejected(name, &format!("the tests ended with status {}", tests.status)));
        }
        is_separate &= tests.unprivileged;
        if job.settings.test.network {
            let text = "the tests were able to use the network (`[test] network = true`)";
            watch.note(&format!("{title}: warning: {text}"));
        }
    }
    if !is_separate {
        let text = "the engine has only one user: code of the package ran as root and could change \
                    the test reports";
        watch.note(&format!("{title}: warning: {text}"));
    }
    let mut requirements = Vec::new();
    for kind in ["smoke", "test"] {
        match export::report(&output, &format!("requirements-{kind}.json")) {
            Ok(text) => requirements.push((kind, Requirement::list(&text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reported { interpreter: report.interpreter, requirements })
}

/// Parses a report of the container. It must be complete, because an exit status alone proves nothing.
fn report<T: DeserializeOwned>(output: &Utf8Path, name: &str) -> Result<T, PipelineError> {
    let text = export::report(output, name)?;
    serde_json::from_slice(&text).map_err(|error| rejected(name, &error.to_string()))
}

fn rejected(name: &str, reason: &str) -> PipelineError {
    let message = format!("the test report of `{}` is invalid: {}", shown(name), shown(reason));
    let hint = "see the log for the output of the tests; `wheels --no-cache` runs them again";
    PipelineError::Wrong(UserError::new(message).hint(hint))
}

/// Kind and subject of each check that the container must answer. It finds the entry points itself.
fn requested(config: &Config, job: &Job, wheel: &Tested<'_>) -> Vec<(&'static str, String)> {
    let check = &config.check;
    let mut imports: Vec<&str> = check.imports.iter().map(String::as_str).collect();
    if imports.is_empty() {
        imports.clone_from(&wheel.extensions);
    }
    let more = check.calls.keys().map(String::as_str).filter(|name| !imports.contains(name));
    let more: Vec<&str> = more.collect();
    let imports = imports.into_iter().chain(more).map(|name| ("import", name.to_owned()));
    let calls = check.calls.values().flatten().map(|call| ("call", call.clone()));
    let commands = check.commands.iter().map(|command| ("command", command.clone()));
    let grafted = wheel.grafted.iter().map(|each| ("grafted", each.library.clone()));
    let is_free = job.interpreter.is_free_threaded();
    let gil = is_free.then(|| ("gil", "off before any import".to_owned()));
    imports.chain(calls).chain(commands).chain(grafted).chain(gil).collect()
}

/// Requirements to install: those of `lines` whose project is neither in `ignored` nor the project of `file`, whose
/// extras require it. The installer evaluates markers. A line that does not start with a name could be an installer
/// option; pip rejects the wheel for it.
fn requires<'a>(lines: &'a [String], file: &str, ignored: &[String]) -> Vec<&'a str> {
    let own = file.split('-').next().map(str::to_owned);
    let ignored: Vec<String> = ignored.iter().chain(&own).map(|name| normal_name(name)).collect();
    let is_taken = |line: &&str| {
        line.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !ignored.contains(&normal_name(line))
    };
    lines.iter().map(|line| line.trim()).filter(is_taken).collect()
}

/// Outcome of the package tests of a successful job; `run`: whether they ran.
pub(super) fn outcome(job: &Job, run: bool) -> Tests {
    let test = &job.settings.test;
    match &test.command {
        None => Tests::None,
        Some(_) if run && !test.skip => Tests::Passed,
        Some(_) => Tests::Skipped,
    }
}

/// Returns whether a step belongs to the package tests.
fn is_of_tests(step: &str) -> bool {
    ["test-requires", "test-fetch", "test-env", "test-run", "/test.sh"]
        .iter()
        .any(|name| step.contains(name))
}

/// Version of the reports' format.
const SCHEMA_VERSION: u32 = 2;

/// Report of the smoke test.
#[derive(Deserialize)]
pub(crate) struct Report {
    schema_version: u32,
    /// True if the package's code ran as another user than the one that wrote the report.
    unprivileged: bool,
    interpreter: Option<serde_json::Value>,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    kind: String,
    subject: String,
    ok: bool,
    detail: String,
    #[serde(default)]
    skipped: bool,
}

/// Report of the package tests.
#[derive(Deserialize)]
struct TestReport {
    schema_version: u32,
    status: i32,
    unprivileged: bool,
}

impl Report {
    /// Requires a successful answer to each of the `requested` checks, and no other answers except entry points.
    /// The error is the reason.
    pub(crate) fn answers(&self, requested: &[(&'static str, String)]) -> Result<(), String> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(format!("smoke.json has version {}", self.schema_version));
        }
        if let Some(check) = self.checks.iter().find(|check| !check.ok) {
            return Err(format!("{} `{}` failed: {}", check.kind, check.subject, check.detail));
        }
        let mut open: Vec<_> = requested.iter().map(|(kind, it)| (*kind, it.as_str())).collect();
        for check in self.checks.iter().filter(|check| check.kind != "entry-point") {
            let answered = (check.kind.as_str(), check.subject.as_str());
            match open.iter().position(|each| *each == answered && !check.skipped) {
                Some(at) => open.swap_remove(at),
                None => {
                    return Err(format!(
                        "{} `{}` is not a requested check",
                        check.kind, check.subject
                    ));
                }
            };
        }
        match open.first() {
            Some((kind, subject)) => Err(format!("{kind} `{subject}` was not checked")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn ignored_requirements_are_removed_in_any_spelling() {
        let lines = ["Cffi>=2; python_version > '3'", " attrs", "cffi-extra"].map(str::to_owned);
        let all = ["Cffi>=2; python_version > '3'", "attrs", "cffi-extra"];
        assert_eq!(requires(&lines, "demo-1.whl", &[]), all);
        assert_eq!(requires(&lines, "demo-1.whl", &["CFFI".to_owned()]), all[1..]);
        assert_eq!(requires(&lines, "demo-1.whl", &["Cffi_-Extra".to_owned()]), all[..2]);
    }

    #[test]
    fn a_valid_report_answers_each_requested_check() {
        let requested = [("import", "a".to_owned()), ("call", "a".to_owned())];
        let answers = |version: u32, checks: &[(&str, &str, bool, bool)]| {
            let checks = checks.iter().map(|(kind, subject, ok, skipped)| {
                serde_json::json!({"kind": kind, "subject": subject, "ok": ok, "skipped": skipped, "detail": ""})
            });
            let checks: Vec<_> = checks.collect();
            let json = serde_json::json!(
                {"schema_version": version, "unprivileged": true, "interpreter": null, "checks": checks}
            );
            let report: Report = serde_json::from_value(json).unwrap();
            report.answers(&requested).is_ok()
        };
        let import = ("import", "a", true, false);
        let call = ("call", "a", true, false);
        let point = ("entry-point", "b = c:d", true, true);
        assert!(answers(2, &[call, import, point]));
        assert!(!answers(1, &[call, import]));
        assert!(!answers(2, &[]), "an empty report");
        assert!(!answers(2, &[import]) && !answers(2, &[import, import]));
        assert!(
            !answers(2, &[call, import, import])
                && !answers(2, &[call, import, ("import", "b", true, false)])
        );
        assert!(!answers(2, &[call, ("import", "a", true, true)]), "skipped");
        assert!(!answers(2, &[call, ("import", "a", false, false)]), "failed");
        assert!(!answers(2, &[call, import, ("entry-point", "b = c:d", false, false)]));
    }

    #[test]
    fn the_project_itself_and_options_are_not_installed() {
        let lines = ["My.Demo[cli]; extra == 'all'", "--index-url x", "-r y", "", "a (>=1)"];
        assert_eq!(
            requires(&lines.map(str::to_owned), "my_demo-1-py3-none-any.whl", &[]),
            ["a (>=1)"]
        );
    }
}
