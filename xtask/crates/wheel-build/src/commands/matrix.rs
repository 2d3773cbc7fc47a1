//! `cargo xtask matrix`: lists the jobs of hosted CI and their machines.

use std::process::ExitCode;

use super::{Workspace, native_platform, selection};
use crate::config::ConfigFile;
use crate::plan::{self, MatrixEntry};
use crate::ship::missing;
use wheel_audit::report;

#[derive(Debug, clap::Args)]
pub(crate) struct MatrixArgs {
    /// Targets and platforms, as for `wheels` [default: those of `[ci]` in wheels.toml]
    #[arg(value_name = "TARGET|PLATFORM")]
    pub words: Vec<String>,
    /// Print the report as JSON
    #[arg(long, conflicts_with = "github")]
    pub json: bool,
    /// Print one line for a workflow: `cargo xtask matrix --github >> "$GITHUB_OUTPUT"`
    #[arg(long)]
    pub github: bool,
}

/// Prints the matrix.
///
/// # Errors
/// If a word is not a target, a platform has no known machine, or a pattern of `[ci] required` matches no build.
pub(crate) fn run(args: &MatrixArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::of(file)?;
    let config = workspace.config()?;
    missing::check_patterns(&config)?;
    let is_platform = |word: &String| word.starts_with("linux/");
    let mut words = args.words.clone();
    let mut all = false;
    if words.iter().all(is_platform) {
        all = config.ci.targets.is_empty();
        words.extend(config.ci.targets.iter().cloned());
    }
    let request = plan::parse_words(&config, &words, all, &[], &native_platform())?;
    selection::check_interpreters(&workspace, &config, &request)?;
    let entries = plan::matrix(&config, &request)?;
    if args.github {
        let include = serde_json::json!({ "include": entries });
        report::data(&format!("matrix={include}"));
    } else if args.json {
        report::json(&entries)?;
    } else {
        let row = |entry: &MatrixEntry| {
            let how = if entry.emulated { "emulated" } else { "native" };
            vec![entry.name.clone(), entry.image.clone(), entry.runner.clone(), how.to_owned()]
        };
        let rows: Vec<_> = entries.iter().map(row).collect();
        let head = ["name", "image", "runner", "runs it"];
        report::text(&report::table(&head, &rows, report::width()));
    }
    Ok(ExitCode::SUCCESS)
}
