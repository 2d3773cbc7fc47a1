//! Builds Python wheels inside the Linux systems their users run, proves and ships them.
//!
//! Rooms and the arrows between them are drawn in `ARCHITECTURE.md`.

mod assets;
mod cli;
mod commands;
mod config;
mod engine;
mod exec;
mod init;
mod live;
mod pipeline;
mod plan;
mod schema;
mod ship;
mod store;

pub use cli::{main, main_with, run};

/// For a test that holds it against `docker/docker-bake.hcl`.
#[doc(hidden)]
pub use engine::podman::TARGETS as PODMAN_TARGETS;

/// What a repository needs for commands of its own ([`main_with`]).
pub mod own {
    pub use crate::commands::setup::{archive_lists, ensure_pip};
    pub use crate::commands::{COULD_NOT_RUN, FINDINGS, Workspace};
    pub use crate::exec::{Captured, Exec, ExecError, Finished, Step, Stream, interrupt};
}
