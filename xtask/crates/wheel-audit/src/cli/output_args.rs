//! The output options that `verify` and `check-glibc` share, and the code that prints a report by them.

use std::process::ExitCode;

use anyhow::Context as _;
use camino::Utf8PathBuf;

use super::{COULD_NOT_RUN, FINDINGS};
use crate::audit::{self, Expectations, Inputs, Report, Settings, Verdict};
use crate::report::{self, Count};

/// Maximum number of skipped links that are named.
const MAX_LINKS: usize = 5;

/// Where a report goes, and in which form.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OutputArgs {
    /// Report on stdout as JSON
    #[arg(long)]
    pub json: bool,
    /// Report on stdout as Markdown, for a job summary
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Also write the report as one page, with each wheel against each distribution
    #[arg(long, value_name = "FILE")]
    pub html: Option<Utf8PathBuf>,
    /// Also write the report for code scanning, as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<Utf8PathBuf>,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Audits the inputs with progress, and prints the report in the requested forms; `text` is the
/// one for people.
pub(super) fn judge_and_print(
    inputs: &Inputs,
    expectations: &Expectations,
    settings: &Settings,
    output: &OutputArgs,
    text: fn(&Report, usize) -> String,
) -> anyhow::Result<ExitCode> {
    let count = Count::new(inputs.wheels.len() + inputs.files.len(), output.quiet);
    for path in inputs.left_out.iter().take(MAX_LINKS) {
        let path = path.as_str().escape_debug();
        report::note(&format!("`{path}` is a link below a folder: skipped"));
    }
    if let more @ 1.. = inputs.left_out.len().saturating_sub(MAX_LINKS) {
        report::note(&format!("skipped {} more", report::counted(more, "link")));
    }
    let found =
        audit::audit_inputs(inputs, expectations, settings, &|path| count.done(path.as_str()));
    count.finish();
    write_files(&found, output)?;
    if output.json {
        report::json(&found)?;
    } else if output.markdown {
        report::data(&report::markdown(&found));
    } else {
        report::text(&text(&found, report::width()));
    }
    report::annotate(&report::annotations(&found));
    Ok(exit_code(&found))
}

/// Writes what goes to files: before stdout, so that a report which ends well is whole.
fn write_files(found: &Report, output: &OutputArgs) -> anyhow::Result<()> {
    if let Some(path) = &output.html {
        fs_err::write(path, report::html(found)).context("the page cannot be written")?;
    }
    if let Some(path) = &output.sarif {
        let folder = Utf8PathBuf::try_from(std::env::current_dir()?)?;
        let log = report::json_text(&report::sarif(found, &folder))?;
        fs_err::write(path, log).context("the SARIF log cannot be written")?;
    }
    Ok(())
}

/// The exit status that a report stands for.
fn exit_code(report: &Report) -> ExitCode {
    match report.verdict {
        _ if !report.unread.is_empty() => ExitCode::from(COULD_NOT_RUN),
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(FINDINGS),
    }
}
