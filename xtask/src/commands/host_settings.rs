//! `cargo xtask host-settings`: the secrets of a pasted `--dry-run`.

use std::process::ExitCode;

use crate::exec::Exec;
use crate::{pipeline, report};

/// Arguments of `host-settings`.
#[derive(Debug, clap::Args)]
pub struct HostSettingsArgs {
    /// apt's proxy lines instead of the environment
    #[arg(long)]
    pub apt: bool,
}

/// Prints the settings; they may hold passwords, so this is for a shell's `$(...)`, not for a log.
///
/// # Errors
/// None today.
pub fn run(args: &HostSettingsArgs) -> anyhow::Result<ExitCode> {
    let host = pipeline::prepare_host(&Exec::real());
    let text = if args.apt { host.apt_conf } else { host.lines() };
    report::data(text.trim_end());
    Ok(ExitCode::SUCCESS)
}
