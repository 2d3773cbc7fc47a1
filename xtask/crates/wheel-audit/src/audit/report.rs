//! The result of `check-glibc` and `verify`, for all report formats.

use camino::Utf8PathBuf;
use serde::Serialize;

use super::{Audit, ElfReport, Finding, Severity, Verdict};

/// Version of the report's format. `schema/report.schema.json` describes it.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a run of `check-glibc` or `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The verdict over all wheels, files and findings.
    pub verdict: Verdict,
    /// The wheels, in the order of the command line.
    pub wheels: Vec<Audit>,
    /// ELF files outside of wheels.
    pub files: Vec<FileAudit>,
    /// Findings about several wheels together, or about other files of their folders.
    pub findings: Vec<Finding>,
    /// Unreadable paths.
    pub unread: Vec<Unread>,
}

/// An ELF file outside of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileAudit {
    /// The facts. `None` if the file is unreadable.
    #[serde(flatten)]
    pub facts: Option<ElfReport>,
    /// The path from the command line.
    pub file: Utf8PathBuf,
    /// The verdict.
    pub verdict: Verdict,
    /// The findings, worst first.
    pub findings: Vec<Finding>,
}

/// An unreadable path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The path from the command line.
    pub path: Utf8PathBuf,
    /// The reason.
    pub message: String,
}

impl Report {
    /// Combines the parts and computes the verdict.
    pub fn new(
        wheels: Vec<Audit>,
        files: Vec<FileAudit>,
        findings: Vec<Finding>,
        unread: Vec<Unread>,
    ) -> Self {
        let parts = wheels.iter().map(|wheel| wheel.verdict).chain(files.iter().map(|f| f.verdict));
        let failed = parts.into_iter().any(|verdict| verdict == Verdict::Fail)
            || findings.iter().any(|finding| finding.severity == Severity::Error)
            || !unread.is_empty();
        let verdict = if failed { Verdict::Fail } else { Verdict::Pass };
        Self { schema_version: SCHEMA_VERSION, verdict, wheels, files, findings, unread }
    }
}
