//! `cargo xtask completions` and `cargo xtask man`: what shells and `man` know of the command line.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::Command;
use wheel_audit::report;

/// What shells call the program behind `cargo xtask`.
const PROGRAM: &str = "cargo-xtask";

/// Arguments of `completions`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ManArgs {
    /// Where the pages go; made where it is not there
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Utf8PathBuf,
}

/// Prints the completions of `command`.
///
/// # Errors
/// When they are no text.
pub(crate) fn completions(
    args: &CompletionsArgs,
    command: &mut Command,
) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, command, PROGRAM, &mut text);
    report::data(String::from_utf8(text)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for `command` and each of its subcommands.
///
/// # Errors
/// When a page cannot be written.
pub(crate) fn man(args: &ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    fs_err::create_dir_all(&args.folder)?;
    clap_mangen::generate_to(command.name(PROGRAM), &args.folder)?;
    report::note(&format!("man pages are in `{}`", args.folder));
    Ok(ExitCode::SUCCESS)
}
