//! The result of a run as Markdown, for a job summary.

use std::fmt::Write as _;

use super::summary::{causes, titles, verdict, wheel_cells};
use crate::commands::hosted;
use crate::config::Platform;
use crate::pipeline::{JobReport, Outcome, RunReport};
use wheel_audit::report::{self, markdown_code, markdown_text};

const HEAD: [&str; 9] =
    ["build", "floor", "tag", "size", "smoke", "tests", "time", "outcome", "verdict"];

/// A table of all builds, then the failures. `links` leads to artifacts and logs of the run.
pub(super) fn markdown(report: &RunReport, links: Option<&str>) -> String {
    let good = report.jobs.iter().filter(|job| job.failure().is_none()).count();
    let mark = if report.success() { "✓" } else { "✗" };
    let number = report::counted(report.jobs.len(), "wheel");
    let mut page = format!(
        "### {mark} {good} of {number} after {:.0} s\n\n| {} |\n|{}\n",
        report.seconds,
        HEAD.join(" | "),
        "---|".repeat(HEAD.len())
    );
    for job in &report.jobs {
        let cells: Vec<_> = row(job).iter().map(|cell| markdown_text(cell)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    for (failure, jobs) in causes(report) {
        let what = markdown_text(&titles(&jobs));
        let _ = writeln!(page, "\n**✗ {what}**: {}", markdown_text(&failure.message));
        if !failure.tail.is_empty() {
            let lines: Vec<_> = failure.tail.iter().map(|line| markdown_code(line)).collect();
            let _ = writeln!(page, "\n{}", lines.join("<br>\n"));
        }
        if let Some(hint) = &failure.hint {
            let _ = writeln!(page, "\n*Hint*: {}", markdown_text(hint));
        }
    }
    if let Some(links) = links {
        let _ = writeln!(page, "\n{links}");
    }
    report::markdown_cut(page)
}

/// Links of a hosted run.
pub(super) fn links() -> Option<String> {
    hosted::links(&|name| std::env::var(name).ok())
}

fn row(job: &JobReport) -> Vec<String> {
    let (facts, outcome) = match &job.outcome {
        Outcome::Built { wheel } => (wheel_cells(wheel, &job.interpreter), "built"),
        Outcome::Unchanged { wheel } => (wheel_cells(wheel, &job.interpreter), "unchanged"),
        Outcome::Failed(failure) => {
            let word = if failure.consequence { "stopped" } else { "FAILED" };
            (["-"; 5].map(str::to_owned), word)
        }
    };
    let verdict = job.findings.as_ref().map_or_else(|| "-".to_owned(), verdict);
    let end = [format!("{:.1} s", job.seconds), outcome.to_owned(), verdict];
    [identifier(&job.target, &job.platform, &job.interpreter)]
        .into_iter()
        .chain(facts)
        .chain(end)
        .collect()
}

/// The build identifier for the words of a report, e.g. `cp313-debian12_x86_64`.
pub(crate) fn identifier(target: &str, platform: &str, interpreter: &str) -> String {
    let arch = platform.parse::<Platform>().ok().map(|platform| platform.arch().wheel_name());
    format!("{interpreter}-{target}_{}", arch.unwrap_or(platform))
}
