//! `verify`: every check, on any wheel.

use crate::UserError;
use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::builder::UnknownArgumentValueParser;

use super::output_args::{OutputArgs, judge_and_print};
use crate::audit::{Depth, Expectations, Inputs, Settings};
use crate::isa::Level;
use crate::report;

/// Arguments of `verify`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct VerifyArgs {
    /// Wheels, ELF files, folders; `-` reads a list from stdin
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// The wheels are to be published: what an index refuses is an error
    #[arg(long)]
    pub publish: bool,
    /// Compare with published wheels of the same project
    #[arg(long, value_name = "FOLDER-OR-WHEEL")]
    pub like: Vec<Utf8PathBuf>,
    /// Leave the machine code unread, which takes about a third of the time
    #[arg(long)]
    pub no_isa: bool,
    /// What other commands take, and this one reads in each wheel's own name
    #[arg(long, hide = true, value_parser = limits_elsewhere())]
    pub max: Option<String>,
    /// As `max`
    #[arg(long, hide = true, value_parser = limits_elsewhere())]
    pub target: Option<String>,
    /// How to tell it
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Answers `--max` and `--target` with the command that has them.
fn limits_elsewhere() -> UnknownArgumentValueParser {
    UnknownArgumentValueParser::suggest(
        "`verify` holds a wheel against what its own name promises; \
         `check-glibc --max 2.36` or `--target debian:12` against another limit",
    )
}

/// Reads the files, every byte of them, and says what is wrong; `isa` has the instruction set levels that are enough.
///
/// # Errors
/// When there is nothing to look at.
pub fn verify(
    args: &VerifyArgs,
    mut inputs: Inputs,
    settings: Settings,
    isa: Vec<Level>,
) -> anyhow::Result<ExitCode> {
    inputs.like = published(&args.like)?;
    let depth = if args.no_isa { Depth::Bytes } else { Depth::Code };
    let settings = Settings { depth, publish: args.publish || settings.publish, ..settings };
    let expectations = Expectations { isa, ..Expectations::default() };
    judge_and_print(&inputs, &expectations, &settings, &args.output, report::verify_text)
}

/// The wheels of `--like`.
fn published(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let found = Inputs::find(paths)?;
    if let Some(other) = found.files.iter().find(|file| paths.contains(file)) {
        let other = other.as_str().escape_debug();
        anyhow::bail!(
            UserError::new(format!("`--like {other}` is not a wheel"))
                .hint("name wheels, or folders with wheels")
        );
    }
    anyhow::ensure!(!found.wheels.is_empty(), "`--like` names no wheel");
    Ok(found.wheels)
}
