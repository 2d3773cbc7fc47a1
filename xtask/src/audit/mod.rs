//! The verdict on a wheel: first the facts, what is in the file, then the findings, the facts held
//! against what the wheel's own name and its target promise.
//!
//! Facts are gathered once (`gather`), every check reads them and nothing else (`checks`). To add a
//! check, write its rules and its function in a file of its own and name it in the table of
//! `checks`.

mod brought;
mod checks;
mod facts;
mod finding;
mod gather;
mod report;
mod settings;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use thiserror::Error;

pub use checks::rules;
pub use facts::{Culprit, ElfReport, WheelFacts};
pub use finding::{Finding, Rule, Severity};
pub use report::{FileAudit, Report, SCHEMA_VERSION, Unread};
pub use settings::{Override, Settings};

use crate::{
    policy::{Arch, PlatformTag},
    wheel::Interpreter,
};

/// What the wheel is expected to be, beside what its name says. The default expects nothing more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// The systems of the target: the wheel has to install and load on all of them.
    pub platform_tag: Option<PlatformTag>,
    /// The architecture that was built for.
    pub arch: Option<Arch>,
    /// The interpreter that was built for.
    pub interpreter: Option<Interpreter>,
    /// An extension module was asked for, so a wheel without machine code is a build that failed
    /// silently.
    pub native: bool,
}

/// Facts and findings: what `audit.json` holds of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// What is in the wheel.
    #[serde(flatten)]
    pub facts: WheelFacts,
    /// [`Audit::verdict`], for readers of the file.
    verdict: Verdict,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
}

/// Is the wheel good?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No finding is an error.
    Pass,
    /// At least one is.
    Fail,
}

impl Audit {
    /// [`Verdict::Fail`] if any finding is an error.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// Why a wheel could not be looked at. What is wrong with the wheel itself is a finding, however
/// broken it is.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The path has no file name.
    #[error("`{0}` is no file")]
    NoFile(Utf8PathBuf),
}

/// Judges the wheel at `path`.
///
/// Members are read one after the other, each checked against its declared size and checksum; in
/// memory at one time is one ELF file at most, and of everything else a buffer.
///
/// # Errors
/// [`AuditError`] if the file cannot be read; anything else is a finding.
pub fn audit_wheel(
    path: &Utf8Path,
    promise: &Promise,
    settings: &Settings,
) -> Result<Audit, AuditError> {
    let subject = gather::gather(path, promise)?;
    let mut findings = checks::run(&subject);
    settings.apply(&mut findings);
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    let verdict = if failed { Verdict::Fail } else { Verdict::Pass };
    Ok(Audit { facts: subject.facts, verdict, findings })
}

#[cfg(test)]
mod tests;
