//! `cargo xtask check-glibc`: what wheels and files need of the system's C library, and who is to
//! blame.

use std::process::ExitCode;

use wheel_audit::cli::{self, CheckGlibcArgs};
use wheel_audit::policy::Libc;

use super::{Workspace, asked_inputs, own_config};
use crate::config::ConfigFile;
use crate::{config, pipeline};

/// Reads the files and says what they need.
///
/// # Errors
/// When there is nothing to look at.
pub(crate) fn run(args: &CheckGlibcArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let limit = match args.target.as_deref() {
        Some(word) => of_config(word, file)?
            .map_or_else(|| cli::limit_of(word).map(Some), |limit| Ok(Some(limit)))?,
        None => None,
    };
    let inputs = asked_inputs(&args.paths, file)?;
    let own = own_config(&args.paths, file)?.as_ref().map(pipeline::settings).transpose()?;
    cli::check_glibc(args, &inputs, own.unwrap_or_default(), limit)
}

/// The C library of a target of `wheels.toml`, where there is one.
fn of_config(word: &str, file: &ConfigFile) -> anyhow::Result<Option<Libc>> {
    // Wheels can be looked at where no `wheels.toml` is.
    let Ok(workspace) = Workspace::of(file) else { return Ok(None) };
    let config = workspace.config()?;
    Ok(config::find_target(&config, word)?.libc)
}
