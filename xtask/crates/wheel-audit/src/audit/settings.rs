//! How strictly to judge: what `wheels.toml` and the command line say beside what is promised.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

use super::{Finding, Severity, checks, repeated};

/// So many letters of a code name the family.
pub const FAMILY: usize = 3;

/// How much of a wheel is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// The ELF files alone, and of them what the loader reads: enough for the floor, and quick.
    /// Whether anything is damaged stays unknown.
    Floor,
    /// Every byte, and all checks but those of the machine code.
    Bytes,
    /// The machine code as well.
    #[default]
    Code,
}

/// How to judge. The default judges each finding by its rule's own severity.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How much of a wheel is read.
    pub depth: Depth,
    /// The wheel is to be published: what the index of Python packages refuses is an error.
    pub publish: bool,
    /// Other severities than the rules' own, the later ones winning.
    pub overrides: Vec<Override>,
}

/// Another severity for the findings of one rule, everywhere or for some paths.
#[derive(Debug, Clone)]
pub struct Override {
    /// Code or name of the rule, or the family: `ELF009`, `executable-stack`, `ELF`.
    pub rule: String,
    /// For which paths, with `*`, `**` and `?`; all of them if absent. Matched against the
    /// finding's path and the file name of the wheel.
    pub path: Option<Pattern>,
    /// How bad it is then.
    pub severity: Severity,
    /// Why: reports print it.
    pub reason: String,
}

impl Settings {
    /// Gives each finding of `file` the severity that it has here, sorts them anew, and groups those
    /// that repeat. Nothing lowers the severity of what an index refuses where the wheel is to be
    /// published.
    pub(super) fn apply(&self, file: &str, findings: &mut Vec<Finding>) {
        let refused = refused();
        for finding in findings.iter_mut() {
            self.weigh(file, finding, &refused);
        }
        findings.sort();
        repeated::group(findings);
    }

    /// As [`Self::apply`], for findings that are of no one wheel, each with the path of its own file.
    pub(super) fn apply_each(&self, findings: &mut [Finding]) {
        let refused = refused();
        for finding in findings.iter_mut() {
            let file = finding.path.rsplit('/').next().unwrap_or_default().to_owned();
            self.weigh(&file, finding, &refused);
        }
        findings.sort();
    }

    fn weigh(&self, file: &str, finding: &mut Finding, refused: &BTreeSet<&str>) {
        let mut fitting = self.overrides.iter().filter(|each| each.fits(file, finding));
        let over = fitting.next_back();
        if self.publish && refused.contains(finding.code) {
            finding.severity = Severity::Error;
            if let Some(over) = over.filter(|over| over.severity != Severity::Error) {
                let word = over.severity.as_str();
                finding.message = format!(
                    "{}; `{word}` in wheels.toml ({}) does not make an index take it",
                    finding.message, over.reason
                );
            }
        } else if let Some(over) = over {
            finding.severity = over.severity;
            finding.reason = Some(over.reason.clone());
        }
    }
}

/// The codes of what an index refuses.
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
