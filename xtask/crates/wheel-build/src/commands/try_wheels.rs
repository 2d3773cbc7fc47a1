//! `cargo xtask try`: installs and imports wheels on clean systems and compares the results with the audit's
//! predictions.

use std::collections::BTreeSet;
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use wheel_audit::UserError;
use wheel_audit::audit::{Expectations, Settings, audit_wheel};
use wheel_audit::cli;
use wheel_audit::report;

use super::engine_args::{self, BuildArgs};
use super::{COULD_NOT_RUN, FINDINGS, Workspace, native_platform, setup};
use crate::config::{
    self, Config, ConfigFile, Platform, distribution_of, find_target, known_system, tried_systems,
};
use crate::engine::base::BasePolicy;
use crate::exec::Exec;
use crate::live::{Detail, Live};
use crate::pipeline::{Agreement, Trial, TrialRun, TrialSystem, TriedWheel};
use crate::store::Lock;

/// Configuration without a wheels.toml; `try` ignores its build settings.
const NO_CONFIG: &str = "[source]\npath = \".\"\n[build]\npythons = [\"cp313\"]\n[[target]]\nname = \"debian12\"\nimage = \"debian:12\"\nfamily = \
                         \"apt\"\nplatforms = [\"linux/amd64\"]\n";

#[derive(Debug, clap::Args)]
pub(crate) struct TryArgs {
    /// Wheels or folders of wheels
    #[arg(value_name = "WHEEL", required = true)]
    wheels: Vec<Utf8PathBuf>,
    /// Use these systems: targets of wheels.toml or images, e.g. `debian:11,ubuntu:22.04` [default: the targets of
    /// wheels.toml, else Debian 11 to 13 and Ubuntu 20.04 to 24.04]
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    on: Vec<String>,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    base: BasePolicy,
    #[command(flatten)]
    engine: BuildArgs,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Print the report as a Markdown table
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print the exact commands without running them
    #[arg(long)]
    dry_run: bool,
    /// Show the output of the steps
    #[arg(long, short)]
    verbose: bool,
}

/// Tries the wheels on each system and reports wrong predictions.
///
/// # Errors
/// If a wheel cannot be read, a system is unknown, or there is no engine.
pub(crate) fn run(args: &TryArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let exec = Exec::real();
    let elsewhere = tempfile::tempdir()?;
    let (workspace, config) = workspace(file, elsewhere.path())?;
    let systems = systems(config.as_ref(), &args.on)?;
    let config = match config {
        Some(config) => config,
        None => config::parse_text(Utf8Path::new("wheels.toml"), NO_CONFIG)?,
    };
    let wheels = read(&args.wheels)?;
    fs_err::create_dir_all(&workspace.work)?;
    let _lock = Lock::take(&workspace.work, true, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let engine = args.engine.engine(&exec, &workspace, &config)?;
    let trial_run = TrialRun {
        config: &config,
        engine: &engine,
        work: &workspace.work,
        base_policy: args.base,
    };
    let platforms: BTreeSet<&Platform> = wheels.iter().map(|wheel| &wheel.platform).collect();
    let pairs = systems.iter().flat_map(|system| platforms.iter().map(move |it| (system, *it)));
    if args.dry_run {
        let all = pairs.map(|(system, platform)| trial_run.commands(system, platform, &wheels));
        let all: Vec<_> = all.filter(|text| !text.is_empty()).collect();
        report::data(&all.join("\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let image = systems.first().map_or("debian:12", |system| &system.target.image);
    setup::require_platforms(&engine, &workspace.root, image, platforms.iter().copied())?;
    engine_args::announce(&engine)?;
    let live = Live::new(if args.verbose { Detail::Verbose } else { Detail::Steps });
    let mut trials = Vec::new();
    for (system, platform) in pairs {
        match trial_run.on(system, platform, &wheels, &live) {
            Ok(found) => trials.extend(found),
            Err(error) if error.engine().is_some_and(crate::engine::EngineError::ends_run) => {
                return Err(error.into());
            }
            Err(error) => {
                report::error(&error);
                trials.extend(TrialRun::failed(system, platform, &wheels, &error));
            }
        }
    }
    print(args, &systems, &trials)?;
    Ok(ExitCode::from(status(&trials)))
}

/// The workspace and its configuration; without one, a folder that the run removes.
fn workspace(
    file: &ConfigFile,
    elsewhere: &std::path::Path,
) -> anyhow::Result<(Workspace, Option<Config>)> {
    match Workspace::of(file) {
        Ok(workspace) => {
            let config = workspace.locked()?.0;
            Ok((workspace, Some(config)))
        }
        Err(error) if !file.is_default() => Err(error),
        Err(_) => {
            let root = Utf8PathBuf::try_from(elsewhere.to_owned())?;
            let (work, dist) = (root.join(file.work()), root.join(file.dist()));
            Ok((Workspace { root, work, dist, file: file.clone() }, None))
        }
    }
}

/// The systems that `words` name. Without words: the targets of wheels.toml, else a default list.
fn systems(config: Option<&Config>, words: &[String]) -> anyhow::Result<Vec<TrialSystem>> {
    if let (Some(config), []) = (config, words) {
        let system = |target: &config::Target| {
            let distribution = distribution_of(&target.image)?.clone();
            Some(TrialSystem { target: target.clone(), distribution })
        };
        let own: Vec<_> = config.targets.iter().filter_map(system).collect();
        if !own.is_empty() {
            return Ok(own);
        }
    }
    let known: Vec<String> = tried_systems().collect();
    let words = if words.is_empty() { &known } else { words };
    let mut systems: Vec<TrialSystem> = Vec::new();
    for word in words {
        let own = config.and_then(|config| config.targets.iter().find(|it| it.is_called(word)));
        let target = match (own.cloned().or_else(|| known_system(word)), config) {
            (Some(target), _) => target,
            (None, Some(config)) => find_target(config, word)?,
            (None, None) => return Err(unknown(word, &known).into()),
        };
        let distribution =
            distribution_of(&target.image).ok_or_else(|| unknown(word, &known))?.clone();
        if !systems.iter().any(|system| system.target.name == target.name) {
            systems.push(TrialSystem { target, distribution });
        }
    }
    Ok(systems)
}

fn unknown(word: &str, known: &[String]) -> UserError {
    UserError::new(format!("unknown system `{word}`: the audit has no data to predict a result"))
        .hint(format!("name a target of wheels.toml, or one of {}", known.join(", ")))
}

/// Audits the wheels.
fn read(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<TriedWheel>> {
    const PATHS: &str = "name wheels, or folders of wheels";
    let inputs = cli::inputs(paths, PATHS)?;
    anyhow::ensure!(
        !inputs.wheels.is_empty(),
        UserError::new("no wheels among the paths").hint(PATHS)
    );
    let audit = |path: &Utf8PathBuf| {
        let audit = audit_wheel(path, &Expectations::default(), &Settings::default())?;
        let arch = audit.facts.arch();
        let platform = match arch {
            Some(arch) => arch.platform().parse().map_err(UserError::new)?,
            None => native_platform(),
        };
        Ok(TriedWheel { path: path.clone(), audit, platform })
    };
    inputs.wheels.par_iter().map(audit).collect()
}

fn status(trials: &[Trial]) -> u8 {
    let is = |agreement| trials.iter().any(|trial| trial.agreement == agreement);
    match (is(Agreement::Miss), is(Agreement::Untried) || trials.is_empty()) {
        (true, _) => FINDINGS,
        (false, true) => COULD_NOT_RUN,
        (false, false) => 0,
    }
}

fn print(args: &TryArgs, systems: &[TrialSystem], trials: &[Trial]) -> anyhow::Result<()> {
    if args.json {
        report::json(&serde_json::json!({ "schema_version": 1, "trials": trials }))?;
    } else if args.markdown {
        report::data(&markdown(systems, trials));
    } else {
        report::text(&text(trials));
    }
    Ok(())
}

/// A line for each wheel and system, then each wrong prediction with the loader's error.
fn text(trials: &[Trial]) -> String {
    let row = |trial: &Trial| {
        let result = trial.result.unwrap_or("not tried");
        let agreement = word(trial.agreement);
        let system = format!("{} {}", trial.system, trial.platform);
        [&trial.wheel, &system, trial.predicted, result, &how(trial), agreement]
            .map(str::to_owned)
            .to_vec()
    };
    let head = ["wheel", "system", "predicted", "result", "how", "agreement"];
    let mut lines =
        vec![report::table(&head, &trials.iter().map(row).collect::<Vec<_>>(), report::width())];
    for trial in trials.iter().filter(|trial| trial.agreement != Agreement::Hit) {
        let title = format!("{} on {} {}", trial.wheel, trial.system, trial.platform);
        lines.push(format!("\n{}: {title}", word(trial.agreement)));
        let reason = if trial.reason.is_empty() { "nothing missing" } else { &trial.reason };
        lines.push(format!("  predicted: {} ({reason})", trial.predicted));
        lines.push(format!("  result: {}", trial.result.unwrap_or("not tried")));
        lines.extend(words(trial).iter().map(|line| format!("  {line}")));
    }
    lines.push(format!("\n{}", summary(trials)));
    lines.join("\n")
}

/// Errors of the installer, the loader and the test.
fn words(trial: &Trial) -> Vec<String> {
    let mut lines: Vec<String> =
        trial.error.iter().map(|error| format!("error: {error}")).collect();
    let Some(observed) = &trial.observed else { return lines };
    if !observed.installer.is_empty() {
        lines.push(format!("installer: {}", observed.installer));
    }
    if !observed.problem.is_empty() {
        lines.push(format!("problem: {}", observed.problem));
    }
    lines.extend(observed.culprit().map(|it| format!("{} ({}): {}", it.path, it.how, it.words)));
    lines
}

fn word(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Hit => "hit",
        Agreement::Miss => "miss",
        Agreement::Undecided => "undecided",
        Agreement::Untried => "not tried",
    }
}

/// How the files were loaded: by an interpreter, or by path.
fn how(trial: &Trial) -> String {
    match &trial.observed {
        None => "-".to_owned(),
        Some(observed) => match &observed.interpreter {
            Some(interpreter) => format!("import, {interpreter}"),
            None => "dlopen".to_owned(),
        },
    }
}

fn summary(trials: &[Trial]) -> String {
    let count = |agreement| trials.iter().filter(|trial| trial.agreement == agreement).count();
    let breaks = |trial: &&Trial| trial.predicted == wheel_audit::audit::State::Breaks.as_str();
    let predicted = trials.iter().filter(breaks).count();
    format!(
        "{} cells: {} hits, {} misses, {} undecided, {} not tried; {predicted} predicted not to load",
        trials.len(),
        count(Agreement::Hit),
        count(Agreement::Miss),
        count(Agreement::Undecided),
        count(Agreement::Untried),
    )
}

/// A table with a row for each wheel and a column for each system.
fn markdown(systems: &[TrialSystem], trials: &[Trial]) -> String {
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for trial in trials {
        let row = (trial.wheel.as_str(), trial.platform.as_str());
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let names: Vec<_> = systems.iter().map(|system| system.distribution.to_string()).collect();
    let mut lines = vec![
        format!("| wheel | {} |", names.join(" | ")),
        format!("|---|{}", "---|".repeat(names.len())),
    ];
    for (wheel, platform) in rows {
        let cell = |system: &TrialSystem| {
            let is = |trial: &&Trial| {
                (trial.wheel.as_str(), trial.platform.as_str()) == (wheel, platform)
                    && trial.system == system.target.name
            };
            trials.iter().find(is).map_or_else(String::new, short)
        };
        let cells: Vec<_> = systems.iter().map(cell).collect();
        lines.push(format!("| {} | {} |", report::markdown_code(wheel), cells.join(" | ")));
    }
    lines.push(format!("\n{}", summary(trials)));
    lines.join("\n")
}

/// A cell of the Markdown table: the result, and the prediction if it is wrong.
fn short(trial: &Trial) -> String {
    let by = trial.observed.as_ref().is_some_and(|it| it.interpreter.is_some());
    let result = trial.result.unwrap_or("not tried");
    let how = if by { "" } else { "*" };
    match trial.agreement {
        Agreement::Hit if trial.predicted == result => format!("{result}{how}"),
        Agreement::Hit => format!("{result}{how} ({})", trial.predicted),
        _ => {
            format!("**{}**: {result}{how}, predicted: {}", word(trial.agreement), trial.predicted)
        }
    }
}
