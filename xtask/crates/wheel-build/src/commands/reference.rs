//! `cargo xtask completions` and `cargo xtask man`: references generated from the command line.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::Command;
use clap_complete::Shell;
use wheel_audit::report;

/// Name of the program behind `cargo xtask` in shells.
const PROGRAM: &str = "cargo-xtask";
/// Forwards completions of `cargo xtask` to those of `cargo-xtask`. Zsh does so by itself.
const CARGO_BASH: &str = include_str!("cargo.bash");

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ManArgs {
    /// Folder for the pages; created if missing
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Utf8PathBuf,
}

/// Prints the completions of `command`.
///
/// # Errors
/// If they are not UTF-8.
pub(crate) fn completions(args: &CompletionsArgs, command: &Command) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    // Rebuilt, because clap reads the space in the program's name as a level of subcommands.
    let subcommands = || command.get_subcommands().cloned();
    if args.shell == Shell::Fish {
        let xtask = Command::new("xtask").subcommands(subcommands());
        let mut cargo = Command::new("cargo").subcommand(xtask);
        clap_complete::generate(args.shell, &mut cargo, "cargo", &mut text);
    } else {
        // Bash's completions of a name with a hyphen complete no option (clap_complete 4.6).
        let name = if args.shell == Shell::Bash { "xtask" } else { PROGRAM };
        let mut program = Command::new(name).subcommands(subcommands());
        clap_complete::generate(args.shell, &mut program, name, &mut text);
    }
    if args.shell == Shell::Bash {
        text.extend(CARGO_BASH.bytes());
    }
    report::data(String::from_utf8(text)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for `command` and each of its subcommands.
///
/// # Errors
/// If a page cannot be written.
pub(crate) fn man(args: &ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    fs_err::create_dir_all(&args.folder)?;
    clap_mangen::generate_to(command.name(PROGRAM), &args.folder)?;
    report::note(&format!("wrote man pages to `{}`", args.folder));
    Ok(ExitCode::SUCCESS)
}
