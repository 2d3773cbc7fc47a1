//! Builds Python wheels inside the Linux systems of their users, audits and publishes them.
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
#[doc(hidden)]
pub mod testing;

pub use cli::{main, main_with, run};

/// For a repository's own commands ([`main_with`]).
pub mod own {
    pub use crate::cli::command_line;
    pub use crate::commands::setup::{archive_lists, ensure_pip};
    pub use crate::commands::{COULD_NOT_RUN, FINDINGS, Workspace};
    pub use crate::config::{EXAMPLES as CONFIG_EXAMPLES, check_text as check_config};
    pub use crate::exec::{Captured, Exec, ExecError, Finished, Step, Stream, interrupt};
    pub use crate::init::OPTIONS as CIBUILDWHEEL_OPTIONS;
    pub use crate::schema::TEXT as CONFIG_SCHEMA;
}
