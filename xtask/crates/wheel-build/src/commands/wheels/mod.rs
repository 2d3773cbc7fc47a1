//! `cargo xtask wheels`: builds, audits and tests wheels.

pub(crate) mod markdown;
pub(super) mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use wheel_audit::UserError;

use anyhow::bail;

use super::engine_args::{self, BuildArgs};
use super::locking::{self, Locking};
use super::selection::{self, Selection};
use super::setup::{self, SetupNeeds};
use super::titles::titles;
use super::{COULD_NOT_RUN, FINDINGS, Workspace, native_platform};
use crate::assets::OVERRIDES;
use crate::config::{Config, ConfigFile, Platform};
use crate::engine::Engine;
use crate::engine::base::BasePolicy;
use crate::engine::doctor::binfmt;
use crate::engine::prebuilt::Finder;
use crate::exec::Exec;
use crate::live::{Detail, Live};
use crate::lock::LockFile;
use crate::pipeline::{
    self, Accelerate, AccelerateMode, Context, JobBudget, LockUse, Options, PreparedSource,
    RunReport, Survey,
};
use crate::plan::{self, Plan};
use crate::store::{Lock, Store};
use wheel_audit::audit::Settings;
use wheel_audit::report;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct WheelsArgs {
    #[command(flatten)]
    pub selection: Selection,
    /// Print the build identifiers of the selected jobs without building
    #[arg(long)]
    pub print_build_identifiers: bool,
    /// Install and start missing programs first, as `cargo xtask setup` does
    #[arg(long)]
    pub setup: bool,
    /// Print the exact commands without running them
    #[arg(long)]
    pub dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Print the report as Markdown, for a job summary
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Limit the number of concurrent jobs [default: as many as cores and memory allow]
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,
    /// Stop at the first failure and cancel running jobs
    #[arg(long)]
    pub fail_fast: bool,
    /// Rebuild wheels that are up to date
    #[arg(long)]
    pub force: bool,
    /// Ignore the engine's build cache
    #[arg(long)]
    pub no_cache: bool,
    /// Fail if a build differs from the lock file [default: report differences]
    #[arg(long)]
    pub locked: bool,
    /// Skip the smoke test and the package tests
    #[arg(long)]
    pub no_smoke: bool,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    pub base: BasePolicy,
    /// Use native cross compilers and native apt for emulated builds when the output is identical (default)
    #[arg(long, overrides_with = "no_accelerate")]
    pub accelerate: bool,
    /// Compile and install packages for foreign platforms under emulation
    #[arg(long, overrides_with = "accelerate")]
    pub no_accelerate: bool,
    #[command(flatten)]
    pub engine: BuildArgs,
    /// Fail at once if another run holds the lock of `dist/`
    #[arg(long)]
    pub no_wait: bool,
    /// Show the output of build steps
    #[arg(long, short)]
    pub verbose: bool,
    /// Hide progress
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl WheelsArgs {
    /// With `--all` and no named platform, skip platforms that this machine cannot run and report them at the end.
    fn skip_unsupported(&self) -> bool {
        self.selection.all && !self.selection.words.iter().any(|word| word.starts_with("linux/"))
    }

    fn mode(&self) -> AccelerateMode {
        match (self.accelerate, self.no_accelerate) {
            (true, _) => AccelerateMode::Requested,
            (_, true) => AccelerateMode::Never,
            _ => AccelerateMode::Default,
        }
    }

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
/// If the run cannot start, e.g. for an unknown target, a missing engine, or a held lock.
pub(crate) fn run(args: &WheelsArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    if args.print_build_identifiers {
        let config = workspace.config()?;
        let request = args.selection.request(&config, true)?;
        Selection::check_interpreters(&workspace, &config, &request)?;
        let plan = plan::plan(&config, &request, &plan::Inputs::default());
        report::data(&super::plan::identifiers(&plan));
        return Ok(ExitCode::SUCCESS);
    }
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
    let Some(report) = build(exec, workspace, args, None)? else { return Ok(0) };
    if args.json {
        report::json(&report)?;
    } else if args.markdown {
        report::data(markdown::markdown(&report, markdown::links().as_deref()).trim_end());
    } else {
        report::text(&summary::table(&report, report::width()));
    }
    for text in summary::warnings(&report) {
        report::note(&text);
    }
    if let (Some(next), false) = (summary::next(&report), args.quiet || args.json) {
        report::note(&next);
    }
    if !report.success() {
        let manifest = Store::new(&workspace.dist, &workspace.work).manifest().unwrap_or_default();
        for text in summary::left_over(&report, &manifest).iter().chain(&summary::failures(&report))
        {
            report::note(text);
        }
    }
    report::annotate(&summary::annotations(&report));
    Ok(match (report.success(), report.could_not_run()) {
        (true, _) => 0,
        (false, false) => FINDINGS,
        (false, true) => COULD_NOT_RUN,
    })
}

/// State of a run after reading arguments and configuration.
pub(super) struct Session {
    pub(super) config: Config,
    settings: Settings,
    pub(super) plan: Plan,
    source: PreparedSource,
    store: Store,
    lock_file: Option<LockFile>,
    /// `None` for a dry run, which changes nothing.
    _lock: Lock,
}

impl Session {
    /// Reads the configuration, plans, and locks `dist/` for this run.
    pub(super) fn open(
        exec: &Exec,
        workspace: &Workspace,
        args: &WheelsArgs,
        locking: Option<&Locking>,
    ) -> anyhow::Result<Self> {
        let (config, lock_file) = match locking {
            Some(locking) => (locking.config(workspace)?, Some(locking.file.clone())),
            None => workspace.locked()?,
        };
        let settings = pipeline::settings(&config)?;
        let mut request = args.selection.request(&config, false)?;
        request.smoke = !args.no_smoke;
        Selection::check_interpreters(workspace, &config, &request)?;
        fs_err::create_dir_all(&workspace.work)?;
        // For a dry run as well: packing the source removes the archive that another run builds from.
        let lock = Lock::take(&workspace.work, !args.no_wait, |holder| {
            report::note(&format!("waiting for another run ({holder})"));
        })?;
        let assets = workspace.assets(&config)?;
        for file in &assets.replaced {
            report::note(&format!("`{OVERRIDES}/{file}` replaces the tool's own build file"));
        }
        let source = pipeline::prepare(&config, exec, &workspace.root, &workspace.work)?;
        if let Some(summary) = source.summary() {
            super::source::announce(summary, args.quiet);
        }
        let inputs = pipeline::inputs(&config, &workspace.root, &assets, &source)?;
        let stamp = locking.map(|it| it.stamp.clone());
        let inputs = plan::Inputs { lock: lock_file.clone(), stamp, ..inputs };
        let plan = plan::plan(&config, &request, &inputs);
        selection::warn_unused(&config, &plan);
        if locking.is_none() {
            unlocked(workspace, &config, &plan, lock_file.is_some(), args.locked)?;
        }
        let store = Store::new(&workspace.dist, &workspace.work);
        if !args.dry_run && store.recover()? {
            report::note("recovered `dist/` after an interrupted run");
        }
        Ok(Self { config, settings, plan, source, store, lock_file, _lock: lock })
    }

    pub(super) fn context<'a>(
        &'a self,
        engine: &'a Engine,
        workspace: &Workspace,
        args: &WheelsArgs,
        locking: Option<&'a Locking>,
    ) -> Context<'a> {
        Context {
            config: &self.config,
            settings: self.settings.clone(),
            engine,
            store: &self.store,
            committing: Mutex::new(()),
            recipes: Mutex::default(),
            work: workspace.work.clone(),
            prebuilt: Finder::new(self.config.base_images.repository.as_deref()),
            source: &self.source,
            keys: self.plan.jobs.iter().map(|job| job.key.clone()).collect(),
            no_cache: args.no_cache,
            force: args.force,
            smoke: !args.no_smoke,
            accelerate: Accelerate { mode: args.mode(), native: native_platform() },
            lock: match locking {
                Some(locking) => LockUse::Record(&locking.recorded),
                None if args.locked => LockUse::Enforce,
                None => LockUse::Report,
            },
            locks: self.lock_file.as_ref().map(|file| (workspace.file.lock_name(), file)),
        }
    }
}

/// Rejects or reports jobs without an entry in the lock file.
fn unlocked(
    workspace: &Workspace,
    config: &Config,
    plan: &Plan,
    has_lock: bool,
    is_enforced: bool,
) -> anyhow::Result<()> {
    let name = workspace.file.lock_name();
    if !has_lock {
        anyhow::ensure!(
            !is_enforced,
            UserError::new(format!("`--locked` requires `{name}`, which is missing"))
                .hint("`cargo xtask lock` writes it")
        );
        return Ok(());
    }
    let jobs = pipeline::unlocked(&plan.jobs);
    if jobs.is_empty() {
        return Ok(());
    }
    let message =
        format!("`{name}` has no entry for {}", titles(jobs.iter().map(|job| job.title())));
    let error =
        UserError::new(message).hint(format!("run `{}`", locking::lock_command(config, &jobs)));
    if is_enforced {
        bail!(error);
    }
    report::warning(&UserError {
        message: format!("{}: the build uses the newest versions", error.message),
        ..error
    });
    Ok(())
}

/// Plans and runs the jobs; `None` after `--dry-run`.
pub(super) fn build(
    exec: &Exec,
    workspace: &Workspace,
    args: &WheelsArgs,
    locking: Option<&Locking>,
) -> anyhow::Result<Option<RunReport>> {
    let session = Session::open(exec, workspace, args, locking)?;
    let mut engine = args.engine.engine(exec, workspace, &session.config)?;
    let context = session.context(&engine, workspace, args, locking);
    if args.dry_run {
        if args.setup {
            provision(exec, workspace, &session.plan, true)?;
        }
        if args.json {
            report::json(&session.plan.view())?;
        } else {
            report::data(&pipeline::commands(&context, &session.plan));
        }
        return Ok(None);
    }
    let live = Live::new(args.detail());
    let survey = pipeline::survey(&context, &session.plan, args.base)?;
    let builders = pipeline::builders(&context, &session.plan, &survey)?;
    let mut options = Options {
        budget: JobBudget::fixed(args.jobs.unwrap_or(1)),
        fail_fast: args.fail_fast,
        base_policy: args.base,
        native: native_platforms(&engine),
        unsupported: BTreeMap::new(),
    };
    if !survey.all_done() {
        if args.setup {
            provision(exec, workspace, &session.plan, false)?;
        }
        options.unsupported = unsupported(&engine, workspace, &session.plan, &survey)?;
        if !args.skip_unsupported() {
            runnable(&options.unsupported, &session.plan)?;
        }
        if args.jobs.is_none() {
            options.budget = JobBudget::of(&engine);
        }
        engine_args::announce(&engine)?;
        let jobs = builders.min(options.budget.jobs);
        engine.host.cores = Some(pipeline::share(&engine, jobs));
    }
    let context = session.context(&engine, workspace, args, locking);
    Ok(Some(pipeline::run(&context, &session.plan, survey, &options, &live)?))
}

/// Platforms that run without emulation: those of this machine, and those with their own engine.
fn native_platforms(engine: &Engine) -> BTreeSet<Platform> {
    let native = native_platform();
    let here = binfmt::Arch::all().filter(|arch| arch.is_native(native.engine_arch()));
    let here = here.filter_map(|arch| format!("linux/{}", arch.name).parse().ok());
    engine.client.nodes.keys().cloned().chain(here).collect()
}

/// `--setup`: installs what this machine lacks for `plan`.
fn provision(exec: &Exec, workspace: &Workspace, plan: &Plan, dry_run: bool) -> anyhow::Result<()> {
    let native = native_platform();
    let foreign = plan.jobs.iter().map(|job| &job.platform).filter(|&platform| *platform != native);
    let bootstraps: Vec<_> =
        plan.jobs.iter().filter_map(|job| job.target.bootstrap.clone()).collect();
    let needs = SetupNeeds {
        emulators: foreign.map(|platform| platform.engine_arch().to_owned()).collect(),
        bootstrap: !bootstraps.is_empty(),
        bootstraps,
        permanent: false,
    };
    setup::ensure(exec, &workspace.root, first_image(plan), &needs, dry_run)?;
    Ok(())
}

fn first_image(plan: &Plan) -> &str {
    plan.jobs.first().map_or("debian:12", |job| &job.target.image)
}

/// Reads `--jobs`.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|&count: &usize| count > 0);
    count.ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

/// Platforms of open jobs that this machine cannot run, with the error of each. Checks the engine before a run
/// starts (defect 11).
fn unsupported(
    engine: &Engine,
    workspace: &Workspace,
    plan: &Plan,
    survey: &Survey,
) -> anyhow::Result<BTreeMap<Platform, UserError>> {
    let platforms = survey.open(plan).map(|job| &job.platform);
    let unsupported =
        setup::unsupported_platforms(engine, &workspace.root, first_image(plan), platforms)?;
    let why = |platform: Platform| (platform.clone(), setup::cannot_run(&platform));
    Ok(unsupported.into_iter().map(why).collect())
}

/// Fails at once if a requested platform is among the `unsupported`.
fn runnable(unsupported: &BTreeMap<Platform, UserError>, plan: &Plan) -> anyhow::Result<()> {
    let Some(error) = unsupported.values().next() else { return Ok(()) };
    let mut others: Vec<_> = plan.jobs.iter().map(|job| job.platform.to_string()).collect();
    others.retain(|platform| {
        !unsupported.keys().any(|unsupported| unsupported.to_string() == *platform)
    });
    others.dedup();
    let mut error = error.clone();
    if let (Some(hint), false) = (&mut error.hint, others.is_empty()) {
        let _ = write!(hint, "; or name only `{}` to build without it", others.join(" "));
    }
    bail!(error)
}
