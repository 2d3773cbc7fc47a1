//! `cargo xtask try`: installs and loads wheels in a clean container of a system.
//!
//! One bake call for each system runs all wheels, in the stages `try-*` of the Dockerfile. They run where builds
//! run (emulated, on a remote engine), and a stopped run leaves no container behind.

mod verdict;

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheel_audit::UserError;
use wheel_audit::audit::{Audit, Cell, State};
use wheel_audit::files;
use wheel_audit::policy::{Distribution, Policies};
use wheel_audit::report::WIDTH;
use wheel_audit::text::shown;
use wheel_audit::wheel::{Interpreter, WheelName};

use super::calls::environment_args;
use super::env::PipelineError;
use super::export;
use crate::config::{Config, Platform, Target};
use crate::engine::Engine;
use crate::engine::bake::{Bake, NoCache, Output};
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::engine::cache::Cached;
use crate::live::{Stage, Watch};
use verdict::SystemReport;
pub(crate) use verdict::{Agreement, Observed};

/// Version of the report of `scripts/try.py`.
const SCHEMA_VERSION: u32 = 1;

/// A wheel to try.
pub(crate) struct Wheel {
    pub path: Utf8PathBuf,
    /// Its audit.
    pub audit: Audit,
    pub platform: Platform,
}

/// A system to try wheels on.
#[derive(Debug, Clone)]
pub(crate) struct TrialSystem {
    pub target: Target,
    /// Facts about it for the audit.
    pub distribution: Distribution,
}

/// The result of a wheel on a system.
#[derive(Debug, Serialize)]
pub(crate) struct Trial {
    pub wheel: String,
    /// Name of the system, e.g. `debian12`.
    pub system: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    /// Prediction of the audit, as [`State::as_str`].
    pub predicted: &'static str,
    /// Reason for the prediction.
    pub reason: String,
    /// Comparison of the result with the prediction.
    pub agreement: Agreement,
    /// The result in the same words; `None` if nothing was tried.
    pub result: Option<&'static str>,
    /// All observations.
    pub observed: Option<Observed>,
    /// Why nothing was tried.
    pub error: Option<String>,
}

/// State that all systems of a run share.
pub(crate) struct TrialRun<'a> {
    pub config: &'a Config,
    pub engine: &'a Engine,
    /// xtask's work folder.
    pub work: &'a Utf8Path,
    /// How to obtain base images.
    pub base_policy: BasePolicy,
}

impl TrialRun<'_> {
    /// Tries all of `wheels` for `platform` on a system. Skips wheels for machines that the system does not
    /// support.
    ///
    /// # Errors
    /// If the container cannot be run, or its report is incomplete.
    pub(crate) fn on(
        &self,
        system: &TrialSystem,
        platform: &Platform,
        wheels: &[Wheel],
        watch: &dyn Watch,
    ) -> Result<Vec<Trial>, PipelineError> {
        let predicted = predictions(system, platform, wheels);
        if predicted.is_empty() {
            return Ok(Vec::new());
        }
        let title = system.target.folder(platform);
        let mut note = |text: &str| watch.note(&format!("{title}: {text}"));
        let (target, images) = (&system.target, self.work.join("base"));
        let engine = self.engine.on(platform);
        let base = base::resolve(&engine, target, platform, self.base_policy, &images, &mut note)?;
        let (context, output) = self.folders(system, platform);
        files::remove_folder(&output)?;
        fs_err::create_dir_all(&output)?;
        copy_wheels(&context, &predicted)?;
        let bake = self.call(system, platform, &base, &predicted, (&context, &output));
        let log = self.work.join("logs").join(format!("{title}-try.log"));
        watch.stage(&title, Stage::Try);
        let start = std::time::Instant::now();
        let result = engine.bake(&bake, &log, &mut |event| watch.event(&title, event));
        files::remove_folder(&context)?;
        result?;
        watch.ended(&title, "tried", start.elapsed().as_secs_f64());
        let report = report(&output)?;
        let limits =
            Policies::builtin().limits(system.distribution.libc.platform_tag(platform.arch()));
        let is_promised = |name: &str| limits.as_ref().is_some_and(|limits| limits.library(name));
        if !report.unprivileged {
            note("warning: the engine cannot switch to `nobody`: code of the wheels ran as root");
        }
        let trial = |(index, (wheel, cell)): (usize, &(&Wheel, Cell))| {
            let observed = report.wheels.get(&index.to_string()).cloned();
            let observed = observed.ok_or_else(|| rejected("a wheel is missing"))?;
            let observed = observed.on_promised(is_promised);
            let agreement = observed.agreement(cell);
            let result = Some(observed.as_str());
            let observed = Some(observed);
            Ok(Trial { agreement, result, observed, ..untried(system, wheel, cell) })
        };
        predicted.iter().enumerate().map(trial).collect()
    }

    /// The results for a system that could not be used: each wheel untried.
    pub(crate) fn failed(
        system: &TrialSystem,
        platform: &Platform,
        wheels: &[Wheel],
        error: &PipelineError,
    ) -> Vec<Trial> {
        let all = predictions(system, platform, wheels);
        let trial = |(wheel, cell): &(&Wheel, Cell)| Trial {
            error: Some(error.to_string()),
            ..untried(system, wheel, cell)
        };
        all.iter().map(trial).collect()
    }

    /// The commands that try wheels on a system, for pasting.
    pub(crate) fn commands(
        &self,
        system: &TrialSystem,
        platform: &Platform,
        wheels: &[Wheel],
    ) -> String {
        let predicted = predictions(system, platform, wheels);
        if predicted.is_empty() {
            return String::new();
        }
        let (target, engine) = (&system.target, self.engine);
        let (context, output) = self.folders(system, platform);
        let mut lines = vec![format!("# {}, with these predictions:", target.folder(platform))];
        let line = |(wheel, cell): &(&Wheel, Cell)| {
            format!("#   {}: {}", shown(name(wheel)), cell.state.as_str())
        };
        lines.extend(predicted.iter().map(line));
        let base = base::present(engine, target, platform).unwrap_or_else(|| {
            lines.push(base::pull_step(engine, target, platform).folded(WIDTH));
            base::unresolved(target, platform)
        });
        lines.push(format!("# then xtask puts each wheel into a folder of {context}/:"));
        let mut bake = self.call(system, platform, &base, &predicted, (&context, &output));
        bake.progress = "plain";
        let step = engine.bake_step(&bake);
        lines.push(step.map_or_else(|error| format!("# {error}"), |step| step.folded(WIDTH)));
        lines.join("\n")
    }

    /// Build context of the wheels, and folder of the report.
    fn folders(&self, system: &TrialSystem, platform: &Platform) -> (Utf8PathBuf, Utf8PathBuf) {
        let folder = self.work.join("try").join(system.target.folder(platform));
        (folder.join("wheels"), folder.join("output"))
    }

    fn call<'a>(
        &self,
        system: &'a TrialSystem,
        platform: &'a Platform,
        base: &BaseImage,
        wheels: &[(&Wheel, Cell)],
        (context, output): (&Utf8Path, &'a Utf8Path),
    ) -> Bake<'a> {
        let settings = self.config.environment_settings(&system.target, platform);
        let mut args = environment_args(self.config, (&system.target, platform), &settings, base);
        args.insert("TRY_PYTHONS", pythons(wheels));
        let mut contexts = base.contexts.clone();
        contexts.insert("wheel".to_owned(), context.to_string());
        Bake {
            target: "try",
            platform,
            args,
            contexts,
            output: Output::Folder(output),
            metadata: None,
            no_cache: NoCache::Nothing,
            cached: Cached::No,
            progress: "rawjson",
        }
    }
}

/// The wheels to try on a system, with their predictions.
fn predictions<'a>(
    system: &TrialSystem,
    platform: &Platform,
    wheels: &'a [Wheel],
) -> Vec<(&'a Wheel, Cell)> {
    let own = wheels.iter().filter(|wheel| wheel.platform == *platform);
    let predicted = own.map(|wheel| (wheel, wheel.audit.on(&system.distribution)));
    predicted.filter(|(_, cell)| cell.state != State::Absent).collect()
}

/// Copies each wheel into its own folder: two wheels may have the same name.
fn copy_wheels(context: &Utf8Path, wheels: &[(&Wheel, Cell)]) -> Result<(), PipelineError> {
    files::remove_folder(context)?;
    for (index, (wheel, _)) in wheels.iter().enumerate() {
        let folder = context.join(index.to_string());
        fs_err::create_dir_all(&folder)?;
        let copy = folder.join(name(wheel));
        // A hard link if possible, because wheels are large.
        if fs_err::hard_link(&wheel.path, &copy).is_err() {
            fs_err::copy(&wheel.path, &copy)?;
        }
    }
    Ok(())
}

fn name(wheel: &Wheel) -> &str {
    wheel.path.file_name().unwrap_or_default()
}

/// Interpreters of the wheels, as uv requests them: `cpython-3.13`, `cpython-3.14+freethreaded`, `pypy-3.11`.
fn pythons(wheels: &[(&Wheel, Cell)]) -> String {
    let names = wheels.iter().filter_map(|(wheel, _)| WheelName::parse(name(wheel)).ok());
    let tags = names.flat_map(|name| name.tags.expand());
    let interpreters = tags.filter_map(|tag| tag.lowest_interpreter());
    let requests: BTreeSet<_> = interpreters.filter_map(request).collect();
    requests.into_iter().collect::<Vec<_>>().join(" ")
}

fn request(interpreter: Interpreter) -> Option<String> {
    let (major, minor) = interpreter.python_version();
    let kind = match (interpreter.is_cpython(), interpreter.is_pypy()) {
        (true, _) => "cpython",
        (_, true) => "pypy",
        _ => return None,
    };
    let threading = if interpreter.is_free_threaded() { "+freethreaded" } else { "" };
    Some(format!("{kind}-{major}.{minor}{threading}"))
}

fn untried(system: &TrialSystem, wheel: &Wheel, predicted: &Cell) -> Trial {
    Trial {
        wheel: name(wheel).to_owned(),
        system: system.target.name.clone(),
        platform: wheel.platform.to_string(),
        predicted: predicted.state.as_str(),
        reason: predicted.reason.clone(),
        agreement: Agreement::Untried,
        result: None,
        observed: None,
        error: None,
    }
}

fn report(output: &Utf8Path) -> Result<SystemReport, PipelineError> {
    let text = export::report(output, "try.json")?;
    let report: Result<SystemReport, _> = serde_json::from_slice(&text);
    let report = report.map_err(|error| rejected(&error.to_string()))?;
    if report.schema_version != SCHEMA_VERSION {
        return Err(rejected("unknown schema version"));
    }
    Ok(report)
}

fn rejected(reason: &str) -> PipelineError {
    let message = format!("the report of `try` is invalid: {}", shown(reason));
    PipelineError::Wrong(
        UserError::new(message).hint("see the log for the output of the container"),
    )
}
