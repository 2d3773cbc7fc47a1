//! `cargo xtask try`: wheels, installed and loaded in a clean container of a system.
//!
//! One bake call a system, for all wheels: the stages `try-*` of the Dockerfile. They run wherever builds run
//! (emulated, on another machine's engine), and a stopped run leaves no container behind.

mod verdict;

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheel_audit::UserError;
use wheel_audit::audit::{Audit, Cell, State};
use wheel_audit::files;
use wheel_audit::policy::{Distribution, Policies};
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

/// The version of the report that `scripts/try.py` writes.
const SCHEMA_VERSION: u32 = 1;

/// A wheel to try.
pub(crate) struct Wheel {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// What the audit says of it.
    pub audit: Audit,
    /// The platform that it is for.
    pub platform: Platform,
}

/// A system to try wheels on.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its image.
    pub target: Target,
    /// What the audit knows of it.
    pub distribution: Distribution,
}

/// What a wheel did on a system.
#[derive(Debug, Serialize)]
pub(crate) struct Trial {
    /// The wheel's file name.
    pub wheel: String,
    /// The system's name: `debian12`.
    pub system: String,
    /// The platform: `linux/amd64`.
    pub platform: String,
    /// What the audit predicts, as [`State::as_str`].
    pub predicted: &'static str,
    /// Why.
    pub reason: String,
    /// Whether the system did that.
    pub agreement: Agreement,
    /// What the system did, in the same words; `None` where nothing was tried.
    pub result: Option<&'static str>,
    /// All that was observed.
    pub observed: Option<Observed>,
    /// Why nothing was tried, if so.
    pub error: Option<String>,
}

/// What all systems of a run share.
pub(crate) struct TrialRun<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The engine.
    pub engine: &'a Engine,
    /// xtask's own folder.
    pub work: &'a Utf8Path,
    /// How base images may be obtained.
    pub base_policy: BasePolicy,
}

impl TrialRun<'_> {
    /// Tries all of `wheels` that are for `platform` on a system. Those whose machine the system is not published for
    /// are left out.
    ///
    /// # Errors
    /// When the container cannot be run, or its report is not whole.
    pub(crate) fn on(
        &self,
        place: &Place,
        platform: &Platform,
        wheels: &[Wheel],
        watch: &dyn Watch,
    ) -> Result<Vec<Trial>, PipelineError> {
        let predicted = predictions(place, platform, wheels);
        if predicted.is_empty() {
            return Ok(Vec::new());
        }
        let title = place.target.folder(platform);
        let mut note = |text: &str| watch.note(&format!("{title}: {text}"));
        let (target, images) = (&place.target, self.work.join("base"));
        let engine = self.engine.on(platform);
        let base = base::resolve(&engine, target, platform, self.base_policy, &images, &mut note)?;
        let (context, output) = self.folders(place, platform);
        files::remove_folder(&output)?;
        fs_err::create_dir_all(&output)?;
        lay_out(&context, &predicted)?;
        let bake = self.call(place, platform, &base, &predicted, (&context, &output));
        let log = self.work.join("logs").join(format!("{title}-try.log"));
        watch.stage(&title, Stage::Try);
        let start = std::time::Instant::now();
        let result = engine.bake(&bake, &log, &mut |event| watch.event(&title, event));
        files::remove_folder(&context)?;
        result?;
        watch.ended(&title, "tried", start.elapsed().as_secs_f64());
        let report = report(&output)?;
        let limits =
            Policies::builtin().limits(place.distribution.libc.platform_tag(platform.arch()));
        let is_promised = |name: &str| limits.as_ref().is_some_and(|limits| limits.library(name));
        if !report.unprivileged {
            note("warning: the engine has one user only: code of the wheels ran as root");
        }
        let trial = |(index, (wheel, cell)): (usize, &(&Wheel, Cell))| {
            let observed = report.wheels.get(&index.to_string()).cloned();
            let observed = observed.ok_or_else(|| refused("a wheel is missing"))?;
            let observed = observed.on_promised(is_promised);
            let agreement = observed.agreement(cell);
            let result = Some(observed.as_str());
            let observed = Some(observed);
            Ok(Trial { agreement, result, observed, ..untried(place, wheel, cell) })
        };
        predicted.iter().enumerate().map(trial).collect()
    }

    /// What a system that could not be used leaves: each of its wheels untried.
    pub(crate) fn failed(
        place: &Place,
        platform: &Platform,
        wheels: &[Wheel],
        error: &PipelineError,
    ) -> Vec<Trial> {
        let all = predictions(place, platform, wheels);
        let trial = |(wheel, cell): &(&Wheel, Cell)| Trial {
            error: Some(error.to_string()),
            ..untried(place, wheel, cell)
        };
        all.iter().map(trial).collect()
    }

    /// The commands that try wheels on a system, ready to paste.
    pub(crate) fn commands(&self, place: &Place, platform: &Platform, wheels: &[Wheel]) -> String {
        let predicted = predictions(place, platform, wheels);
        if predicted.is_empty() {
            return String::new();
        }
        let (target, engine) = (&place.target, self.engine);
        let (context, output) = self.folders(place, platform);
        let mut lines = vec![format!("# {}, with these predictions:", target.folder(platform))];
        let line = |(wheel, cell): &(&Wheel, Cell)| {
            format!("#   {}: {}", shown(name(wheel)), cell.state.as_str())
        };
        lines.extend(predicted.iter().map(line));
        let base = base::present(engine, target, platform).unwrap_or_else(|| {
            lines.push(base::pull_step(engine, target, platform).to_string());
            base::unresolved(target, platform)
        });
        lines.push(format!("# then xtask puts each wheel into a folder of {context}/:"));
        let mut bake = self.call(place, platform, &base, &predicted, (&context, &output));
        bake.progress = "plain";
        let step = engine.bake_step(&bake);
        lines.push(step.map_or_else(|error| format!("# {error}"), |step| step.to_string()));
        lines.join("\n")
    }

    /// The build context of the wheels, and the folder of the report.
    fn folders(&self, place: &Place, platform: &Platform) -> (Utf8PathBuf, Utf8PathBuf) {
        let folder = self.work.join("try").join(place.target.folder(platform));
        (folder.join("wheels"), folder.join("output"))
    }

    fn call<'a>(
        &self,
        place: &'a Place,
        platform: &'a Platform,
        base: &BaseImage,
        wheels: &[(&Wheel, Cell)],
        (context, output): (&Utf8Path, &'a Utf8Path),
    ) -> Bake<'a> {
        let settings = self.config.environment_settings(&place.target, platform);
        let mut args = environment_args(self.config, (&place.target, platform), &settings, base);
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

/// The wheels that are tried on a system, each with what the audit predicts.
fn predictions<'a>(
    place: &Place,
    platform: &Platform,
    wheels: &'a [Wheel],
) -> Vec<(&'a Wheel, Cell)> {
    let own = wheels.iter().filter(|wheel| wheel.platform == *platform);
    let predicted = own.map(|wheel| (wheel, wheel.audit.on(&place.distribution)));
    predicted.filter(|(_, cell)| cell.state != State::Absent).collect()
}

/// Puts each wheel into a folder of its own: two wheels may have one name.
fn lay_out(context: &Utf8Path, wheels: &[(&Wheel, Cell)]) -> Result<(), PipelineError> {
    files::remove_folder(context)?;
    for (index, (wheel, _)) in wheels.iter().enumerate() {
        let folder = context.join(index.to_string());
        fs_err::create_dir_all(&folder)?;
        let copy = folder.join(name(wheel));
        // A link where the file system has some: wheels are large.
        if fs_err::hard_link(&wheel.path, &copy).is_err() {
            fs_err::copy(&wheel.path, &copy)?;
        }
    }
    Ok(())
}

fn name(wheel: &Wheel) -> &str {
    wheel.path.file_name().unwrap_or_default()
}

/// The interpreters that the wheels are for, in uv's words: `cpython-3.13`, `cpython-3.14+freethreaded`, `pypy-3.11`.
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

fn untried(place: &Place, wheel: &Wheel, predicted: &Cell) -> Trial {
    Trial {
        wheel: name(wheel).to_owned(),
        system: place.target.name.clone(),
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
    let report = report.map_err(|error| refused(&error.to_string()))?;
    if report.schema_version != SCHEMA_VERSION {
        return Err(refused("it has another version"));
    }
    Ok(report)
}

fn refused(reason: &str) -> PipelineError {
    let message = format!("the report of `try` cannot be read: {}", shown(reason));
    PipelineError::Wrong(UserError::new(message).hint("the log has what the container printed"))
}
