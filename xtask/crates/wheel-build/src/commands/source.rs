//! `cargo xtask source`: lists the files of the repository that a build uses.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::{FINDINGS, Workspace};
use crate::config::{ConfigFile, Source};
use crate::exec::Exec;
use crate::pipeline::{self, Reason, Summary};
use wheel_audit::UserError;
use wheel_audit::report;
use wheel_audit::text::shown;

#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// List each file with the reason why it is included or excluded
    #[arg(long)]
    pub list: bool,
    /// Print the report as JSON, with the list of files
    #[arg(long)]
    pub json: bool,
}

/// A file in the output of `--json`.
#[derive(Serialize)]
struct Line {
    path: String,
    #[serde(rename = "in")]
    is_in: bool,
    reason: Reason,
}

#[derive(Serialize)]
struct View<'a> {
    schema_version: u32,
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    list: Vec<Line>,
}

/// Prints the source. The exit status shows whether wheels can be built from it.
///
/// # Errors
/// If the folder cannot be read, or git fails.
pub(crate) fn run(args: &SourceArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let config = workspace.config()?;
    let source = match &config.source {
        Source::Path(source) => source,
        Source::Sdist { name, version, .. } => {
            anyhow::bail!(
                UserError::new(format!(
                    "{} builds {name}=={version} from the Python index, not \
                     files of the repository",
                    file.name()
                ))
                .hint("to build a folder, replace `sdist` in `[source]` with `path`")
            );
        }
    };
    let selected = pipeline::select(&exec, &workspace.root, source)?;
    let summary = Summary::of(&selected.files);
    let mut list = Vec::new();
    if args.list || args.json {
        let line = |path: &Path, reason: Reason| {
            let path = path.to_string_lossy().into_owned();
            Line { path, is_in: reason.is_in(), reason }
        };
        list.extend(selected.files.files.iter().map(|file| line(&file.path, file.reason)));
        let ignored = pipeline::ignored(&exec, &workspace.root, source, &selected.files)?;
        list.extend(ignored.iter().map(|path| line(path, Reason::Ignored)));
        list.sort_by(|a, b| a.path.cmp(&b.path));
    }
    if args.json {
        let error = selected.problem.as_ref().map(|problem| problem.message.clone());
        report::json(&View { schema_version: 1, summary: &summary, error, list })?;
    } else {
        if args.list {
            let row = |line: &Line| {
                let place = if line.is_in { "in" } else { "out" };
                let path = shown(&line.path).to_string();
                vec![place.to_owned(), line.reason.word().to_owned(), path]
            };
            let rows: Vec<_> = list.iter().map(row).collect();
            report::text(&report::table(&["", "reason", "file"], &rows, report::width()));
            report::note(&summary.line());
        } else {
            report::prose(&summary.line());
        }
        notes(&summary, false);
    }
    let Some(problem) = selected.problem else { return Ok(ExitCode::SUCCESS) };
    report::failed(&problem);
    Ok(ExitCode::from(FINDINGS))
}

/// Prints notes about the source of a run; only warnings if `is_quiet`.
pub(super) fn announce(summary: &Summary, is_quiet: bool) {
    if !is_quiet {
        report::note(&summary.line());
    }
    notes(summary, is_quiet);
}

fn notes(summary: &Summary, is_quiet: bool) {
    for note in &summary.notes {
        if note.is_warning {
            report::note(&format!("warning: source: {}", note.text));
        } else if !is_quiet {
            report::note(&format!("source: {}", note.text));
        }
    }
}
