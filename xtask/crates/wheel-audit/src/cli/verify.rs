//! `verify`: runs all checks on wheels.

use crate::UserError;
use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::builder::UnknownArgumentValueParser;

use super::output_args::{OutputArgs, audit_and_print};
use crate::audit::{Depth, Expectations, Inputs, Settings};
use crate::isa::Level;
use crate::report;

/// Arguments of `verify`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct VerifyArgs {
    /// Wheels, ELF files or folders. `-` reads a list of paths from stdin
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// Report findings as errors if a package index rejects the wheel for them
    #[arg(long)]
    pub publish: bool,
    /// Compare with published wheels of the same project
    #[arg(long, value_name = "FOLDER-OR-WHEEL")]
    pub like: Vec<Utf8PathBuf>,
    /// Skip the machine code, which takes about 40 % of the time
    #[arg(long)]
    pub no_isa: bool,
    /// Limit of `check-glibc`, which this command rejects with a hint
    #[arg(long, hide = true, value_parser = limits_elsewhere())]
    pub max: Option<String>,
    /// As `max`
    #[arg(long, hide = true, value_parser = limits_elsewhere())]
    pub target: Option<String>,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Reports `--max` and `--target` with a hint to the command that has them.
fn limits_elsewhere() -> UnknownArgumentValueParser {
    UnknownArgumentValueParser::suggest(
        "`verify` compares a wheel with its own platform tag; for another limit, use `check-glibc --max 2.36` or \
         `check-glibc --target debian:12`",
    )
}

/// Audits the files. `isa` has the instruction set levels that wheels may require.
///
/// # Errors
/// If there are no files.
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
    audit_and_print(&inputs, &expectations, &settings, &args.output, report::verify_text)
}

/// Hint: the paths that `--like` accepts.
const LIKE: &str = "pass wheels, or folders with wheels";

/// The wheels of `--like`.
fn published(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let found = Inputs::find(paths)?;
    if let Some(other) = found.files.iter().find(|file| paths.contains(file)) {
        let other = other.as_str().escape_debug();
        anyhow::bail!(UserError::new(format!("`--like {other}` is not a wheel")).hint(LIKE));
    }
    anyhow::ensure!(!found.wheels.is_empty(), UserError::new("no wheels in `--like`").hint(LIKE));
    Ok(found.wheels)
}
