//! `check-glibc`: the C library that wheels and files need, and the symbols that require it.

use crate::UserError;
use std::process::ExitCode;

use anyhow::bail;
use camino::Utf8PathBuf;

use super::output_args::{OutputArgs, audit_and_print};
use crate::audit::{Depth, Expectations, Inputs, Settings};
use crate::policy::{Distribution, Libc, LibcVersion, distributions};
use crate::report;

/// Arguments of `check-glibc`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CheckGlibcArgs {
    /// Wheels, ELF files or folders. `-` reads a list of paths from stdin
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// Report files that need a newer glibc than this, e.g. `2.36` [default: that of the wheel's platform tag]
    #[arg(long, value_name = "VERSION", conflicts_with = "target")]
    pub max: Option<LibcVersion>,
    /// Report files that need a newer C library than this distribution's, e.g. `debian:12`
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Reports the needs of the files. `limit` is that of `--target`.
///
/// # Errors
/// If there are no files.
pub fn check_glibc(
    args: &CheckGlibcArgs,
    inputs: &Inputs,
    settings: Settings,
    limit: Option<Libc>,
) -> anyhow::Result<ExitCode> {
    let limit = args.max.map(Libc::Glibc).or(limit);
    let expectations = Expectations { limit, ..Expectations::default() };
    // Only `verify` checks the rules of an index.
    let settings = Settings { depth: Depth::Floor, publish: false, ..settings };
    audit_and_print(inputs, &expectations, &settings, &args.output, report::glibc_text)
}

/// The C library of the distribution `word`, which has the form of a base image: `debian:12`.
///
/// # Errors
/// If it is unknown.
pub fn limit_of(word: &str) -> anyhow::Result<Libc> {
    let image =
        word.replace("rockylinux", "enterprise linux").replace("almalinux", "enterprise linux");
    let named =
        |each: &&Distribution| format!("{}:{}", each.name.to_lowercase(), each.version) == image;
    match distributions().iter().find(named).map(|each| each.libc) {
        Some(libc) => Ok(libc),
        None => bail!(
            UserError::new(format!("unknown distribution `{word}`"))
                .hint("pass its version: `--max 2.36`")
        ),
    }
}
