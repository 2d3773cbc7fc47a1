//! One job from plan to `dist/`: build, audit, tag, smoke test, commit.
//!
//! Each stage leaves its result in the job's own folder below `target/xtask/jobs/`, by rename, so
//! that a later run takes up where this one ended, however it ended.

mod accelerate;
mod auditwheel;
mod base_images;
mod build_info;
mod calls;
mod env;
mod environment;
mod export;
mod handed;
mod job;
mod outcome;
mod printed;
mod room;
mod run;
mod schedule;
mod settings;
mod shell;
mod smoke;
mod source;
mod state;
mod survey;
mod work;

pub use accelerate::{Accelerate, Wish};
pub use auditwheel::{AuditwheelPackage, PackageError, auditwheel};
pub use base_images::{Made, Making, current as current_base_images, make_all};
pub use build_info::BuildInfo;
pub use env::{Context, PipelineError, prepare_host};
pub use environment::{Place, environment};
pub(crate) use job::floor_text;
pub use outcome::{Failure, Findings, JobReport, Outcome, RunReport, Warning};
pub use printed::commands;
pub use room::Room;
pub use run::{Options, run};
pub use settings::{UnknownRule, asked, settings};
pub use shell::{Place as ShellPlace, ShellImage, last_failed, shell_image};
pub use source::{ExcludedInterpreter, PreparedSource, check_requires_python, inputs, prepare};
pub use state::{BUILDER, Failed, STATES, State};
pub use survey::{Survey, survey};
