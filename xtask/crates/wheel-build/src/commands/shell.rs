//! `cargo xtask shell`: a container that stands where a build stands.

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
    self, Accelerate, BUILDER, Failed, PipelineError, PreparedSource, STATES, ShellPlace, State,
};
use crate::plan::{self, Job};
use crate::store::{Lock, Store};
use wheel_audit::report;

/// Arguments of `shell`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShellArgs {
    /// Base image or target name, and a platform: `debian:12 linux/arm64`
    #[arg(value_name = "TARGET|PLATFORM", required_unless_present = "last_failed")]
    pub words: Vec<String>,
    /// Interpreter, e.g. `cp311`; where absent the first of wheels.toml, of those that `dist/` has a wheel for
    /// if there are any
    #[arg(long, value_name = "TAG")]
    pub python: Option<String>,
    /// Stand before the build step that failed last (of the target and platform, where they are named)
    #[arg(long)]
    pub last_failed: bool,
    /// How base images may be obtained
    #[arg(long, value_enum, default_value_t)]
    pub base: BasePolicy,
    /// Which engine builds, and what it keeps
    #[command(flatten)]
    pub engine: BuildArgs,
    /// Command to run in the place of a shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Makes the image, runs it, and passes its exit status on.
///
/// # Errors
/// When what is asked for is not one place, or the image cannot be made.
pub(crate) fn run(args: &ShellArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let (config, lock_file) = workspace.locked()?;
    // While the image is made, as for a build; a shell may stay open while others build.
    let lock = Lock::take(&workspace.work, true, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let source = pipeline::prepare(&config, &exec, &workspace.root, &workspace.work)?;
    let (job, state) = asked((&config, lock_file), &workspace, &source, args)?;
    let engine = args.engine.engine(&exec, &workspace, &config)?;
    setup::require_platforms(&engine, &workspace.root, &job.target.image, [&job.platform])?;
    let work = &workspace.work;
    let place = ShellPlace {
        config: &config,
        engine: &engine,
        source: &source,
        work,
        base_policy: args.base,
        accelerate: &Accelerate::by_default(native_platform()),
    };
    let live = Live::new(Detail::Steps);
    let image = pipeline::shell_image(&place, &job, &state, &live)
        .map_err(|error| explained(error, args, &job, work))?;
    drop(lock);
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    report::note(&format!("this is {}, before `{}`", job.title(), state.command));
    Ok(ExitCode::from(image.run(terminal, &args.command)?))
}

/// The one job and state that are asked for.
fn asked(
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
                "the step of stage `{}`, which failed last, is in the Dockerfile no more",
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
            "a shell is opened in one place, these are {}: {}",
            jobs.len(),
            jobs.iter().map(Job::title).collect::<Vec<_>>().join(", ")
        ))
        .hint("name one target, one platform and one interpreter")
    );
    Ok((jobs.remove(0), state))
}

/// `error`, with the place of a command where it may be one that was taken for a target.
fn with_command(config: &Config, error: UserError, words: &[String]) -> UserError {
    let is_other = |word: &String| {
        config::find_target(config, word).is_err()
            && word.parse::<config::Platform>().is_err()
            && config::meant(config, word).is_none()
    };
    let Some(at) = words.iter().position(is_other).filter(|&at| at > 0) else { return error };
    let (place, command) = words.split_at(at);
    let (place, command) = (place.join(" "), command.join(" "));
    error.hint(format!("a command stands after `--`: `cargo xtask shell {place} -- {command}`"))
}

/// The interpreters that `dist/` has wheels for in `folder`; none where it cannot be read.
fn built(workspace: &Workspace, folder: &str) -> Vec<String> {
    let manifest = Store::new(&workspace.dist, &workspace.work).manifest().unwrap_or_default();
    let ours = manifest.files.iter().filter(|entry| entry.path.starts_with(&format!("{folder}/")));
    ours.flat_map(|entry| entry.builds().iter().map(|build| build.interpreter.clone())).collect()
}

/// A failure with what its step said last, its advice and its log, and whose choice the interpreter was.
fn explained(error: PipelineError, args: &ShellArgs, job: &Job, work: &Utf8Path) -> anyhow::Error {
    let Some(step) = error.engine().and_then(EngineError::step) else { return error.into() };
    let mut parts = vec![error.to_string()];
    parts.extend(step.tail.iter().map(|line| format!("  | {line}")));
    let mut hint = error.engine().and_then(EngineError::hint).map(str::to_owned);
    if args.python.is_none() && !args.last_failed {
        let interpreter = job.interpreter;
        hint = hint.or_else(|| {
            Some(format!(
                "{interpreter} is the first that wheels.toml asks for; `--python` names another"
            ))
        });
    }
    parts.push(format!("log: {}", work.join("logs").join(format!("{}-shell.log", job.slug()))));
    UserError { message: parts.join("\n"), hint }.into()
}

/// The failure that `--last-failed` means.
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
        UserError::new("no build step has failed, as far as `target/xtask/` knows")
            .hint("without `--last-failed` the shell opens before the build of the wheel")
            .into()
    })
}
