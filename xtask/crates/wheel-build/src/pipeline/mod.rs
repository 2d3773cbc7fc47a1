//! Runs jobs from plan to `dist/`: build, audit, tag, smoke test, commit.
//!
//! Each stage writes its result to the job's own folder below `target/xtask/jobs/`, atomically, so that a later run
//! continues from there after any interruption.

mod accelerate;
mod base_images;
pub(crate) mod build_info;
mod calls;
mod durations;
mod earlier;
mod env;
mod environment;
pub(crate) mod export;
mod job;
mod job_budget;
mod job_run;
mod like;
mod locked;
pub(crate) mod missing;
mod outcome;
mod printed;
mod proofs;
mod published;
mod repair;
mod reproduce;
mod run;
mod runtime_secrets;
mod schedule;
mod settings;
mod sharing;
mod shell;
pub(crate) mod smoke;
mod source;
mod state;
pub(crate) mod stubs;
mod survey;
mod trial;
mod work;

pub(crate) use accelerate::{Accelerate, AccelerateMode};
pub(crate) use base_images::{
    BaseImageResult, BaseImageRun, build_all, current as current_base_images,
};
pub(crate) use build_info::BuildInfo;
pub(crate) use durations::summary;
pub(crate) use env::{Context, LockUse, PipelineError, prepare_host};
pub(crate) use environment::{EnvironmentRequest, environment};
pub(crate) use job::{floor_text, listed};
pub(crate) use job_budget::{JobBudget, share};
pub(crate) use locked::{problems, unlocked};
pub(crate) use outcome::{
    Failure, FailureReason, Findings, JobReport, Outcome, RunReport, Warning,
};
pub(crate) use printed::commands;
pub(crate) use reproduce::{Against, Reproduction, Verdict, reproduce, word};
pub(crate) use run::{Options, builders, run};
pub(crate) use settings::{requested, settings};
pub(crate) use shell::{ShellInputs, last_failed, shell_image};
pub(crate) use source::{
    PreparedSource, Reason, Summary, check_requires_python, ignored, inputs, prepare, select,
    withheld,
};
pub(crate) use state::{BUILDER, Failed, STATES, State};
pub(crate) use survey::{Survey, survey};
pub(crate) use trial::{Agreement, Trial, TrialRun, TrialSystem, Wheel as TriedWheel};
