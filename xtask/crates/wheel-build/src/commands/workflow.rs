//! `cargo xtask workflow`: the hosted workflow, written from wheels.toml.

use std::process::ExitCode;

use super::{FINDINGS, Workspace};
use crate::config::{self, ConfigFile};
use crate::ship::workflow;
use wheel_audit::UserError;
use wheel_audit::report;

/// Arguments of `workflow`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkflowArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: WorkflowAction,
}

/// What to do with the workflow.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum WorkflowAction {
    /// Write it
    Write {
        /// Print it and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Exit with 1 where the file is not what would be written
    Check,
}

/// What becomes of a generated file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    Check,
    DryRun,
}

/// Writes, checks or prints the workflow.
///
/// # Errors
/// When wheels.toml does not hold, or the file cannot be read or written.
pub(crate) fn run(args: &WorkflowArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let mode = match args.action {
        WorkflowAction::Write { dry_run: false } => Mode::Write,
        WorkflowAction::Write { dry_run: true } => Mode::DryRun,
        WorkflowAction::Check => Mode::Check,
    };
    anyhow::ensure!(
        file.is_default(),
        UserError::new(format!(
            "the workflow is written for `wheels.toml` alone, not for `{}`",
            file.name()
        ))
        .hint("call `cargo xtask wheels --config FILE` in a workflow of your own")
    );
    let workspace = Workspace::of(file)?;
    // What one machine overrides is none of the hosted one's business.
    let root = &workspace.root;
    let config = config::load_committed(root, file)?;
    let text = workflow::workflow(&config, &workflow::Tool::of(root))?;
    let path = workspace.root.join(workflow::PATH);
    if mode == Mode::DryRun {
        report::data(text.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let found = match fs_err::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        result => Some(result?),
    };
    if found.as_ref() == Some(&text) {
        report::data(&format!("`{}` is what wheels.toml asks for", workflow::PATH));
        return Ok(ExitCode::SUCCESS);
    }
    if mode == Mode::Check {
        let what = found.as_deref().map_or_else(
            || "is not there".to_owned(),
            |found| {
                let line = first_difference(found, &text);
                format!("is not what `workflow write` makes of wheels.toml (line {line} differs)")
            },
        );
        report::note(&format!(
            "error: `{}` {what}\n\n\
             hint: run `cargo xtask workflow write`. To keep a change, set it in `[ci]` or `[publish]` of wheels.toml, \
             or move it to a workflow of its own",
            workflow::PATH
        ));
        return Ok(ExitCode::from(FINDINGS));
    }
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(&path, text)?;
    report::data(&format!("wrote `{}`", workflow::PATH));
    Ok(ExitCode::SUCCESS)
}

/// The first line that differs, counted from 1.
fn first_difference(one: &str, other: &str) -> usize {
    1 + one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count()
}
