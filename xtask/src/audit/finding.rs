//! Findings, and the rules that they break.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The wheel does not do what it promises, or nobody can say whether it does.
    Error,
    /// It works, and should be better.
    Warning,
    /// Good to know.
    Note,
}

/// A rule that wheels have to keep. Codes and names never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Family and number: `ELF003`. Families are `ARC`, `REC`, `MET`, `TAG` and `ELF`.
    pub code: &'static str,
    /// A few words: `floor-above-promise`.
    pub name: &'static str,
    /// How bad it is to break the rule.
    pub severity: Severity,
    /// What to do about it, in one line.
    pub cure: &'static str,
}

impl Rule {
    pub(super) const fn error(code: &'static str, name: &'static str, cure: &'static str) -> Self {
        Self { code, name, severity: Severity::Error, cure }
    }

    pub(super) const fn warning(
        code: &'static str,
        name: &'static str,
        cure: &'static str,
    ) -> Self {
        Self { code, name, severity: Severity::Warning, cure }
    }

    /// The finding that `path` breaks this rule.
    pub(super) fn broken(&self, path: &str, message: impl Into<String>) -> Finding {
        Finding {
            severity: self.severity,
            code: self.code,
            rule: self.name,
            path: path.escape_debug().to_string(),
            message: message.into(),
            cure: self.cure,
        }
    }
}

/// One thing that is wrong with a wheel. Findings sort worst first, then by code, path and message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule's code: `ELF003`.
    pub code: &'static str,
    /// The rule's name: `floor-above-promise`.
    pub rule: &'static str,
    /// The member of the archive, or the wheel's own file name.
    pub path: String,
    /// What is wrong, with the names of what is involved.
    pub message: String,
    /// What to do about it, in one line.
    pub cure: &'static str,
}
