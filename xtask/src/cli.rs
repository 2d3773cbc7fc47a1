//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands;

/// Exit status of a command that did its work and found something wrong.
pub const FINDINGS: u8 = 1;
/// Exit status of a command that could not run.
pub const COULD_NOT_RUN: u8 = 2;

/// Builds Python wheels inside the Linux systems their users run, proves and ships them.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_help = "Exit status: 0 good, 1 findings or a missing wheel, 2 could not run."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build, audit and smoke-test wheels into `dist/`
    Wheels(commands::wheels::WheelsArgs),
    /// Show what a target's build environment is
    BuildInfo(commands::build_info::BuildInfoArgs),
    /// Say what this machine has and lacks, each missing part with its cure
    Doctor(commands::doctor::DoctorArgs),
    /// Install and start what is missing (apt systems)
    Setup(commands::setup::SetupArgs),
    /// Run every check of this repository, then build a wheel with the real engine
    Ci(commands::ci::CiArgs),
    /// Print what builds inherit from this machine (for pasting a `--dry-run`)
    #[command(hide = true)]
    HostSettings(commands::host_settings::HostSettingsArgs),
}

/// Runs the command line; what it returns is the process's exit status.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            crate::report::error(&error);
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}
