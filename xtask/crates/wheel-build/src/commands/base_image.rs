//! `cargo xtask base-image`: builds base images before a run needs them.

use std::collections::BTreeSet;
use std::process::ExitCode;
use wheel_audit::UserError;

use serde::Serialize;

use super::engine_args::{self, BuildArgs, EngineArgs};
use super::{COULD_NOT_RUN, FINDINGS, Workspace, native_platform, setup};
use crate::config::{Config, ConfigFile, words};
use crate::engine::base::BasePolicy;
use crate::engine::prebuilt::{self, Kept};
use crate::engine::{Engine, EngineError};
use crate::exec::Exec;
use crate::live::{Detail, Live};
use crate::pipeline::{self, Accelerate, BaseImageResult, BaseImageRun, PipelineError};
use crate::plan::{self, Plan};
use crate::store::Lock;
use wheel_audit::report;

#[derive(Debug, clap::Args)]
pub(crate) struct BaseImageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Build base images with compilers, tools and interpreters, and store them in the engine
    Build(MakeArgs),
    /// Build base images and push them to a registry
    Push(PushArgs),
    /// List the engine's prebuilt base images and whether `wheels` uses them
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct MakeArgs {
    /// Base images or target names, and platforms, e.g. `debian:12 linux/amd64`
    #[arg(value_name = "TARGET|PLATFORM")]
    words: Vec<String>,
    /// Build for every target of wheels.toml
    #[arg(long)]
    all: bool,
    /// Build only for these interpreters, e.g. `cp311,cp314t` [default: all of wheels.toml]
    #[arg(long, value_name = "TAG")]
    python: Vec<String>,
    /// Rebuild images that exist already
    #[arg(long)]
    force: bool,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    base: BasePolicy,
    #[command(flatten)]
    engine: BuildArgs,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Show the output of build steps
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, clap::Args)]
struct PushArgs {
    /// Push to this repository, e.g. `registry.example/wheels-base` [default: `repository` in `[base-image]`]
    #[arg(long, value_name = "REGISTRY/NAME", value_parser = repository)]
    to: Option<String>,
    #[command(flatten)]
    make: MakeArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// If the run cannot start, or the engine does not answer.
pub(crate) fn run(args: &BaseImageArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let (config, _) = workspace.locked()?;
    match &args.command {
        Command::Build(make) => build(&exec, &workspace, &config, make, None),
        Command::Push(push) => {
            let to = push.to.as_deref().or(config.base_images.repository.as_deref());
            let to = to.ok_or_else(|| {
                UserError::new("`base-image push` requires a repository").hint(
                    "use `base-image push --to registry.example/wheels-base`, or set `repository` in \
                     `[base-image]` of wheels.toml",
                )
            })?;
            build(&exec, &workspace, &config, &push.make, Some(to))
        }
        Command::List(list) => show(&exec, &workspace, &config, list),
    }
}

fn repository(text: &str) -> Result<String, String> {
    words::IMAGE.check(text)?;
    Ok(text.to_owned())
}

fn build(
    exec: &Exec,
    workspace: &Workspace,
    config: &Config,
    args: &MakeArgs,
    repository: Option<&str>,
) -> anyhow::Result<ExitCode> {
    if let Some(repository) = repository {
        prebuilt::check_repository(repository)?;
    }
    let native = native_platform();
    let request = plan::parse_words(config, &args.words, args.all, &args.python, &native)?;
    fs_err::create_dir_all(&workspace.work)?;
    let _lock = Lock::take(&workspace.work, true, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    // The jobs are those of `wheels`: a base image does not depend on the wheels that are built in it.
    let mut plan = plan::plan(config, &request, &locked(workspace)?);
    let engine = args.engine.engine(exec, workspace, config)?;
    let image = plan.jobs.first().map_or("", |job| &job.target.image);
    let platforms = plan.jobs.iter().map(|job| &job.platform);
    let left_out = if args.all && !args.words.iter().any(|word| word.starts_with("linux/")) {
        setup::unsupported_platforms(&engine, &workspace.root, image, platforms)?
    } else {
        setup::require_platforms(&engine, &workspace.root, image, platforms)?;
        BTreeSet::new()
    };
    plan.jobs.retain(|job| !left_out.contains(&job.platform));
    engine_args::announce(&engine)?;
    if repository.is_none() {
        prebuilt::check_storage(&engine)?;
    }
    let live = Live::new(if args.verbose { Detail::Verbose } else { Detail::Steps });
    let making = BaseImageRun {
        config,
        engine: &engine,
        work: &workspace.work,
        base_policy: args.base,
        repository,
        force: args.force,
        accelerate: &Accelerate::by_default(native_platform()),
    };
    let mut results = pipeline::build_all(&making, &plan, &live);
    results.extend(
        left_out
            .iter()
            .map(|platform| Err(EngineError::Unusable(setup::cannot_run(platform)).into())),
    );
    let made: Vec<&BaseImageResult> =
        results.iter().filter_map(|result| result.as_ref().ok()).collect();
    if args.json {
        report::json(&made)?;
    } else if !made.is_empty() {
        report::text(&table(&made));
    }
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        report::note("");
        report::error(error);
    }
    let errors = || results.iter().filter_map(|result| result.as_ref().err());
    let any = |is: fn(&EngineError) -> bool| errors().filter_map(PipelineError::engine).any(is);
    // As in `wheels`: if another image was made, a missing base image counts as a finding.
    let could_not =
        any(EngineError::ends_run) || made.is_empty() && any(EngineError::could_not_run);
    Ok(ExitCode::from(match errors().next() {
        None => 0,
        Some(_) if could_not => COULD_NOT_RUN,
        Some(_) => FINDINGS,
    }))
}

fn table(made: &[&BaseImageResult]) -> String {
    let row = |made: &&BaseImageResult| {
        let outcome = if made.unchanged { "unchanged" } else { "built" };
        vec![
            made.target.clone(),
            made.platform.clone(),
            made.interpreter.clone(),
            made.reference.clone(),
            made.digest.chars().take(19).collect(),
            outcome.to_owned(),
        ]
    };
    let head = ["target", "platform", "python", "image", "digest", "outcome"];
    report::table(&head, &made.iter().map(row).collect::<Vec<_>>(), report::width())
}

/// One line of `list`.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    kept: Kept,
    /// `wheels` uses this image with the current configuration.
    current: bool,
}

/// The lock file as an input of the plan: it determines package versions.
fn locked(workspace: &Workspace) -> anyhow::Result<plan::Inputs> {
    Ok(plan::Inputs { lock: workspace.lock_file()?, ..plan::Inputs::default() })
}

fn show(
    exec: &Exec,
    workspace: &Workspace,
    config: &Config,
    args: &ListArgs,
) -> anyhow::Result<ExitCode> {
    let engine: Engine = args.engine.engine(exec, workspace, config)?;
    let kept = prebuilt::kept(&engine)?;
    let request = plan::parse_words(config, &[], true, &[], &native_platform())?;
    let plan: Plan = plan::plan(config, &request, &locked(workspace)?);
    let current = pipeline::current_base_images(config, &engine, &plan)?;
    let line = |kept: Kept| Line { current: current.contains(&kept.reference), kept };
    let lines: Vec<Line> = kept.into_iter().map(line).collect();
    if args.json {
        report::json(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    if lines.is_empty() {
        report::note("the engine has no prebuilt base images");
        return Ok(ExitCode::SUCCESS);
    }
    let row = |line: &Line| {
        let current = if line.current { "used by wheels" } else { "outdated" };
        let kept = &line.kept;
        vec![kept.reference.clone(), kept.base.clone(), kept.size.clone(), current.to_owned()]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    report::text(&report::table(&["image", "base", "size", "state"], &rows, report::width()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_option_is_rejected_as_a_repository() {
        assert!(super::repository("registry.example:5000/wheels-base").is_ok());
        for text in ["--evil", "", "a,push=true", "a b"] {
            assert!(super::repository(text).is_err(), "{text}");
        }
    }
}
