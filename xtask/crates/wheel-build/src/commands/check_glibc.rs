//! `cargo xtask check-glibc`: reports the C library that wheels and files require, and the symbols that require it.

use std::process::ExitCode;

use wheel_audit::cli::{self, CheckGlibcArgs};
use wheel_audit::policy::Libc;

use super::{Workspace, own_config, requested_inputs};
use crate::config::ConfigFile;
use crate::{config, pipeline};

/// Reads the files and reports what they require.
///
/// # Errors
/// If there are no files to read.
pub(crate) fn run(args: &CheckGlibcArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let limit = match args.target.as_deref() {
        Some(word) => of_config(word, file)?
            .map_or_else(|| cli::limit_of(word).map(Some), |limit| Ok(Some(limit)))?,
        None => None,
    };
    let inputs = requested_inputs(&args.paths, file)?;
    let own = own_config(&args.paths, file)?.as_ref().map(pipeline::settings).transpose()?;
    cli::check_glibc(args, &inputs, own.unwrap_or_default(), limit)
}

/// The C library of a target of `wheels.toml`, if the target exists.
fn of_config(word: &str, file: &ConfigFile) -> anyhow::Result<Option<Libc>> {
    // The command also works without a `wheels.toml`.
    let Ok(workspace) = Workspace::of(file) else { return Ok(None) };
    let config = workspace.config()?;
    Ok(config::find_target(&config, word)?.libc)
}
