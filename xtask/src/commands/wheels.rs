//! `cargo xtask wheels`: build, audit, smoke-test.

use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::bail;

use super::engine_args::{self, EngineArgs};
use super::setup::{self, Asked};
use super::{COULD_NOT_RUN, FINDINGS, Workspace, native_platform};
use crate::audit::Settings;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::base::Ways;
use crate::exec::Exec;
use crate::pipeline::{self, Context, JobReport, Options, Outcome, PreparedSource, RunReport};
use crate::plan::{self, Plan};
use crate::report::{self, Detail, Live};
use crate::store::{Entry, Kind, Lock, Smoke, Store};

/// Arguments of `wheels`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WheelsArgs {
    /// Base images or target names, and platforms: `debian:12 linux/amd64`
    #[arg(value_name = "TARGET|PLATFORM")]
    pub words: Vec<String>,
    /// Every target of wheels.toml
    #[arg(long)]
    pub all: bool,
    /// Interpreters, e.g. `cp311,cp314t`; all of wheels.toml where absent
    #[arg(long, value_name = "TAG")]
    pub python: Vec<String>,
    /// First install and start what is missing on this machine
    #[arg(long)]
    pub setup: bool,
    /// Print the exact commands and run none of them
    #[arg(long)]
    pub dry_run: bool,
    /// Report on stdout as JSON
    #[arg(long)]
    pub json: bool,
    /// Jobs at the same time
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Stop at the first failure
    #[arg(long)]
    pub fail_fast: bool,
    /// Build again what is there already
    #[arg(long)]
    pub force: bool,
    /// Let the engine use none of its cached results
    #[arg(long)]
    pub no_cache: bool,
    /// Leave the smoke test out
    #[arg(long)]
    pub no_smoke: bool,
    /// How base images may be had
    #[arg(long, value_enum, default_value_t)]
    pub base: Ways,
    /// Which engine builds, and what it keeps
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Fail at once where another run holds `dist/`
    #[arg(long)]
    pub no_wait: bool,
    /// Show what the build steps print
    #[arg(long, short)]
    pub verbose: bool,
    /// Show no progress
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl WheelsArgs {
    fn detail(&self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Steps,
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// When nothing could be begun: a wrong word, a missing engine, a lock that is held.
pub fn run(args: &WheelsArgs) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::find()?);
    Ok(ExitCode::from(build_and_report(&exec, &workspace, args)?))
}

/// Builds, reports, and returns the exit status.
///
/// # Errors
/// As [`run`].
pub(super) fn build_and_report(
    exec: &Exec,
    workspace: &Workspace,
    args: &WheelsArgs,
) -> anyhow::Result<u8> {
    let Some(report) = build(exec, workspace, args)? else { return Ok(0) };
    if args.json {
        report::json(&report)?;
    } else {
        report::data(&table(&report));
    }
    report.jobs.iter().filter_map(explain).for_each(|text| report::note(&text));
    Ok(match (report.success(), report.could_not_run()) {
        (true, _) => 0,
        (false, false) => FINDINGS,
        (false, true) => COULD_NOT_RUN,
    })
}

/// What a run works with, once its words are understood.
struct Session {
    config: Config,
    settings: Settings,
    plan: Plan,
    source: PreparedSource,
    store: Store,
    /// None for a dry run, which changes nothing.
    _lock: Option<Lock>,
}

impl Session {
    /// Reads the configuration, plans, and takes `dist/` for this run.
    fn open(exec: &Exec, workspace: &Workspace, args: &WheelsArgs) -> anyhow::Result<Self> {
        let config = workspace.config()?;
        let settings = pipeline::settings(&config)?;
        let native = native_platform();
        let mut request = plan::parse_words(&config, &args.words, args.all, &args.python, &native)?;
        request.smoke = !args.no_smoke;
        fs_err::create_dir_all(&workspace.work)?;
        let take = || {
            Lock::take(&workspace.work, !args.no_wait, |holder| {
                report::note(&format!("waiting for another run ({holder})"));
            })
        };
        let lock = if args.dry_run { None } else { Some(take()?) };
        let source = pipeline::prepare(&config, exec, &workspace.root, &workspace.work)?;
        let inputs = pipeline::inputs(&config, &workspace.root, &source)?;
        let plan = plan::plan(&config, &request, &inputs);
        let store = Store::new(&workspace.dist, &workspace.work);
        if lock.is_some() && store.recover()? {
            report::note("finished what an earlier run was killed in");
        }
        Ok(Self { config, settings, plan, source, store, _lock: lock })
    }

    fn context<'a>(
        &'a self,
        engine: &'a Engine,
        workspace: &Workspace,
        args: &WheelsArgs,
    ) -> Context<'a> {
        Context {
            config: &self.config,
            settings: self.settings.clone(),
            engine,
            store: &self.store,
            committing: Mutex::new(()),
            work: workspace.work.clone(),
            source: &self.source,
            keys: self.plan.jobs.iter().map(|job| job.key.clone()).collect(),
            no_cache: args.no_cache,
            force: args.force,
            smoke: !args.no_smoke,
        }
    }
}

/// Plans and carries out; `None` where `--dry-run` printed instead.
fn build(
    exec: &Exec,
    workspace: &Workspace,
    args: &WheelsArgs,
) -> anyhow::Result<Option<RunReport>> {
    let session = Session::open(exec, workspace, args)?;
    let engine = args.engine.engine(exec, workspace, &session.config)?;
    let context = session.context(&engine, workspace, args);
    if args.dry_run {
        if args.setup {
            mend(exec, workspace, &session.plan, true)?;
        }
        if args.json {
            report::json(&session.plan.view())?;
        } else {
            report::data(&pipeline::commands(&context, &session.plan));
        }
        return Ok(None);
    }
    let live = Live::new(args.detail());
    if args.force || !pipeline::all_finished(&context, &session.plan)? {
        if args.setup {
            mend(exec, workspace, &session.plan, false)?;
        }
        runnable(&engine, workspace, &session.plan)?;
        engine_args::announce(&engine)?;
    }
    let parallel = args.jobs.unwrap_or_else(default_jobs);
    let options = Options { parallel, fail_fast: args.fail_fast, ways: args.base };
    Ok(Some(pipeline::run(&context, &session.plan, options, &live)?))
}

/// As many jobs as cores: each is mostly one compiler at a time.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// `--setup`: gives the machine what it lacks for `plan`.
fn mend(exec: &Exec, workspace: &Workspace, plan: &Plan, dry_run: bool) -> anyhow::Result<()> {
    let native = native_platform();
    let foreign = plan.jobs.iter().map(|job| &job.platform).filter(|&platform| *platform != native);
    let asked = Asked {
        emulators: foreign.map(|platform| platform.engine_arch().to_owned()).collect(),
        bootstrap: plan.jobs.iter().any(|job| job.target.bootstrap.is_some()),
        permanent: false,
    };
    setup::ensure(exec, &workspace.root, first_image(plan), &asked, dry_run)?;
    Ok(())
}

fn first_image(plan: &Plan) -> &str {
    plan.jobs.first().map_or("debian:12", |job| &job.target.image)
}

/// Sees that the engine is there and runs every platform of `plan`, before anything is begun
/// (defect 11); what is missing is named with its cure.
fn runnable(engine: &Engine, workspace: &Workspace, plan: &Plan) -> anyhow::Result<()> {
    let known = setup::engine_platforms(engine, &workspace.root, first_image(plan))?;
    let native = native_platform();
    for job in &plan.jobs {
        let platform = &job.platform;
        if *platform != native && !known.contains(platform) {
            bail!(
                "nothing here runs {platform}: no emulator is registered and the builder has no \
                 node of that platform\n\nhint: `cargo xtask setup --emulate {}`",
                platform.engine_arch()
            );
        }
    }
    Ok(())
}

fn table(report: &RunReport) -> String {
    let mut rows = Vec::new();
    for job in &report.jobs {
        let place = [job.target.clone(), job.platform.clone(), job.interpreter.clone()];
        let (facts, verdict) = match &job.outcome {
            Outcome::Built { wheel } => (wheel_cells(wheel, &job.interpreter), "built"),
            Outcome::Unchanged { wheel } => (wheel_cells(wheel, &job.interpreter), "unchanged"),
            Outcome::Failed(_) => (["-", "-", "-", "-"].map(str::to_owned), "FAILED"),
        };
        let time = format!("{:.1} s", job.seconds);
        rows.push(place.into_iter().chain(facts).chain([time, verdict.to_owned()]).collect());
    }
    let head = ["target", "platform", "python", "floor", "tag", "size", "smoke", "time", "outcome"];
    let good = report.jobs.iter().filter(|job| !matches!(job.outcome, Outcome::Failed(_))).count();
    format!(
        "{}\n\n{good} of {} wheels in {} after {:.1} s",
        report::table(&head, &rows),
        report.jobs.len(),
        report.dist,
        report.seconds
    )
}

/// Floor, tag, size, smoke test.
fn wheel_cells(entry: &Entry, interpreter: &str) -> [String; 4] {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    let tag = name.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default().to_owned();
    let size = format!("{:.1} MB", to_mb(entry.size));
    match &entry.kind {
        Kind::Wheel { floor, .. } => {
            let smoke = match entry.build(interpreter).map(|build| build.smoke) {
                Some(Smoke::Passed) => "passed",
                Some(Smoke::Skipped) | None => "skipped",
            };
            [floor.clone(), tag, size, smoke.to_owned()]
        }
        Kind::Metadata => [String::new(), tag, size, String::new()],
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people, to one decimal")]
fn to_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// What went wrong in a failed job: the step, its last lines, the log, what to do.
fn explain(job: &JobReport) -> Option<String> {
    let Outcome::Failed(failure) = &job.outcome else { return None };
    let title = format!("{} {} {}", job.target, job.platform, job.interpreter);
    let mut text = format!("\nerror: {title}: {}", failure.message);
    for line in &failure.tail {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    if let Some(hint) = &failure.hint {
        text.push_str("\n\nhint: ");
        text.push_str(hint);
    }
    Some(format!("{text}\nlog: {}", failure.log))
}
