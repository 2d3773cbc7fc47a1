//! Runs all jobs, concurrently within the budget. A failing job does not stop the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::time::Instant;
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};

use super::accelerate::NativeImage;
use super::durations;
use super::env::{Context, PipelineError};
use super::job::{self, FinishedJob};
use super::job_budget::{self, JobBudget};
use super::missing;
use super::outcome::{Failure, JobReport, Outcome, RunReport, failure};
use super::schedule::{Next, Schedule, Waiting};
use super::sharing::{self, Shared, Sharing};
use super::state::stage_of;
use super::survey::{Audits, Survey, made_in};
use super::work::Workspace;
use crate::config::Platform;
use crate::engine::base::{self, BaseImage, BasePolicy, Origin};
use crate::exec::interrupt;
use crate::live::Watch;
use crate::plan::{Job, Plan};
use wheel_audit::dist::Entry;

/// Minimum number of base images that are obtained concurrently: one that is made from packages may take minutes,
/// and the others must not wait for it.
const BASES: usize = 2;

/// Options of a run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Limits of concurrent work.
    pub budget: JobBudget,
    /// True if the first failure ends the run, including running jobs.
    pub fail_fast: bool,
    /// How to obtain base images.
    pub base_policy: BasePolicy,
    /// Platforms that run without emulation.
    pub native: BTreeSet<Platform>,
    /// Platforms that this machine cannot run, with the error of each. Their jobs fail at once.
    pub unsupported: BTreeMap<Platform, UserError>,
}

/// A base image, or the failure with its log.
type Base = Result<BaseImage, Box<Failure>>;

/// State that the workers of a run share.
struct Run<'a> {
    ctx: &'a Context<'a>,
    plan: &'a Plan,
    options: &'a Options,
    watch: &'a dyn Watch,
    schedule: Schedule<Base>,
    sharing: Sharing,
    /// The wheel of each job that `dist/` already has. Cleared if the base image has changed.
    done: Vec<Option<Entry>>,
    /// Index of the first job of each folder.
    bases: Mutex<VecDeque<usize>>,
    results: Mutex<BTreeMap<usize, (Outcome, f64)>>,
}

/// Runs `plan`. Keeps wheels that are up to date according to `survey`, and builds the rest.
///
/// # Errors
/// If xtask's work folder cannot be written. Failures of jobs are in the report.
pub(crate) fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    survey: Survey,
    options: &Options,
    watch: &dyn Watch,
) -> Result<RunReport, PipelineError> {
    let start = Instant::now();
    fs_err::create_dir_all(ctx.work.join("logs"))?;
    let mut results = BTreeMap::new();
    let (mut waiting, mut bases) = (Vec::new(), VecDeque::new());
    let open: BTreeSet<String> = survey.open(plan).map(Job::folder).collect();
    for (index, (job, done)) in plan.jobs.iter().zip(&survey.done).enumerate() {
        // If a folder needs its base image anyway, existing wheels are compared with it.
        let is_requested =
            open.contains(&job.folder()) && !options.unsupported.contains_key(&job.platform);
        if let Some(wheel) = done.clone().filter(|_| !is_requested) {
            results.insert(index, (Outcome::Unchanged { wheel }, 0.0));
        } else if let Some(why) = options.unsupported.get(&job.platform) {
            results.insert(index, (unsupported(&log(ctx, job), why), 0.0));
        } else {
            let folder = job.folder();
            if !waiting.iter().any(|other: &Waiting| other.folder == folder) {
                bases.push_back(index);
            }
            let memory = job_budget::memory(!options.native.contains(&job.platform));
            waiting.push(Waiting { index, folder, memory, after: None });
        }
    }
    let sharing = Sharing::of(plan);
    let titles: Vec<_> = waiting.iter().map(|it| plan.jobs[it.index].title()).collect();
    watch.begin(&titles);
    leads_first(ctx, plan, &sharing, &mut waiting)?;
    let workers = options.budget.jobs.min(waiting.len());
    let base_workers = options.budget.jobs.max(BASES).min(bases.len());
    let schedule = Schedule::new(waiting, options.budget);
    let (bases, results) = (Mutex::new(bases), Mutex::new(results));
    let done = survey.done;
    let run = Run { ctx, plan, options, watch, schedule, sharing, done, bases, results };
    std::thread::scope(|scope| {
        (0..base_workers).for_each(|_| drop(scope.spawn(|| run.obtain_bases())));
        (0..workers).for_each(|_| drop(scope.spawn(|| run.work())));
    });
    let results = run.results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut audits = Audits::new(ctx.store);
    let report =
        |(index, (outcome, seconds))| report(&plan.jobs[index], outcome, seconds, &mut audits);
    let jobs = results.into_iter().map(report).collect();
    let dist = ctx.store.dist().to_owned();
    let (source, seconds) = (ctx.source.summary().cloned(), start.elapsed().as_secs_f64());
    Ok(RunReport { schema_version: 2, dist, source, jobs, seconds })
}

/// Maximum number of jobs of `plan` that can build concurrently. The others are done or wait for a wheel of these
/// jobs.
///
/// # Errors
/// If the manifest exists and cannot be read.
pub(crate) fn builders(
    ctx: &Context<'_>,
    plan: &Plan,
    survey: &Survey,
) -> Result<usize, PipelineError> {
    let open: BTreeSet<usize> =
        (0..plan.jobs.len()).filter(|&at| survey.done[at].is_none()).collect();
    Ok(open.len() - sharing::awaited(ctx, plan, &Sharing::of(plan), &open)?.len())
}

/// Moves jobs that build for others to the front. The others wait if a wheel for them is expected.
fn leads_first(
    ctx: &Context<'_>,
    plan: &Plan,
    sharing: &Sharing,
    waiting: &mut [Waiting],
) -> Result<(), PipelineError> {
    let leads = sharing.leads();
    waiting.sort_by_key(|job| !leads.contains(&job.index));
    let open = waiting.iter().map(|job| job.index).collect();
    let awaited = sharing::awaited(ctx, plan, sharing, &open)?;
    for job in waiting {
        job.after = awaited.get(&job.index).copied();
    }
    Ok(())
}

impl Run<'_> {
    /// Obtains base images until each folder has one.
    fn obtain_bases(&self) {
        // A separate statement, so that the queue is not locked while the image is obtained.
        let next = || locked(&self.bases).pop_front().filter(|_| !self.schedule.stopped());
        while let Some(index) = next() {
            let job = &self.plan.jobs[index];
            self.schedule.base(&job.folder(), self.base(job));
        }
    }

    fn base(&self, job: &Job) -> Base {
        let folder = job.folder();
        let mut notify = |text: &str| self.watch.note(&format!("{folder}: {text}"));
        // Separate folders: two images that are made concurrently must not delete each other's files.
        let work = self.ctx.work.join("base").join(&folder);
        let (engine, base_policy) = (self.ctx.engine, self.options.base_policy);
        let base =
            base::resolve(engine, &job.target, &job.platform, base_policy, &work, &mut notify);
        if let Ok(base) = &base {
            notify(&format!("base image {} ({})", base.reference, base.origin.as_str()));
            let pinned = job.target.digest.contains_key(&job.platform);
            if base.origin == Origin::Pulled && !pinned {
                let name = &job.target.name;
                notify(&format!(
                    "no digest is pinned, so the next pull may return another image; `cargo xtask \
                     pin {name}` writes the current digest to wheels.toml"
                ));
            }
            if job.target.family.is_none() && !self.ctx.config.build.system_packages.is_empty() {
                notify(&format!(
                    "skipping `[build] system_packages`: the family of `{}` is unknown; add a \
                     `[[target]]` with `family` to wheels.toml",
                    job.target.image
                ));
            }
        }
        let (accelerate, work) = (&self.ctx.accelerate, self.ctx.work.as_path());
        let native_image = NativeImage { engine, accelerate, base_policy, work };
        let base =
            base.map(|base| native_image.onto(&job.target, &job.platform, base, &mut notify));
        base.map_err(|error| Box::new(failure(&error.into(), log(self.ctx, job))))
    }

    /// Runs jobs until none is left.
    fn work(&self) {
        while let Some(next) = self.schedule.next() {
            let start = Instant::now();
            let (waiting, outcome) = match next {
                Next::Run(waiting, base) => {
                    let outcome = self.unchanged(waiting.index, base.as_ref().ok());
                    let outcome = outcome.unwrap_or_else(|| self.one(waiting.index, base));
                    self.stop_on_failure(&outcome);
                    self.schedule.ended(&waiting);
                    (waiting, outcome)
                }
                Next::Skip(waiting) => {
                    let log = log(self.ctx, &self.plan.jobs[waiting.index]);
                    let message = if interrupt::received() {
                        "not started: the run was interrupted"
                    } else {
                        "not started: an earlier failure ended the run"
                    };
                    let outcome = self.unchanged(waiting.index, None);
                    let left_out = || Outcome::Failed(Failure::left_out(message, log));
                    (waiting, outcome.unwrap_or_else(left_out))
                }
            };
            let seconds = start.elapsed().as_secs_f64();
            let job = &self.plan.jobs[waiting.index];
            let title = job.title();
            if matches!(outcome, Outcome::Built { .. }) {
                durations::record(&self.ctx.work, job, seconds);
            }
            self.watch.ended(&title, &outcome_word(&outcome), seconds);
            locked(&self.results).insert(waiting.index, (outcome, seconds));
        }
    }

    fn one(&self, index: usize, base: Base) -> Outcome {
        let (plan, schedule) = (self.plan, &self.schedule);
        let shared = Shared::of(&self.sharing, plan, &self.done, index, schedule);
        let build_ended = || schedule.build_ended(index);
        let emulated = !self.options.native.contains(&plan.jobs[index].platform);
        one(self.ctx, &plan.jobs[index], base, (&shared, &build_ended), emulated, self.watch)
    }

    /// The wheel of a job in `dist/`, unless it was built in another image than `base`.
    fn unchanged(&self, index: usize, base: Option<&BaseImage>) -> Option<Outcome> {
        let wheel = self.done[index].clone()?;
        let same = base.is_none_or(|base| made_in(&wheel, &self.plan.jobs[index], base));
        same.then_some(Outcome::Unchanged { wheel })
    }

    /// Ends the run if `outcome` requires it.
    fn stop_on_failure(&self, outcome: &Outcome) {
        let Outcome::Failed(failure) = outcome else { return };
        if self.options.fail_fast || failure.ends_run {
            self.schedule.stop();
        }
        if self.options.fail_fast {
            self.ctx.engine.exec.stop();
        }
    }
}

fn log(ctx: &Context<'_>, job: &Job) -> Utf8PathBuf {
    ctx.work.join("logs").join(format!("{}.log", job.slug()))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Built { wheel } | Outcome::Unchanged { wheel } => wheel.path.clone(),
        Outcome::Failed(failure) => {
            let first = failure.message.lines().next().unwrap_or_default();
            format!("failed: {}", first.trim_end_matches(':'))
        }
    }
}

fn report(job: &Job, outcome: Outcome, seconds: f64, audits: &mut Audits<'_>) -> JobReport {
    let findings = match &outcome {
        Outcome::Built { wheel } | Outcome::Unchanged { wheel } => audits.of(wheel),
        Outcome::Failed(_) => None,
    };
    JobReport {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        interpreter: job.interpreter.to_string(),
        seconds,
        findings,
        isolated: !job.settings.build.network,
        outcome,
    }
}

/// The result of a job whose platform this machine cannot run.
fn unsupported(log: &Utf8Path, why: &UserError) -> Outcome {
    let failure = Failure {
        hint: why.hint.clone(),
        could_not_run: true,
        consequence: false,
        ..Failure::left_out(&why.message, log.to_owned())
    };
    begin_log(log).map_or_else(
        |error| Outcome::Failed(self::failure(&error, log.to_owned())),
        |()| {
            append_reason(&failure);
            Outcome::Failed(failure)
        },
    )
}

/// Clears the log, so that an old one does not mislead.
fn begin_log(log: &Utf8Path) -> Result<(), PipelineError> {
    Ok(fs_err::write(log, "")?)
}

/// Records the step that failed, if `failure` has one.
fn record_failure(ctx: &Context<'_>, job: &Job, failure: &Failure) {
    let Some(stage) = failure.step.as_deref().and_then(stage_of) else { return };
    // An error here must not hide the failure itself.
    let _ = Workspace::new(&ctx.work, job).and_then(|workspace| workspace.failed(job, stage));
}

/// Runs one job with a new log.
fn one(
    ctx: &Context<'_>,
    job: &Job,
    base: Base,
    others: (&Shared<'_>, &dyn Fn()),
    emulated: bool,
    watch: &dyn Watch,
) -> Outcome {
    let log = log(ctx, job);
    let begun = begin_log(&log)
        .and_then(|()| Ok(Workspace::new(&ctx.work, job).and_then(|folder| folder.begin())?));
    if let Err(error) = begun {
        return Outcome::Failed(failure(&error, log));
    }
    let outcome = match base {
        Ok(base) => match job::run(ctx, job, &base, others, &log, watch) {
            Ok(FinishedJob { entry, fresh: true }) => Outcome::Built { wheel: entry },
            Ok(FinishedJob { entry, fresh: false }) => Outcome::Unchanged { wheel: entry },
            Err(error) => {
                let mut failure = failure(&error, log);
                missing::advise(&mut failure, job.target.family);
                if error.lacks_machine_code() {
                    missing::add_compiler_error(&mut failure, job.target.family);
                }
                if emulated && matches!(error, PipelineError::Tests { .. }) {
                    failure.hint.get_or_insert_with(|| skip_tests(&job.platform));
                }
                Outcome::Failed(failure)
            }
        },
        // Every job gets its own log, even if another job triggered the lookup.
        Err(failure) => Outcome::Failed(Failure { log, ..*failure }),
    };
    if let Outcome::Failed(failure) = &outcome {
        append_reason(failure);
        record_failure(ctx, job, failure);
    }
    outcome
}

/// The hint for package tests that failed under emulation without a known cause.
fn skip_tests(platform: &Platform) -> String {
    format!(
        "the tests ran under QEMU, which emulates {platform} and can cause the failure. To skip them there, add these \
         lines to wheels.toml:\n\
         \x20 [[override]]\n\
         \x20 select = \"*_{}\"\n\
         \x20 test.skip = true",
        platform.arch().wheel_name()
    )
}

/// Appends the reason to the log, so that it explains the missing wheel.
fn append_reason(failure: &Failure) {
    use std::io::Write as _;
    let log = fs_err::OpenOptions::new().append(true).open(&failure.log);
    let hint = failure.hint.as_ref().map_or_else(String::new, |hint| format!("\n\nhint: {hint}"));
    // An error here must not hide the failure itself.
    let source = failure.source.as_ref().map_or_else(String::new, |host| format!(" ({host})"));
    let reason = failure.reason.as_str();
    let _ = log.and_then(|mut log| {
        writeln!(log, "\nno wheel: {}\nreason: {reason}{source}{hint}", failure.message)
    });
}
