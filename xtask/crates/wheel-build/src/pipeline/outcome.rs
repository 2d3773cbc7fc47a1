//! The outcome of jobs, for people and for programs.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use wheel_audit::UserError;

use super::env::PipelineError;
use super::source::Summary;
use crate::engine::EngineError;
use crate::engine::failure::again;
use crate::exec::ExecError;
use crate::store::StoreError;
use wheel_audit::dist::Entry;
use wheel_audit::text::shown;

/// The outcome of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub(crate) enum Outcome {
    /// This run built the wheel.
    Built {
        /// The wheel in `dist/`.
        wheel: Entry,
    },
    /// `dist/` already has a wheel with the same inputs.
    Unchanged {
        /// The wheel in `dist/`.
        wheel: Entry,
    },
    /// No wheel.
    Failed(Failure),
}

/// Why a job has no wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// The error.
    pub message: String,
    /// The failed build step, if a step failed.
    pub step: Option<String>,
    /// The last lines of its output.
    pub tail: Vec<String>,
    /// The job's log.
    pub log: Utf8PathBuf,
    /// The fix.
    pub hint: Option<String>,
    /// Kind of failure, for programs.
    pub reason: FailureReason,
    /// The host that did not answer, if that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// True if the machine is the cause, rather than the package.
    pub could_not_run: bool,
    /// True if every other job would fail for the same reason.
    #[serde(skip)]
    pub ends_run: bool,
    /// True if another job's failure is the reason: it prevented or stopped this one.
    #[serde(skip)]
    pub consequence: bool,
}

/// Kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FailureReason {
    /// A source on the network did not answer.
    Network,
    /// No space is left on a disk.
    DiskFull,
    /// The container engine does not answer or lacks a feature that the run needs.
    Engine,
    /// The base image is not available.
    BaseImage,
    /// A build step failed.
    Step,
    /// The audit rejected the wheel, or a file could not be read or written.
    Other,
    /// Another job's failure, the user or a missing emulator ended or excluded it.
    NotRun,
}

impl FailureReason {
    /// The word in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::DiskFull => "disk-full",
            Self::Engine => "engine",
            Self::BaseImage => "base-image",
            Self::Step => "step",
            Self::Other => "other",
            Self::NotRun => "not-run",
        }
    }

    fn of(engine: Option<&EngineError>) -> Self {
        match engine {
            None | Some(EngineError::Io(_)) => Self::Other,
            Some(EngineError::DiskFull(_)) => Self::DiskFull,
            Some(EngineError::Base(_)) => Self::BaseImage,
            Some(EngineError::Step { .. }) => Self::Step,
            Some(
                EngineError::Gone(_)
                | EngineError::Client { .. }
                | EngineError::Exec(_)
                | EngineError::Unusable(_),
            ) => Self::Engine,
        }
    }
}

/// The findings of a wheel, without notes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    /// Each finding of severity `warning`.
    pub warnings: Vec<Warning>,
    /// Number of findings that `[[check.override]]` ignores.
    pub ignored: usize,
}

/// A finding of severity `warning`, as `audit.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Warning {
    /// The rule's code: `ELF003`.
    pub code: String,
    /// The member of the archive, or the wheel's own file name.
    pub path: String,
    /// The finding's message.
    pub message: String,
    /// Hint for the user.
    #[serde(rename = "cure")]
    pub hint: String,
}

/// One job's part of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct JobReport {
    /// Target name.
    pub target: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    pub interpreter: String,
    /// Wall time in seconds, without the wait for the base image.
    pub seconds: f64,
    /// Findings that do not reject the wheel; `None` without a wheel or a readable audit.
    pub findings: Option<Findings>,
    /// True if the package's code ran without network.
    pub isolated: bool,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The report of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunReport {
    /// Version of this format.
    pub schema_version: u32,
    /// Folder of the wheels.
    pub dist: Utf8PathBuf,
    /// The packed files; `None` for a source archive of the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Summary>,
    /// The jobs, in the plan's order.
    pub jobs: Vec<JobReport>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl RunReport {
    /// Returns whether every job has its wheel.
    pub(crate) fn success(&self) -> bool {
        self.jobs.iter().all(|job| !matches!(job.outcome, Outcome::Failed(_)))
    }

    /// Returns whether the run could not run: something ended it, or no requested job could run. If other jobs have their
    /// wheels, a job that could not run counts as a missing wheel.
    pub(crate) fn could_not_run(&self) -> bool {
        let failures = || self.jobs.iter().filter_map(JobReport::failure);
        let ended = failures().any(|failure| failure.ends_run);
        let none = failures().count() == self.jobs.len();
        ended || none && failures().any(|failure| failure.could_not_run)
    }
}

impl JobReport {
    /// The failure, if there is no wheel.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Built { .. } | Outcome::Unchanged { .. } => None,
        }
    }
}

impl Failure {
    /// A job without a wheel because another job failed.
    pub(super) fn left_out(message: &str, log: Utf8PathBuf) -> Self {
        Self {
            message: message.to_owned(),
            step: None,
            tail: Vec::new(),
            log,
            hint: None,
            reason: FailureReason::NotRun,
            source: None,
            could_not_run: false,
            ends_run: false,
            consequence: true,
        }
    }
}

/// The failure for `error`.
pub(super) fn failure(error: &PipelineError, log: Utf8PathBuf) -> Failure {
    let engine = error.engine();
    let step = engine.and_then(EngineError::step);
    if matches!(engine, Some(EngineError::Exec(ExecError::Stopped))) {
        return Failure::left_out("stopped: an earlier failure ended the run", log);
    }
    if matches!(engine, Some(EngineError::Exec(ExecError::Interrupted))) {
        // Nothing failed, and the user knows the reason.
        let stopped = Failure::left_out(&error.to_string(), log);
        return Failure { could_not_run: true, ends_run: true, ..stopped };
    }
    let full = disk_full(error);
    let message = match &full {
        Some(error) => format!("the disk is full: {error}"),
        None if is_system_error(error) => shown(&error.to_string()).to_string(),
        None => error.to_string(),
    };
    let source = engine.and_then(EngineError::source_down);
    let reason = match (&full, &source) {
        (Some(_), _) => FailureReason::DiskFull,
        (None, Some(_)) => FailureReason::Network,
        (None, None) => FailureReason::of(engine),
    };
    let own = UserError::hint_of(error).map(str::to_owned);
    let hint = match (own, source.as_deref().map(again)) {
        // Lines to copy come last.
        (Some(own), Some(again)) if own.contains('\n') => Some(format!("{again}; or {own}")),
        (Some(own), Some(again)) if own != again => Some(format!("{own}; or {again}")),
        (own, again) => own.or(again),
    };
    Failure {
        message,
        reason,
        source,
        step: step.map(|step| step.name.clone()),
        tail: step.map(|step| step.tail.clone()).unwrap_or_default(),
        log,
        hint,
        could_not_run: full.is_some() || engine.is_some_and(EngineError::could_not_run),
        ends_run: full.is_some() || engine.is_some_and(EngineError::ends_run),
        consequence: false,
    }
}

/// Returns whether it is an error of the operating system. Its message may contain a file name from the package.
fn is_system_error(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Io(io) if io.kind() != std::io::ErrorKind::Other)
}

/// The error of the system if a write failed on a full disk.
fn disk_full(error: &PipelineError) -> Option<String> {
    let (PipelineError::Io(io)
    | PipelineError::Store(StoreError::Io(io))
    | PipelineError::Engine(EngineError::Io(io))) = error
    else {
        return None;
    };
    (io.kind() == std::io::ErrorKind::StorageFull).then(|| io.to_string())
}
