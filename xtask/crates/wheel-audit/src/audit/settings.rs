//! Settings of an audit from `wheels.toml` and the command line: depth and severities.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

use super::{Finding, Severity, checks, repeated};

/// Length of the prefix of a code that is its family.
pub const FAMILY: usize = 3;

/// The parts of a wheel that the audit reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// Only the loader's tables of the ELF files: enough for the floor, and fast. Does not detect damage.
    Floor,
    /// Every byte, and all checks except those of the machine code.
    Bytes,
    /// The machine code as well.
    #[default]
    Code,
}

/// Settings of an audit. The default uses each rule's own severity.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The parts of a wheel that the audit reads.
    pub depth: Depth,
    /// For publishing: findings about files that the Python index rejects are errors.
    pub publish: bool,
    /// Overrides of severities. Later ones take precedence.
    pub overrides: Vec<Override>,
}

/// Another severity for the findings of one rule, everywhere or for some paths.
#[derive(Debug, Clone)]
pub struct Override {
    /// Code or name of the rule, or the family: `ELF009`, `executable-stack`, `ELF`.
    pub rule: String,
    /// A pattern with `*`, `**` and `?` for the finding's path or the file name of the wheel. `None` for all.
    pub path: Option<Pattern>,
    /// The new severity.
    pub severity: Severity,
    /// The reason, for reports.
    pub reason: String,
}

impl Settings {
    /// Applies the overrides to the findings of `file`, sorts them, and groups repeated ones. With `publish`,
    /// overrides do not apply to files that an index rejects.
    pub(super) fn apply(&self, file: &str, findings: &mut Vec<Finding>) {
        let refused = refused();
        for finding in findings.iter_mut() {
            self.set_severity(file, finding, &refused);
        }
        findings.sort();
        repeated::group(findings);
    }

    /// As [`Self::apply`], for findings about several wheels, each with the path of its own file.
    pub(super) fn apply_each(&self, findings: &mut [Finding]) {
        let refused = refused();
        for finding in findings.iter_mut() {
            let file = finding.path.rsplit('/').next().unwrap_or_default().to_owned();
            self.set_severity(&file, finding, &refused);
        }
        findings.sort();
    }

    fn set_severity(&self, file: &str, finding: &mut Finding, refused: &BTreeSet<&str>) {
        let mut fitting = self.overrides.iter().filter(|each| each.fits(file, finding));
        let over = fitting.next_back();
        if self.publish && refused.contains(finding.code) {
            finding.severity = Severity::Error;
            if let Some(over) = over.filter(|over| over.severity != Severity::Error) {
                let word = over.severity.as_str();
                finding.message = format!(
                    "{}; the override `{word}` in wheels.toml ({}) does not apply, because the package index rejects the file",
                    finding.message, over.reason
                );
            }
        } else if let Some(over) = over {
            finding.severity = over.severity;
            finding.reason = Some(over.reason.clone());
        }
    }
}

/// The codes of rules about files that an index rejects.
fn refused() -> BTreeSet<&'static str> {
    checks::rules().filter(|rule| rule.refused_by_index).map(|rule| rule.code).collect()
}

impl Override {
    fn fits(&self, file: &str, finding: &Finding) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::default() };
        let matches = |pattern: &Pattern| {
            [file, &finding.path].iter().any(|path| pattern.matches_with(path, options))
        };
        let family = finding.code.get(..FAMILY);
        [Some(finding.code), Some(finding.rule), family].contains(&Some(self.rule.as_str()))
            && self.path.as_ref().is_none_or(matches)
    }
}
