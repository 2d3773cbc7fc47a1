//! Findings, and the rules that they break.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::shown;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The wheel breaks a promise, or the audit cannot verify it.
    Error,
    /// The wheel works, but should be improved.
    Warning,
    /// Information.
    Note,
    /// Accepted by an override in `wheels.toml`.
    Ignored,
}

impl Severity {
    /// The word that reports and `wheels.toml` use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Ignored => "ignored",
        }
    }
}

/// A rule for wheels. Codes and names never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Family and number: `ELF003`. Families are `ARC`, `REC`, `MET`, `TAG`, `ABI`, `ELF`, `ISA`,
    /// `SET` and `DST` (archive, RECORD, metadata, tags, interpreter ABI, ELF, instruction set,
    /// several wheels together, the files of `dist/`).
    pub code: &'static str,
    /// The name in kebab case: `floor-above-promise`.
    pub name: &'static str,
    /// The default severity.
    pub severity: Severity,
    /// The default help of its findings, in one line.
    #[serde(rename = "cure")]
    pub help: &'static str,
    /// The Python index rejects files that break the rule (warehouse, `forklift/legacy.py` and
    /// `utils/zipfiles.py`). With `publish`, the finding is an error.
    pub refused_by_index: bool,
}

impl Rule {
    pub(super) const fn error(code: &'static str, name: &'static str, help: &'static str) -> Self {
        Self { code, name, severity: Severity::Error, help, refused_by_index: false }
    }

    pub(super) const fn warning(
        code: &'static str,
        name: &'static str,
        help: &'static str,
    ) -> Self {
        Self { code, name, severity: Severity::Warning, help, refused_by_index: false }
    }

    pub(super) const fn note(code: &'static str, name: &'static str, help: &'static str) -> Self {
        Self { code, name, severity: Severity::Note, help, refused_by_index: false }
    }

    /// Marks the rule as one that the Python index enforces.
    pub(super) const fn refused_by_index(mut self) -> Self {
        self.refused_by_index = true;
        self
    }

    /// A finding that `path` breaks this rule.
    pub(super) fn broken(&self, path: &str, message: impl Into<String>) -> Finding {
        Finding {
            severity: self.severity,
            code: self.code,
            rule: self.name,
            path: shown(path).to_string(),
            message: cut(message.into()),
            help: Cow::Borrowed(self.help),
            reason: None,
            also: Vec::new(),
            shared: None,
        }
    }
}

/// A fault of a wheel. Findings sort by severity (worst first), code, path and message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The rule's code: `ELF003`.
    pub code: &'static str,
    /// The rule's name: `floor-above-promise`.
    pub rule: &'static str,
    /// The member of the archive, or the wheel's own file name.
    pub path: String,
    /// The fault, with the names of files, symbols and libraries.
    pub message: String,
    /// The command, option or change that fixes the fault, in one line.
    #[serde(rename = "cure")]
    pub help: Cow<'static, str>,
    /// The reason of the override in `wheels.toml`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The other places with the same cause, if there are more than three in total.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Place>,
    /// The common part of findings with the same cause, if it differs from the message without names.
    #[serde(skip)]
    pub(crate) shared: Option<String>,
}

/// A further place of a [`Finding`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// As [`Finding::path`].
    pub path: String,
    /// As [`Finding::message`], for this place.
    pub message: String,
}

impl Finding {
    /// All places, including the first, each with its message.
    pub fn places(&self) -> impl Iterator<Item = (&str, &str)> {
        let also = self.also.iter().map(|place| (place.path.as_str(), place.message.as_str()));
        std::iter::once((self.path.as_str(), self.message.as_str())).chain(also)
    }

    /// Sets the common part of findings with the same cause.
    pub(super) fn sharing(mut self, shared: String) -> Self {
        self.shared = Some(shared);
        self
    }

    /// Sets help for the exact cause.
    pub(super) fn with_help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.help = help.into();
        self
    }
}

/// Limits the length of a message.
fn cut(mut message: String) -> String {
    const MAX_MESSAGE: usize = 4096;
    if let Some(end) = message.char_indices().map(|(at, _)| at).find(|&at| at >= MAX_MESSAGE) {
        message.truncate(end);
        message.push('…');
        message.shrink_to_fit();
    }
    message
}
