//! The command line.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::commands::{self, COULD_NOT_RUN, Workspace};
use crate::exec::{Exec, interrupt};

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
    /// Say what wheels and files need of the C library, and which symbols are to blame
    CheckGlibc(commands::check_glibc::CheckGlibcArgs),
    /// Check wheels: archive, metadata, tags, ABI, libraries, machine code
    Verify(commands::verify::VerifyArgs),
    /// Keep the facts about platform tags up to date
    Policy(commands::policy::PolicyArgs),
    /// Make the `dist/` folders of many machines one
    Collect(commands::collect::CollectArgs),
    /// Ask registries for the digests of base images and write them into wheels.toml
    Pin(commands::pin::PinArgs),
    /// Fill a folder with the published wheels, for installers or an upload
    Index(commands::index::IndexArgs),
    /// Print the notes of a release of what is in `dist/`
    ReleaseNotes(commands::release::NotesArgs),
    /// Make a GitHub release of what is in `dist/`, or bring it up to date (`gh`)
    Release(commands::release::ReleaseArgs),
    /// Write the hosted workflow from wheels.toml, or check it
    Workflow(commands::workflow::WorkflowArgs),
    /// Show what hosted CI builds on which machine
    Matrix(commands::matrix::MatrixArgs),
    /// Show what a target's build environment is
    BuildInfo(commands::build_info::BuildInfoArgs),
    /// Open the builder of a target as the build sees it, also where a build step failed
    Shell(commands::shell::ShellArgs),
    /// Build base images beforehand: build, push, list
    BaseImage(commands::base_image::BaseImageArgs),
    /// Say what this machine has and lacks, each missing part with its cure
    Doctor(commands::doctor::DoctorArgs),
    /// Install and start what is missing (apt systems)
    Setup(commands::setup::SetupArgs),
    /// Emulate foreign architectures: install, status, uninstall
    Binfmt(commands::binfmt::BinfmtArgs),
    /// Remove what xtask made: work folders, `dist/`, images, build cache
    Clean(commands::clean::CleanArgs),
    /// Run every check of this repository, then build a wheel with the real engine
    Ci(commands::ci::CiArgs),
    /// Print what builds inherit from this machine (for pasting a `--dry-run`)
    #[command(hide = true)]
    HostSettings(commands::host_settings::HostSettingsArgs),
}

/// Runs the command line; what it returns is the process's exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && has_hidden_arguments() => {
            crate::report::note(error.render().to_string().trim_end());
            return ExitCode::from(COULD_NOT_RUN);
        }
        Err(error) => error.exit(),
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            crate::report::error(&error);
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// Is there a control character in what was typed? The message about it must not hand it on.
fn has_hidden_arguments() -> bool {
    std::env::args_os().any(|argument| argument.to_string_lossy().contains(char::is_control))
}

/// Runs one subcommand; an error is what kept it from running, what it found is in the exit code.
fn run(command: Command) -> anyhow::Result<ExitCode> {
    interrupt::install().context("could not install the handler for Ctrl-C")?;
    match command {
        Command::Wheels(args) => commands::wheels::run(&args),
        Command::CheckGlibc(args) => commands::check_glibc::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Collect(args) => commands::collect::run(&args),
        Command::Pin(args) => commands::pin::run(&args),
        Command::Index(args) => commands::index::run(&args),
        Command::ReleaseNotes(args) => commands::release::notes(&args),
        Command::Release(args) => commands::release::run(&args),
        Command::Workflow(args) => commands::workflow::run(&args),
        Command::Matrix(args) => commands::matrix::run(&args),
        Command::BuildInfo(args) => commands::build_info::run(&args),
        Command::Shell(args) => commands::shell::run(&args),
        Command::BaseImage(args) => commands::base_image::run(&args),
        Command::Doctor(args) => {
            let (workspace, image) = Workspace::find_with_image()?;
            commands::doctor::run(&args, &Exec::real(), &workspace, &image)
        }
        Command::Setup(args) => {
            let (workspace, image) = Workspace::find_with_image()?;
            let targets = workspace.config()?.targets;
            commands::setup::run(&args, &Exec::real(), &workspace.root, &image, &targets)
        }
        Command::Binfmt(args) => commands::binfmt::run(&args, &Exec::real()),
        Command::Clean(args) => commands::clean::run(&args),
        Command::Ci(args) => commands::ci::run(&args),
        Command::HostSettings(args) => commands::host_settings::run(&args),
    }
}
