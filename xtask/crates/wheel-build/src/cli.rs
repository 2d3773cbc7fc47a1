//! The command line.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::{self, COULD_NOT_RUN, Workspace};
use crate::config::ConfigFile;
use crate::exec::{Exec, interrupt};
use wheel_audit::UserError;
use wheel_audit::report;

/// Builds Python wheels inside the Linux systems their users run, proves and ships them.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_help = "Exit status: 0 good, 1 findings or a missing wheel, 2 could not run."
)]
struct Cli<Own: Subcommand> {
    /// Use another configuration of the repository: `wheels-NAME.toml`, whose wheels go to `dist-NAME/`
    /// [default: wheels.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<ConfigFile>,
    /// When to use color
    #[command(flatten)]
    color: wheel_audit::cli::ColorArgs,
    /// What to do.
    #[command(subcommand)]
    command: Command<Own>,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command<Own: Subcommand> {
    /// Build, audit and smoke-test wheels into `dist/`
    Wheels(commands::wheels::WheelsArgs),
    /// Record what goes into the wheels, in exact versions, in wheels.lock
    Lock(commands::lock::LockArgs),
    /// Build wheels twice in different circumstances, and compare them to the byte
    Reproduce(commands::reproduce::ReproduceArgs),
    /// Show what would be built, and each job's settings
    Plan(commands::plan::PlanArgs),
    /// Report which C library wheels and files need, and which symbols require it
    CheckGlibc(wheel_audit::cli::CheckGlibcArgs),
    /// Check wheels: archive, metadata, tags, ABI, libraries, machine code
    Verify(commands::verify::VerifyArgs),
    /// List the rules of `verify`, or explain one: meaning, reason, example, fix, sources
    Rules(wheel_audit::cli::RulesArgs),
    /// Install and load wheels on clean systems, and compare the results with what `verify` predicts
    Try(commands::try_wheels::TryArgs),
    /// Make the `dist/` folders of many machines one
    Collect(commands::collect::CollectArgs),
    /// Ask registries for the digests of base images and write them into wheels.toml
    Pin(commands::pin::PinArgs),
    /// Fill a folder with the published wheels, for installers or an upload
    Index(commands::index::IndexArgs),
    /// Print the notes of a release of what is in `dist/`
    ReleaseNotes(commands::release::NotesArgs),
    /// Download the files of the last GitHub release, to compare with (`gh`)
    LastRelease(commands::last_release::LastReleaseArgs),
    /// Make a GitHub release of what is in `dist/`, or bring it up to date (`gh`)
    Release(commands::release::ReleaseArgs),
    /// Write the hosted workflow from wheels.toml, or check it
    Workflow(commands::workflow::WorkflowArgs),
    /// Show what hosted CI builds on which machine
    Matrix(commands::matrix::MatrixArgs),
    /// Show what a target's build environment is
    BuildInfo(commands::build_info::BuildInfoArgs),
    /// Show which files of the repository the build gets, and why
    Source(commands::source::SourceArgs),
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
    /// Write the build files of the tool where they can be changed: export
    Assets(commands::assets::AssetsArgs),
    /// Remove what xtask made: work folders, `dist/`, images, build cache
    Clean(commands::clean::CleanArgs),
    /// The repository's own.
    #[command(flatten)]
    Own(Own),
    /// Let another repository use this tool, or bring it up to date
    Init(commands::init::InitArgs),
    /// Print a shell's completions of this command line
    Completions(commands::reference::CompletionsArgs),
    /// Write a man page for each command
    Man(commands::reference::ManArgs),
    /// Print what builds inherit from this machine (for pasting a `--dry-run`)
    #[command(hide = true)]
    HostSettings(commands::host_settings::HostSettingsArgs),
}

/// No command of a repository's own.
#[derive(Debug, Subcommand)]
enum None {}

/// Runs the process's command line; what it returns is the exit status.
pub fn main() -> ExitCode {
    main_with(|none: None| match none {})
}

/// As [`main`], with further commands of a repository's own, which `run` carries out.
pub fn main_with<Own: Subcommand>(run: impl FnOnce(Own) -> anyhow::Result<ExitCode>) -> ExitCode {
    let run = || {
        let cli: Cli<Own> = wheel_audit::cli::parse()?;
        report::set_color(cli.color.color);
        interrupt::install().context("could not install the handler for Ctrl-C")?;
        carry_out(cli.command, &cli.config.unwrap_or_default(), run)
    };
    run().unwrap_or_else(|error| {
        report::error(error.as_ref());
        report::annotate(&[could_not_run(&error)]);
        ExitCode::from(COULD_NOT_RUN)
    })
}

/// The error as a hosted run shows it.
fn could_not_run(error: &anyhow::Error) -> report::Annotation {
    let hint = UserError::hint_of(error.as_ref());
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    report::Annotation::error("could not run", format!("{error:#}{hint}"))
}

/// Runs a command line of the tool, given without the program's name, in this process; what it found is in the exit
/// status.
///
/// # Errors
/// When it could not run.
pub fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let words = ["cargo xtask"].iter().chain(words);
    let cli = Cli::<None>::try_parse_from(words)?;
    carry_out(cli.command, &cli.config.unwrap_or_default(), |none| match none {})
}

/// Runs one subcommand; an error is what kept it from running, what it found is in the exit code.
fn carry_out<Own: Subcommand>(
    command: Command<Own>,
    file: &ConfigFile,
    own: impl FnOnce(Own) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    if let (false, Command::Own(_) | Command::Init(_)) = (file.is_default(), &command) {
        let message =
            format!("this command works with `wheels.toml` alone, not with `{}`", file.name());
        let hint = if matches!(command, Command::Init(_)) {
            "run `init` once, then copy wheels.toml for each further package and change `package` in `[source]`"
        } else {
            "leave `--config` out"
        };
        anyhow::bail!(UserError::new(message).hint(hint));
    }
    match command {
        Command::Init(args) => commands::init::run(&args),
        Command::Wheels(args) => commands::wheels::run(&args, file),
        Command::Lock(args) => commands::lock::run(&args, file),
        Command::Reproduce(args) => commands::reproduce::run(&args, file),
        Command::Plan(args) => commands::plan::run(&args, file),
        Command::CheckGlibc(args) => commands::check_glibc::run(&args, file),
        Command::Verify(args) => commands::verify::run(&args, file),
        Command::Rules(args) => wheel_audit::cli::rules(&args),
        Command::Try(args) => commands::try_wheels::run(&args, file),
        Command::Collect(args) => commands::collect::run(&args, file),
        Command::LastRelease(args) => commands::last_release::run(&args, file),
        Command::Pin(args) => commands::pin::run(&args, file),
        Command::Index(args) => commands::index::run(&args, file),
        Command::ReleaseNotes(args) => commands::release::notes(&args, file),
        Command::Release(args) => commands::release::run(&args, file),
        Command::Workflow(args) => commands::workflow::run(&args, file),
        Command::Matrix(args) => commands::matrix::run(&args, file),
        Command::BuildInfo(args) => commands::build_info::run(&args, file),
        Command::Source(args) => commands::source::run(&args, file),
        Command::Shell(args) => commands::shell::run(&args, file),
        Command::BaseImage(args) => commands::base_image::run(&args, file),
        Command::Doctor(args) => {
            let (workspace, image) = Workspace::with_image(file)?;
            commands::doctor::run(&args, &Exec::real(), &workspace, &image)
        }
        Command::Setup(args) => commands::setup::run(&args, &Exec::real(), file),
        Command::Assets(args) => commands::assets::run(&args),
        Command::Binfmt(args) => commands::binfmt::run(&args, &Exec::real(), file),
        Command::Clean(args) => commands::clean::run(&args, file),
        Command::Completions(args) => {
            commands::reference::completions(&args, &Cli::<Own>::command())
        }
        Command::Man(args) => commands::reference::man(&args, Cli::<Own>::command()),
        Command::Own(command) => own(command),
        Command::HostSettings(args) => commands::host_settings::run(&args),
    }
}
