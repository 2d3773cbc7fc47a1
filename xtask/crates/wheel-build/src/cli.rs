//! The command line.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::{self, COULD_NOT_RUN, Workspace};
use crate::config::ConfigFile;
use crate::exec::{Exec, interrupt};
use wheel_audit::UserError;
use wheel_audit::report;

/// The questions of a new user, and the exit statuses.
const AFTER_HELP: &str = "\
Common tasks:
  Adopt the tool        in a clone: cargo xtask init PATH
  Build for one Python  cargo xtask wheels debian:12 --python cp313
  Add a system library  `[build] system_packages` in wheels.toml
  Run package tests     `[test] command` in wheels.toml
  Explain a finding     cargo xtask rules TAG005
  Switch a check off    `[[check.override]]` in wheels.toml
  Use a private index   configure pip or uv on this machine; cargo xtask doctor
  Build in CI           cargo xtask workflow write
  Read the logs         target/xtask/logs/
  Debug a failed build  cargo xtask shell --last-failed
  Free the disk         cargo xtask clean --dry-run
  Upgrade the tool      in a clone: cargo xtask init PATH --upgrade --tool TOOL

Exit status: 0 success, 1 findings or missing wheels, 2 could not run.";

/// Build Python wheels inside the Linux systems of their users, test them and publish them.
///
/// The file `wheels.toml` in the repository describes what to build: targets, platforms and interpreters.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_help = AFTER_HELP
)]
struct Cli<Own: Subcommand> {
    /// Use the configuration `wheels-NAME.toml` and the output folder `dist-NAME/` [default: wheels.toml]
    #[arg(long, global = true, value_name = "FILE", display_order = wheel_audit::cli::GLOBAL_ORDER)]
    config: Option<ConfigFile>,
    #[command(flatten)]
    color: wheel_audit::cli::ColorArgs,
    #[command(subcommand)]
    command: Command<Own>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
enum Command<Own: Subcommand> {
    /// Build, audit and test wheels into `dist/`
    ///
    /// A job builds one target for one platform and one interpreter. Select jobs with words (`debian:12 linux/arm64`),
    /// `--python`, `--only` and `--skip`, or select all with `--all`. A wheel enters `dist/` after its audit, its smoke
    /// test and its package tests succeed. Wheels that are up to date are not rebuilt.
    ///
    /// Logs: `target/xtask/logs/` has one log per job, and the summary names the log of a failed job.
    ///
    /// Private indexes, mirrors and proxies: builds inherit this machine's settings for pip, uv, cargo, rustup, apt
    /// proxies, certificates and netrc, e.g. `PIP_INDEX_URL`, `UV_INDEX`, `pip.conf` and `uv.toml`. They reach build
    /// steps as secrets, and no layer contains them. `docs/inherited-settings.md` lists all of them.
    Wheels(commands::wheels::WheelsArgs),
    /// Record exact versions of all build inputs in `wheels.lock`
    ///
    /// Records base images, system packages, Python requirements and interpreters. Later builds use these versions.
    /// `cargo xtask wheels --locked` fails if a build would use others.
    Lock(commands::lock::LockArgs),
    /// Build wheels twice under different conditions and compare the bytes
    Reproduce(commands::reproduce::ReproduceArgs),
    /// List the jobs of a build and their settings
    Plan(commands::plan::PlanArgs),
    /// Report the C library that files require, and why
    CheckGlibc(wheel_audit::cli::CheckGlibcArgs),
    /// Check wheels: archive, metadata, tags, ABI, libraries, machine code
    Verify(commands::verify::VerifyArgs),
    /// List the rules of `verify`, or explain one
    Rules(wheel_audit::cli::RulesArgs),
    /// Install and import wheels on clean systems
    ///
    /// Compares each result with the audit's prediction and reports differences.
    Try(commands::try_wheels::TryArgs),
    /// Merge the `dist/` folders of several machines into `dist/`
    Collect(commands::collect::CollectArgs),
    /// Pin base images: write their digests into `wheels.toml`
    Pin(commands::pin::PinArgs),
    /// Copy the published wheels into a folder for installers or an upload
    Index(commands::index::IndexArgs),
    /// Print release notes for the wheels in `dist/`
    ReleaseNotes(commands::release::NotesArgs),
    /// Download the last GitHub release for a comparison (requires `gh`)
    LastRelease(commands::last_release::LastReleaseArgs),
    /// Create or update a GitHub release of `dist/` (requires `gh`)
    Release(commands::release::ReleaseArgs),
    /// Generate the workflow for GitHub Actions or GitLab CI, or check it
    Workflow(commands::workflow::WorkflowArgs),
    /// List the jobs of hosted CI and their machines
    Matrix(commands::matrix::MatrixArgs),
    /// Describe the build environment of a target
    BuildInfo(commands::build_info::BuildInfoArgs),
    /// List the files of the repository that a build uses
    Source(commands::source::SourceArgs),
    /// Open a shell in the container of a build, or at a failed build step
    Shell(commands::shell::ShellArgs),
    /// Build, push or list prebuilt base images
    BaseImage(commands::base_image::BaseImageArgs),
    /// Check this machine and print a fix for each missing part
    Doctor(commands::doctor::DoctorArgs),
    /// Install and start programs that a build requires (apt systems)
    Setup(commands::setup::SetupArgs),
    /// Install, list or remove emulators of foreign architectures
    Binfmt(commands::binfmt::BinfmtArgs),
    /// Export the tool's build files so that you can change them
    Assets(commands::assets::AssetsArgs),
    /// Remove files, images and caches that xtask made
    ///
    /// To free disk space, run `cargo xtask clean --all --everywhere`. It removes work folders, `dist/`, images and the
    /// build cache of xtask's steps, also those of other checkouts. Without options, `clean` removes only the work
    /// folders in `target/xtask/`. Other programs' images and cache records are kept.
    Clean(commands::clean::CleanArgs),
    /// The repository's own commands.
    #[command(flatten)]
    Own(Own),
    /// Add this tool to another repository, or upgrade it there
    ///
    /// To upgrade: update the clone of the tool, and run `cargo xtask init PATH --upgrade --tool TOOL` in it. If
    /// `xtask/Cargo.toml` in PATH already names the new version, run `cargo xtask init --upgrade` in PATH. Files that
    /// you changed are kept, and their new text goes to `FILE.new`.
    Init(commands::init::InitArgs),
    /// Print shell completions
    Completions(commands::reference::CompletionsArgs),
    /// Write a man page for each command
    Man(commands::reference::ManArgs),
    /// Print secrets of this machine for a pasted `--dry-run`
    #[command(hide = true)]
    HostSettings(commands::host_settings::HostSettingsArgs),
}

/// No commands of a repository.
#[derive(Debug, Subcommand)]
pub(crate) enum None {}

/// The command line, with the commands of a repository's own, as clap describes it.
pub fn command_line<Own: Subcommand>() -> clap::Command {
    commands::examples::added_to(Cli::<Own>::command())
}

/// Runs the process's command line and returns the exit status.
pub fn main() -> ExitCode {
    main_with(|none: None| match none {})
}

/// Like [`main`], with additional commands of a repository, which `run` executes.
pub fn main_with<Own: Subcommand>(run: impl FnOnce(Own) -> anyhow::Result<ExitCode>) -> ExitCode {
    let run = || {
        let cli: Cli<Own> = wheel_audit::cli::parse_with(command_line::<Own>())?;
        report::set_color(cli.color.color);
        interrupt::install().context("could not install the handler for Ctrl-C")?;
        execute(cli.command, &cli.config.unwrap_or_default(), run)
    };
    run().unwrap_or_else(|error| {
        report::error(error.as_ref());
        report::annotate(&[could_not_run(&error)]);
        ExitCode::from(COULD_NOT_RUN)
    })
}

/// The error as an annotation of a hosted run.
fn could_not_run(error: &anyhow::Error) -> report::Annotation {
    let hint = UserError::hint_of(error.as_ref());
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    report::Annotation::error("could not run", format!("{error:#}{hint}"))
}

/// Runs a command line, without the program's name, in this process. Findings are in the exit status.
///
/// # Errors
/// If the command could not run.
pub fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let words = ["cargo xtask"].iter().chain(words);
    let cli = Cli::<None>::try_parse_from(words)?;
    execute(cli.command, &cli.config.unwrap_or_default(), |none| match none {})
}

/// Runs one subcommand. Findings are in the exit status; an error means that it could not run.
fn execute<Own: Subcommand>(
    command: Command<Own>,
    file: &ConfigFile,
    own: impl FnOnce(Own) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    if let (false, Command::Own(_) | Command::Init(_)) = (file.is_default(), &command) {
        let message = format!("this command supports only `wheels.toml`, not `{}`", file.name());
        let hint = if matches!(command, Command::Init(_)) {
            "run `init` once, then copy wheels.toml for each other package and change `package` in \
             `[source]`"
        } else {
            "omit `--config`"
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
            commands::reference::completions(&args, &command_line::<Own>())
        }
        Command::Man(args) => commands::reference::man(&args, command_line::<Own>()),
        Command::Own(command) => own(command),
        Command::HostSettings(args) => commands::host_settings::run(&args),
    }
}
