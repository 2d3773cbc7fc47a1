//! The output options of `verify` and `check-glibc`, and the code that prints a report.

use std::process::ExitCode;

use anyhow::Context as _;
use camino::Utf8PathBuf;

use super::{COULD_NOT_RUN, FINDINGS};
use crate::audit::{self, Expectations, Inputs, Report, Settings, Verdict};
use crate::report::{self, Count};

/// Maximum number of skipped links that are listed.
const MAX_LINKS: usize = 5;

/// The formats and destinations of a report.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OutputArgs {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Print the report as Markdown, for a job summary
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Write an HTML page with a matrix of wheels and distributions
    #[arg(long, value_name = "FILE")]
    pub html: Option<Utf8PathBuf>,
    /// Write the report as SARIF 2.1.0, for code scanning
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<Utf8PathBuf>,
    /// Hide progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Audits the inputs with progress, and prints the report in the requested formats. `text` prints the default
/// format.
pub(super) fn audit_and_print(
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

/// Writes files before printing, so that a successful run has complete files.
fn write_files(found: &Report, output: &OutputArgs) -> anyhow::Result<()> {
    if let Some(path) = &output.html {
        fs_err::write(path, report::html(found)).context("cannot write the HTML page")?;
    }
    if let Some(path) = &output.sarif {
        let folder = Utf8PathBuf::try_from(std::env::current_dir()?)?;
        let log = report::json_text(&report::sarif(found, &folder))?;
        fs_err::write(path, log).context("cannot write the SARIF log")?;
    }
    Ok(())
}

/// The exit status for a report.
fn exit_code(report: &Report) -> ExitCode {
    match report.verdict {
        _ if !report.unread.is_empty() => ExitCode::from(COULD_NOT_RUN),
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(FINDINGS),
    }
}
