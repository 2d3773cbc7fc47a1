//! All jobs of a run: side by side as far as asked, and one that fails does not stop the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::env::{Context, PipelineError};
use super::job::{self, Done};
use crate::engine::EngineError;
use crate::engine::base::{self, BaseImage, Origin, Ways};
use crate::plan::{Job, Plan};
use crate::report::Watch;
use crate::store::{Entry, StoreError};

/// How one job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub enum Outcome {
    /// The wheel was made now.
    Built {
        /// The wheel in `dist/`.
        wheel: Entry,
    },
    /// The wheel was there already, made from the same things.
    Unchanged {
        /// The wheel in `dist/`.
        wheel: Entry,
    },
    /// No wheel.
    Failed(Failure),
}

/// Why a job gave no wheel, as people and programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// The build step that failed, where it was one.
    pub step: Option<String>,
    /// The last lines that step printed.
    pub tail: Vec<String>,
    /// The job's log.
    pub log: Utf8PathBuf,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the machine could not run it, rather than the package being at fault.
    pub could_not_run: bool,
    /// Whether no other job could do better.
    #[serde(skip)]
    pub ends_run: bool,
}

/// One job's part of the report.
#[derive(Debug, Clone, Serialize)]
pub struct JobReport {
    /// Target name.
    pub target: String,
    /// Platform in the engine's words.
    pub platform: String,
    /// Interpreter tag.
    pub interpreter: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Version of this shape.
    pub schema_version: u32,
    /// Folder of the results.
    pub dist: Utf8PathBuf,
    /// Every job, in the plan's order.
    pub jobs: Vec<JobReport>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl RunReport {
    /// Whether every job has its wheel.
    pub fn success(&self) -> bool {
        self.jobs.iter().all(|job| !matches!(job.outcome, Outcome::Failed(_)))
    }

    /// Whether something could not be run at all, rather than being found wrong.
    pub fn could_not_run(&self) -> bool {
        self.jobs.iter().any(|job| matches!(&job.outcome, Outcome::Failed(f) if f.could_not_run))
    }
}

type Bases = BTreeMap<String, Result<BaseImage, Failure>>;

/// How a run is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Jobs at the same time, at least one.
    pub parallel: usize,
    /// Whether the first failure ends the run.
    pub fail_fast: bool,
    /// How base images may be had.
    pub ways: Ways,
}

/// Carries out `plan`. What is in `dist/` already is left alone; the rest is built.
///
/// # Errors
/// When `dist/` itself cannot be read; failures of jobs are in the report.
pub fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    options: Options,
    watch: &dyn Watch,
) -> Result<RunReport, PipelineError> {
    let start = Instant::now();
    let logs = ctx.work.join("logs");
    fs_err::create_dir_all(&logs)?;
    let mut reports: BTreeMap<usize, JobReport> = BTreeMap::new();
    let mut open: VecDeque<(usize, &Job)> = VecDeque::new();
    for (index, job) in plan.jobs.iter().enumerate() {
        let done = if ctx.force { None } else { job::finished(ctx, job)? };
        match done {
            Some(done) => {
                reports.insert(index, report(job, start, Outcome::Unchanged { wheel: done.entry }));
            }
            None => open.push_back((index, job)),
        }
    }
    let bases = bases(ctx, &open, options, &logs, watch);
    let queue = Mutex::new(open);
    let results = Mutex::new(&mut reports);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..options.parallel.max(1) {
            scope.spawn(|| {
                loop {
                    let next = locked(&queue).pop_front();
                    let Some((index, job)) = next else { break };
                    let stopped = stop.load(std::sync::atomic::Ordering::SeqCst);
                    let outcome = one(ctx, job, &bases, &logs, stopped, watch);
                    let (outcome, seconds) = outcome;
                    if let Outcome::Failed(failure) = &outcome
                        && (options.fail_fast || failure.ends_run)
                    {
                        stop.store(true, std::sync::atomic::Ordering::SeqCst);
                    }
                    watch.ended(&job.title(), &outcome_word(&outcome), seconds);
                    let mut job_report = report(job, start, outcome);
                    job_report.seconds = seconds;
                    locked(&results).insert(index, job_report);
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let dist = ctx.store.dist().to_owned();
    Ok(RunReport { schema_version: 1, dist, jobs: reports.into_values().collect(), seconds })
}

/// Whether every job of `plan` is done already, so that no engine is needed.
///
/// # Errors
/// When `dist/` cannot be read.
pub fn all_finished(ctx: &Context<'_>, plan: &Plan) -> Result<bool, PipelineError> {
    for job in &plan.jobs {
        if job::finished(ctx, job)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Built { wheel } | Outcome::Unchanged { wheel } => wheel.path.clone(),
        Outcome::Failed(failure) => {
            format!("failed: {}", failure.message.lines().next().unwrap_or_default())
        }
    }
}

fn report(job: &Job, start: Instant, outcome: Outcome) -> JobReport {
    JobReport {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        interpreter: job.interpreter.to_string(),
        seconds: start.elapsed().as_secs_f64(),
        outcome,
    }
}

/// The base image of every target and platform that still has jobs.
fn bases(
    ctx: &Context<'_>,
    open: &VecDeque<(usize, &Job)>,
    options: Options,
    logs: &Utf8Path,
    watch: &dyn Watch,
) -> Bases {
    let mut bases = Bases::new();
    let mut seen = BTreeSet::new();
    for (_, job) in open {
        let folder = job.folder();
        if !seen.insert(folder.clone()) {
            continue;
        }
        let mut say = |text: &str| watch.note(&format!("{folder}: {text}"));
        let base = base::resolve(
            ctx.engine,
            &job.target,
            &job.platform,
            options.ways,
            &ctx.work.join("base"),
            &mut say,
        );
        if let Ok(base) = &base {
            say(&format!("base image {} ({})", base.reference, base.origin.as_str()));
            let follows_tag =
                base.origin == Origin::Pulled && !job.target.digest.contains_key(&job.platform);
            if follows_tag {
                let name = &job.target.name;
                say(&format!(
                    "no digest is pinned for it, the next pull may bring another; `cargo xtask pin \
                     {name}` writes the one of today into wheels.toml"
                ));
            }
        }
        let log = logs.join(format!("{}.log", job.slug()));
        bases.insert(folder, base.map_err(|error| failure(&error.into(), log)));
    }
    bases
}

/// Runs one job, from a clean log; its outcome and wall time in seconds.
fn one(
    ctx: &Context<'_>,
    job: &Job,
    bases: &Bases,
    logs: &Utf8Path,
    stopped: bool,
    watch: &dyn Watch,
) -> (Outcome, f64) {
    let start = Instant::now();
    let log = logs.join(format!("{}.log", job.slug()));
    // An old log beside a new failure would send its reader astray.
    if let Err(error) = fs_err::write(&log, "") {
        return (Outcome::Failed(failure(&error.into(), log)), 0.0);
    }
    let outcome = match bases.get(&job.folder()) {
        _ if stopped => Outcome::Failed(Failure {
            message: "not begun: an earlier failure ended the run".to_owned(),
            step: None,
            tail: Vec::new(),
            log,
            hint: None,
            could_not_run: false,
            ends_run: false,
        }),
        Some(Ok(base)) => match job::run(ctx, job, base, &log, watch) {
            Ok(Done { entry, fresh: true }) => Outcome::Built { wheel: entry },
            Ok(Done { entry, fresh: false }) => Outcome::Unchanged { wheel: entry },
            Err(error) => Outcome::Failed(failure(&error, log)),
        },
        Some(Err(failure)) => Outcome::Failed(failure.clone()),
        None => Outcome::Failed(failure(
            &PipelineError::Wrong(format!("no base image was looked for for {}", job.folder())),
            log,
        )),
    };
    if let Outcome::Failed(failure) = &outcome {
        append_reason(failure);
    }
    (outcome, start.elapsed().as_secs_f64())
}

/// Ends the log with the reason, so that it says by itself why there is no wheel.
fn append_reason(failure: &Failure) {
    use std::io::Write as _;
    let log = fs_err::OpenOptions::new().append(true).open(&failure.log);
    // A log that cannot be written must not hide the failure it is about.
    let _ = log.and_then(|mut log| writeln!(log, "\nno wheel: {}", failure.message));
}

fn failure(error: &PipelineError, log: Utf8PathBuf) -> Failure {
    let engine = error.engine();
    let step = engine.and_then(EngineError::step);
    let full = disk_full(error);
    let message = match &full {
        Some(said) => format!("the disk is full: {said}"),
        None => error.to_string(),
    };
    Failure {
        message,
        step: step.map(|step| step.name.clone()),
        tail: step.map(|step| step.tail.clone()).unwrap_or_default(),
        log,
        hint: engine.and_then(EngineError::hint).map(str::to_owned),
        could_not_run: full.is_some() || engine.is_some_and(EngineError::could_not_run),
        ends_run: full.is_some() || engine.is_some_and(EngineError::ends_run),
    }
}

/// What the system said, where our own write met a full disk.
fn disk_full(error: &PipelineError) -> Option<String> {
    let (PipelineError::Io(io)
    | PipelineError::Store(StoreError::Io(io))
    | PipelineError::Engine(EngineError::Io(io))) = error
    else {
        return None;
    };
    (io.kind() == std::io::ErrorKind::StorageFull).then(|| io.to_string())
}
