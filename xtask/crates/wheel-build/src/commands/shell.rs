//! `cargo xtask shell`: opens a container at a build step.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::{Context as _, ensure};
use camino::Utf8Path;

use super::engine_args::BuildArgs;
use super::{Workspace, native_platform, setup};
use crate::config::{self, Config, ConfigFile};
use crate::engine::EngineError;
use crate::engine::base::BasePolicy;
use crate::exec::Exec;
use crate::live::{Detail, Live};
use crate::lock::LockFile;
use crate::pipeline::{
    self, Accelerate, BUILDER, Failed, PipelineError, PreparedSource, STATES, ShellInputs, State,
};
use crate::plan::{self, Job};
use crate::store::{Lock, Store};
use wheel_audit::report;

#[derive(Debug, clap::Args)]
pub(crate) struct ShellArgs {
    /// Base image or target name, and a platform, e.g. `debian:12 linux/arm64` [default platform: this machine's]
    #[arg(value_name = "TARGET|PLATFORM", required_unless_present = "last_failed")]
    pub words: Vec<String>,
    /// Use this interpreter, e.g. `cp311` [default: the first of wheels.toml with a wheel in `dist/`, else the first]
    #[arg(long, value_name = "TAG")]
    pub python: Option<String>,
    /// Open the shell before the build step that failed last, optionally of a target and platform
    #[arg(long)]
    pub last_failed: bool,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    pub base: BasePolicy,
    #[command(flatten)]
    pub engine: BuildArgs,
    /// Run this command instead of a shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Builds the image, runs it, and returns its exit status.
///
/// # Errors
/// If the words select several jobs, or the image cannot be built.
pub(crate) fn run(args: &ShellArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let (config, lock_file) = workspace.locked()?;
    // Hold the lock only while the image is built, so that others can build while a shell is open.
    let lock = Lock::take(&workspace.work, true, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let source = pipeline::prepare(&config, &exec, &workspace.root, &workspace.work)?;
    let (job, state) = selected((&config, lock_file), &workspace, &source, args)?;
    let engine = args.engine.engine(&exec, &workspace, &config)?;
    setup::require_platforms(&engine, &workspace.root, &job.target.image, [&job.platform])?;
    let work = &workspace.work;
    let inputs = ShellInputs {
        config: &config,
        engine: &engine,
        source: &source,
        work,
        base_policy: args.base,
        accelerate: &Accelerate::by_default(native_platform()),
    };
    let live = Live::new(Detail::Steps);
    let image = pipeline::shell_image(&inputs, &job, &state, &live)
        .map_err(|error| explained(error, args, &job, work))?;
    drop(lock);
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    report::note(&format!("shell in {}, before `{}`", job.title(), state.command));
    Ok(ExitCode::from(image.run(terminal, &args.command)?))
}

/// The requested job and state.
fn selected(
    (config, lock): (&Config, Option<LockFile>),
    workspace: &Workspace,
    source: &PreparedSource,
    args: &ShellArgs,
) -> anyhow::Result<(Job, State)> {
    let mut words = args.words.clone();
    let mut python = args.python.clone();
    let mut state = BUILDER;
    if args.last_failed {
        let failed = failure(config, workspace, args)?;
        state = *STATES.iter().find(|state| state.stage == failed.stage).with_context(|| {
            format!(
                "the Dockerfile no longer contains the step of stage `{}` that failed last",
                failed.stage
            )
        })?;
        words = vec![failed.image, failed.platform];
        python = Some(failed.interpreter);
    }
    let native = native_platform();
    if !words.iter().any(|word| word.starts_with("linux/")) {
        words.push(native.to_string());
    }
    let python: Vec<String> = python.into_iter().collect();
    let mut request = plan::parse_words(config, &words, false, &python, &native)
        .map_err(|error| with_command(config, error, &args.words))?;
    for (target, platforms) in &mut request.targets {
        let built = platforms.first().map(|platform| built(workspace, &target.folder(platform)));
        let built = built.unwrap_or_default();
        let first = target.pythons.iter().position(|it| built.contains(&it.to_string()));
        if let Some(first) = first {
            target.pythons.swap(0, first);
        }
        target.pythons.truncate(1);
    }
    let inputs = pipeline::inputs(config, &workspace.root, &workspace.assets(config)?, source)?;
    let inputs = plan::Inputs { lock, ..inputs };
    let mut jobs = plan::plan(config, &request, &inputs).jobs;
    ensure!(
        jobs.len() == 1,
        UserError::new(format!(
            "`shell` requires exactly one job, these are {}: {}",
            jobs.len(),
            jobs.iter().map(Job::title).collect::<Vec<_>>().join(", ")
        ))
        .hint("name one target, one platform and one interpreter (`--python`)")
    );
    Ok((jobs.remove(0), state))
}

/// Adds a hint to `error` if a word looks like a command without `--`.
fn with_command(config: &Config, error: UserError, words: &[String]) -> UserError {
    let is_other = |word: &String| {
        config::find_target(config, word).is_err()
            && word.parse::<config::Platform>().is_err()
            && config::suggestion(config, word).is_none()
    };
    let Some(at) = words.iter().position(is_other).filter(|&at| at > 0) else { return error };
    let (place, command) = words.split_at(at);
    let (place, command) = (place.join(" "), command.join(" "));
    error.hint(format!("put a command after `--`: `cargo xtask shell {place} -- {command}`"))
}

/// Interpreters with a wheel in `folder` of `dist/`; empty if `dist/` cannot be read.
fn built(workspace: &Workspace, folder: &str) -> Vec<String> {
    let manifest = Store::new(&workspace.dist, &workspace.work).manifest().unwrap_or_default();
    let ours = manifest.files.iter().filter(|entry| entry.path.starts_with(&format!("{folder}/")));
    ours.flat_map(|entry| entry.builds().iter().map(|build| build.interpreter.clone())).collect()
}

/// Adds the step's last output, hint, log, and the reason for the interpreter to an error.
fn explained(error: PipelineError, args: &ShellArgs, job: &Job, work: &Utf8Path) -> anyhow::Error {
    let Some(step) = error.engine().and_then(EngineError::step) else { return error.into() };
    let mut parts = vec![error.to_string()];
    parts.extend(step.tail.iter().map(|line| format!("  | {line}")));
    let mut hint = error.engine().and_then(EngineError::hint).map(str::to_owned);
    if args.python.is_none() && !args.last_failed {
        let interpreter = job.interpreter;
        hint = hint.or_else(|| {
            Some(format!(
                "{interpreter} is the first interpreter of wheels.toml; `--python` selects another"
            ))
        });
    }
    parts.push(format!("log: {}", work.join("logs").join(format!("{}-shell.log", job.slug()))));
    UserError { message: parts.join("\n"), hint }.into()
}

/// The failure that `--last-failed` refers to.
fn failure(config: &Config, workspace: &Workspace, args: &ShellArgs) -> anyhow::Result<Failed> {
    let (platforms, images): (Vec<_>, Vec<_>) =
        args.words.iter().partition(|word| word.starts_with("linux/"));
    let images: Vec<String> = images
        .into_iter()
        .map(|word| config::find_target(config, word).map(|target| target.image))
        .collect::<Result<_, _>>()?;
    let wanted = |failed: &Failed| {
        (images.is_empty() || images.contains(&failed.image))
            && (platforms.is_empty() || platforms.iter().any(|word| **word == failed.platform))
            && args.python.as_ref().is_none_or(|python| *python == failed.interpreter)
    };
    pipeline::last_failed(&workspace.work, wanted).ok_or_else(|| {
        UserError::new("`target/xtask/` records no failed build step")
            .hint("omit `--last-failed` to open the shell before the build of the wheel")
            .into()
    })
}
