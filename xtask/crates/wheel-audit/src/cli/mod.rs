//! The commands about wheels, for the program `wheel-audit` and for `cargo xtask`.

mod check_glibc;
mod output_args;
mod rules;
mod verify;

use crate::UserError;
use std::io::BufRead as _;
use std::process::ExitCode;

use anyhow::Context as _;
use camino::Utf8PathBuf;
use clap::{ColorChoice, CommandFactory as _, Parser, Subcommand, ValueEnum as _};

pub use check_glibc::{CheckGlibcArgs, check_glibc, limit_of};
pub use output_args::OutputArgs;
pub use rules::{RulesArgs, rules};
pub use verify::{VerifyArgs, verify};

use crate::audit::{Inputs, Settings};
use crate::report;

/// Exit status of a command with findings.
pub const FINDINGS: u8 = 1;
/// Exit status of a command that could not run.
pub const COULD_NOT_RUN: u8 = 2;

const HINT: &str = "pass wheels, ELF files or folders";

/// Report the Linux systems on which Python wheels and ELF files load.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 no findings that are errors, 1 findings, 2 could not run."
)]
struct Cli {
    /// When to use color
    #[command(flatten)]
    color: ColorArgs,
    /// The subcommand.
    #[command(subcommand)]
    command: Command,
}

/// The subcommand.
#[derive(Debug, Subcommand)]
enum Command {
    /// Check wheels: archive, metadata, tags, ABI, libraries, machine code
    Verify(VerifyArgs),
    /// Report the C library that wheels and files need, and the symbols that require it
    CheckGlibc(CheckGlibcArgs),
    /// List the rules, or explain a rule: meaning, reason, example, fix, sources
    Rules(RulesArgs),
}

/// The command line of the program `wheel-audit`, as clap describes it.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Runs the process's command line as the program `wheel-audit`.
pub fn main() -> ExitCode {
    let run = || {
        let cli: Cli = parse()?;
        report::set_color(cli.color.color);
        execute(cli.command)
    };
    run().unwrap_or_else(|error| {
        report::error(error.as_ref());
        ExitCode::from(COULD_NOT_RUN)
    })
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(args) => {
            verify(&args, inputs(&args.paths, HINT)?, Settings::default(), Vec::new())
        }
        Command::CheckGlibc(args) => {
            let limit = args.target.as_deref().map(limit_of).transpose()?;
            check_glibc(&args, &inputs(&args.paths, HINT)?, Settings::default(), limit)
        }
        Command::Rules(args) => rules(&args),
    }
}

/// Position of the global options in `--help`: after the options of the command.
pub const GLOBAL_ORDER: usize = 900;

/// The common option of both programs.
#[derive(Debug, Clone, clap::Args)]
pub struct ColorArgs {
    /// Color the output; `NO_COLOR` and `CLICOLOR_FORCE` count for `auto`
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, display_order = GLOBAL_ORDER)]
    pub color: ColorChoice,
}

/// `--color` among `words`, before the command line is understood: `--help` and its errors have colors, too.
fn color_of(words: impl Iterator<Item = String>) -> ColorChoice {
    let mut words = words.take_while(|word| word != "--");
    let mut choice = None;
    while let Some(word) = words.next() {
        match word.strip_prefix("--color") {
            Some("") => choice = words.next(),
            Some(value) => choice = value.strip_prefix('=').map(str::to_owned),
            None => {}
        }
    }
    choice.and_then(|word| ColorChoice::from_str(&word, false).ok()).unwrap_or_default()
}

/// Parses the process's command line. Exits on `--help` and on errors.
///
/// # Errors
/// If the error message contains a control character, which must not reach a terminal.
pub fn parse<C: Parser>() -> anyhow::Result<C> {
    parse_with(C::command())
}

/// As [`parse`], with the additional help texts of `command`.
///
/// # Errors
/// As [`parse`].
pub fn parse_with<C: Parser>(command: clap::Command) -> anyhow::Result<C> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let color = color_of(words);
    report::set_color(color);
    let command = command.color(color).styles(report::HELP_STYLES);
    let matches = command.try_get_matches();
    matches.and_then(|matches| C::from_arg_matches(&matches)).or_else(|error| {
        let is_hidden =
            |argument: std::ffi::OsString| argument.to_string_lossy().contains(char::is_control);
        if error.use_stderr() && std::env::args_os().any(is_hidden) {
            let text = error.render().to_string();
            anyhow::bail!("{}", text.trim_start_matches("error: ").trim_end());
        }
        error.exit()
    })
}

/// The files at `paths`. `-` reads a list of paths from stdin. `hint` is the hint for missing paths.
///
/// # Errors
/// If there are no paths or no files.
pub fn inputs(paths: &[Utf8PathBuf], hint: &str) -> anyhow::Result<Inputs> {
    anyhow::ensure!(!paths.is_empty(), UserError::new("no paths").hint(hint));
    let mut found = Vec::new();
    for path in paths {
        if path == "-" {
            for line in std::io::stdin().lock().lines() {
                let line = line.context("stdin is not a list of paths")?;
                let line = line.trim_end_matches('\r');
                found.extend((!line.is_empty()).then(|| Utf8PathBuf::from(line)));
            }
            anyhow::ensure!(!found.is_empty(), UserError::new("no paths in stdin").hint(hint));
        } else {
            anyhow::ensure!(
                path.symlink_metadata().is_ok(),
                UserError::new(format!("`{}` does not exist", path.as_str().escape_debug()))
                    .hint(hint)
            );
            found.push(path.clone());
        }
    }
    Ok(Inputs::find(&found)?)
}
