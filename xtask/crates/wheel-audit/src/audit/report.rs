//! What `check-glibc` and `verify` have to say, whoever it is told to.

use camino::Utf8PathBuf;
use serde::Serialize;

use super::{Audit, ElfReport, Finding, Severity, Verdict};

/// Version of the report's shape, which `schema/report.schema.json` describes.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that a run of `check-glibc` or `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Over everything below.
    pub verdict: Verdict,
    /// The wheels, in the order asked for.
    pub wheels: Vec<Audit>,
    /// ELF files that lie in no wheel.
    pub files: Vec<FileAudit>,
    /// What is wrong with several wheels together, or with the files beside them.
    pub findings: Vec<Finding>,
    /// What could not be read at all.
    pub unread: Vec<Unread>,
}

/// An ELF file that lies in no wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileAudit {
    /// What is in it; its `path` is the one asked for. `None` if it cannot be judged.
    #[serde(flatten)]
    pub facts: Option<ElfReport>,
    /// Its path as it was asked for.
    pub file: Utf8PathBuf,
    /// Is it good?
    pub verdict: Verdict,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
}

/// A path that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The path as it was asked for.
    pub path: Utf8PathBuf,
    /// Why not.
    pub message: String,
}

impl Report {
    /// Puts the parts together and judges them.
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
