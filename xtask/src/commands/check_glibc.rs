//! `cargo xtask check-glibc`: what wheels and files need of the system's C library, and who is to
//! blame.

use std::process::ExitCode;

use anyhow::bail;
use camino::Utf8PathBuf;

use super::telling::{TellArgs, judge_and_tell};
use super::{Workspace, asked_paths, own_config};
use crate::audit::{Depth, Inputs, Limit, Promise, Settings};
use crate::config;
use crate::policy::{GlibcVersion, Libc, distributions};
use crate::{pipeline, report};

/// Arguments of `check-glibc`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CheckGlibcArgs {
    /// Wheels, ELF files, folders; `-` reads a list from stdin; `dist/` where absent
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// The newest glibc that may be needed: `2.36`; a wheel's own tag where absent
    #[arg(long, value_name = "VERSION", conflicts_with = "target")]
    pub max: Option<GlibcVersion>,
    /// The system that has to be enough: `debian:12`, or a target of wheels.toml
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// How to tell it
    #[command(flatten)]
    pub tell: TellArgs,
}

/// Reads the files and says what they need.
///
/// # Errors
/// When there is nothing to look at.
pub fn run(args: &CheckGlibcArgs) -> anyhow::Result<ExitCode> {
    let limit = match (&args.max, &args.target) {
        (Some(version), _) => Some(Limit::Glibc(*version)),
        (None, Some(word)) => Some(limit_of(word)?),
        (None, None) => None,
    };
    let inputs = Inputs::find(&asked_paths(&args.paths)?)?;
    let promise = Promise { limit, ..Promise::default() };
    let config = own_config(&args.paths)?;
    let own = config.as_ref().map(pipeline::settings).transpose()?.unwrap_or_default();
    // Whether an index takes them is `verify`'s business.
    let settings = Settings { depth: Depth::Floor, publish: false, ..own };
    judge_and_tell(&inputs, &promise, &settings, &args.tell, report::glibc_text)
}

/// The C library of a target of `wheels.toml`, or of a distribution that is known.
fn limit_of(word: &str) -> anyhow::Result<Limit> {
    if let Some(limit) = of_config(word)? {
        return Ok(limit);
    }
    let image =
        word.replace("rockylinux", "enterprise linux").replace("almalinux", "enterprise linux");
    let named = |each: &&crate::policy::Distribution| {
        format!("{}:{}", each.name.to_lowercase(), each.version) == image
    };
    match distributions().iter().find(named).map(|each| each.libc) {
        Some(Libc::Glibc(version)) => Ok(Limit::Glibc(version)),
        Some(Libc::Musl(version)) => Ok(Limit::Musl(version)),
        None => bail!(
            "nothing says which C library `{word}` has\n\nhint: give its version, as in `--max 2.36`"
        ),
    }
}

fn of_config(word: &str) -> anyhow::Result<Option<Limit>> {
    // Wheels can be looked at where no `wheels.toml` is.
    let Ok(workspace) = Workspace::find() else { return Ok(None) };
    let config = workspace.config()?;
    let libc = config::find_target(&config, word)?.libc;
    let version = |major: u16, minor: u16| GlibcVersion::new(major.into(), minor.into());
    Ok(libc.map(|libc| match libc {
        config::Libc::Glibc(major, minor) => Limit::Glibc(version(major, minor)),
        config::Libc::Musl(major, minor) => Limit::Musl(version(major, minor)),
    }))
}
