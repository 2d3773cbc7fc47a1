//! Builds Python wheels inside the Linux systems their users run, proves and ships them.
//!
//! Imports point downwards: `cli` and `commands` at the top, `exec` at the bottom.

mod assets;
mod cli;
mod clone;
mod commands;
mod config;
mod engine;
mod exec;
mod init;
mod live;
mod lock;
mod pipeline;
mod plan;
mod proof;
mod schema;
mod ship;
mod store;
mod sys;

pub use cli::{main, main_with, run};

/// What tests and fuzz targets of this repository need, and nobody else.
#[doc(hidden)]
pub mod testing {
    pub use crate::engine::podman::TARGETS as PODMAN_TARGETS;
    pub use crate::engine::progress::{Event, Progress};
}

/// What a repository needs for commands of its own ([`main_with`]).
pub mod own {
    pub use crate::cli::command_line;
    pub use crate::commands::setup::{archive_lists, ensure_pip};
    pub use crate::commands::{COULD_NOT_RUN, FINDINGS, Workspace};
    pub use crate::config::{EXAMPLES as CONFIG_EXAMPLES, check_text as check_config};
    pub use crate::exec::{Captured, Exec, ExecError, Finished, Step, Stream, interrupt};
    pub use crate::schema::TEXT as CONFIG_SCHEMA;
}
