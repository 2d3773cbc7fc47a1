//! `cargo xtask source`: which files of the repository the build gets, and why.

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

/// Arguments of `source`.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// List each file, with the reason why it is in or out
    #[arg(long)]
    pub list: bool,
    /// Report on stdout as JSON, with the list
    #[arg(long)]
    pub json: bool,
}

/// A file, as `--json` has it.
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

/// Prints what the source is; the exit status says whether wheels can be built from it.
///
/// # Errors
/// When the folder cannot be read, or git fails.
pub(crate) fn run(args: &SourceArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let config = workspace.config()?;
    let source = match &config.source {
        Source::Path(source) => source,
        Source::Sdist { name, version, .. } => {
            anyhow::bail!(
                UserError::new(format!("{} builds the archive {name}=={version} of the index, not files of the repository", file.name()))
                    .hint("set `path` in `[source]` in place of `sdist` to build a folder")
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
            report::text(&report::fold(&summary.line(), report::width()));
        }
        notes(&summary, false);
    }
    let Some(problem) = selected.problem else { return Ok(ExitCode::SUCCESS) };
    report::failed(&problem);
    Ok(ExitCode::from(FINDINGS))
}

/// Prints the lines about the source of a run; only warnings if `is_quiet`.
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
