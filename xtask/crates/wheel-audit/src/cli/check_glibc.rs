//! `check-glibc`: what wheels and files need of the system's C library, and who is to blame.

use crate::UserError;
use std::process::ExitCode;

use anyhow::bail;
use camino::Utf8PathBuf;

use super::output_args::{OutputArgs, judge_and_print};
use crate::audit::{Depth, Expectations, Inputs, Settings};
use crate::policy::{Distribution, Libc, LibcVersion, distributions};
use crate::report;

/// Arguments of `check-glibc`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CheckGlibcArgs {
    /// Wheels, ELF files, folders; `-` reads a list from stdin
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// The newest glibc that may be needed: `2.36`; a wheel's own tag where absent
    #[arg(long, value_name = "VERSION", conflicts_with = "target")]
    pub max: Option<LibcVersion>,
    /// The system that has to be enough: `debian:12`
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// How to tell it
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Reads the files and says what they need; `limit` is that of `--target`.
///
/// # Errors
/// When there is nothing to look at.
pub fn check_glibc(
    args: &CheckGlibcArgs,
    inputs: &Inputs,
    settings: Settings,
    limit: Option<Libc>,
) -> anyhow::Result<ExitCode> {
    let limit = args.max.map(Libc::Glibc).or(limit);
    let expectations = Expectations { limit, ..Expectations::default() };
    // Whether an index takes them is the business of `verify`.
    let settings = Settings { depth: Depth::Floor, publish: false, ..settings };
    judge_and_print(inputs, &expectations, &settings, &args.output, report::glibc_text)
}

/// The C library of the distribution `word`, named as its base image: `debian:12`.
///
/// # Errors
/// When it is not known.
pub fn limit_of(word: &str) -> anyhow::Result<Libc> {
    let image =
        word.replace("rockylinux", "enterprise linux").replace("almalinux", "enterprise linux");
    let named =
        |each: &&Distribution| format!("{}:{}", each.name.to_lowercase(), each.version) == image;
    match distributions().iter().find(named).map(|each| each.libc) {
        Some(libc) => Ok(libc),
        None => bail!(
            UserError::new(format!("the C library of `{word}` is not known"))
                .hint("pass its version: `--max 2.36`")
        ),
    }
}
