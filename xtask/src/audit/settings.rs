//! How strictly to judge: what `wheels.toml` and the command line say beside what is promised.

use std::collections::BTreeMap;

use glob::Pattern;

use super::{Finding, Severity, checks};

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
    /// Code or name of the rule: `ELF009`, `executable-stack`.
    pub rule: String,
    /// For which paths, with `*`, `**` and `?`; all of them if absent. Matched against the
    /// finding's path.
    pub path: Option<Pattern>,
    /// How bad it is then.
    pub severity: Severity,
    /// Why: reports print it.
    pub reason: String,
}

impl Settings {
    /// Gives each finding the severity that it has here, and sorts them anew.
    pub(super) fn apply(&self, findings: &mut [Finding]) {
        let refused: BTreeMap<&str, bool> =
            checks::rules().map(|rule| (rule.code, rule.refused_by_index)).collect();
        for finding in findings.iter_mut() {
            if self.publish && refused.get(finding.code).copied().unwrap_or_default() {
                finding.severity = Severity::Error;
            }
            let mut fitting = self.overrides.iter().filter(|each| each.fits(finding));
            if let Some(over) = fitting.next_back() {
                finding.severity = over.severity;
                finding.reason = Some(over.reason.clone());
            }
        }
        findings.sort();
    }
}

impl Override {
    fn fits(&self, finding: &Finding) -> bool {
        let path = || self.path.as_ref().is_none_or(|pattern| pattern.matches(&finding.path));
        (self.rule == finding.code || self.rule == finding.rule) && path()
    }
}
