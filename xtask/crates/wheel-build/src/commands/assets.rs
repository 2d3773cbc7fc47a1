//! `cargo xtask assets`: the build files that are part of the tool.

use std::process::ExitCode;

use wheel_audit::report;

use super::Workspace;
use crate::assets::{self, OVERRIDES};

/// Arguments of `assets`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AssetsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: AssetsAction,
}

/// What to do with the build files.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum AssetsAction {
    /// Write the originals to `xtask/assets/`, where a changed file replaces the tool's own; files that are there stay
    Export {
        /// Only these: `scripts/build-all.sh`
        #[arg(value_name = "FILE")]
        files: Vec<String>,
    },
}

/// Does what was asked.
///
/// # Errors
/// When a file is none of the tool's, or cannot be written.
pub(crate) fn run(args: &AssetsArgs) -> anyhow::Result<ExitCode> {
    let AssetsAction::Export { files } = &args.action;
    let written = assets::export(&Workspace::find()?.root, files)?;
    for path in &written {
        report::data(path.as_str());
    }
    if written.is_empty() {
        report::note(&format!("every file is in `{OVERRIDES}/` already; nothing was written"));
    } else {
        report::note(&format!(
            "remove from `{OVERRIDES}/` what you do not change: a file there replaces the tool's own, also after an upgrade"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
