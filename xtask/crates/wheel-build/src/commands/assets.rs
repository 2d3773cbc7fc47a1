//! `cargo xtask assets`: exports the build files that are part of the tool.

use std::process::ExitCode;

use wheel_audit::report;

use super::Workspace;
use crate::assets::{self, OVERRIDES};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AssetsArgs {
    #[command(subcommand)]
    pub(crate) action: AssetsAction,
}

/// Subcommands of `assets`.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum AssetsAction {
    /// Copy the build files to `xtask/assets/`, where a changed copy replaces the tool's own; existing files are
    /// kept
    Export {
        /// Copy only these files, e.g. `scripts/build-all.sh`
        #[arg(value_name = "FILE")]
        files: Vec<String>,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// If the tool has no file of that name, or a file cannot be written.
pub(crate) fn run(args: &AssetsArgs) -> anyhow::Result<ExitCode> {
    let AssetsAction::Export { files } = &args.action;
    let written = assets::export(&Workspace::find()?.root, files)?;
    for path in &written {
        report::data(path.as_str());
    }
    if written.is_empty() {
        report::note(&format!("`{OVERRIDES}/` already has every file; nothing was written"));
    } else {
        report::note(&format!(
            "delete the files in `{OVERRIDES}/` that you do not change: each replaces the tool's \
             own file, also after an upgrade"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
