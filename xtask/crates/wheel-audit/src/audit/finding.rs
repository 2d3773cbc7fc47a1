//! Findings, and the rules that they break.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::shown;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The wheel does not do what it promises, or nobody can say whether it does.
    Error,
    /// It works, and should be better.
    Warning,
    /// Good to know.
    Note,
    /// Known and accepted, for a reason that `wheels.toml` gives.
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

/// A rule that wheels have to keep. Codes and names never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Family and number: `ELF003`. Families are `ARC`, `REC`, `MET`, `TAG`, `ABI`, `ELF`, `ISA`,
    /// `SET` and `DST` (archive, RECORD, metadata, tags, interpreter ABI, ELF, instruction set,
    /// several wheels together, the files of `dist/`).
    pub code: &'static str,
    /// A few words: `floor-above-promise`.
    pub name: &'static str,
    /// How bad it is to break the rule.
    pub severity: Severity,
    /// What to do about it, in one line. A finding may know better.
    #[serde(rename = "cure")]
    pub help: &'static str,
    /// The index of Python packages refuses a file that breaks it (warehouse, `forklift/legacy.py`
    /// and `utils/zipfiles.py`), so that it is an error where the wheel is to be published.
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

    /// The same rule, one that the index holds uploads to.
    pub(super) const fn refused_by_index(mut self) -> Self {
        self.refused_by_index = true;
        self
    }

    /// The finding that `path` breaks this rule.
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
    #[serde(rename = "cure")]
    pub help: Cow<'static, str>,
    /// Why the severity is not the rule's own, where `wheels.toml` has set another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The other places with the same cause, where there are more than three in all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Place>,
    /// What findings with the same cause share, where it is not the message without its names.
    #[serde(skip)]
    pub(crate) shared: Option<String>,
}

/// A further place of a [`Finding`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// As [`Finding::path`].
    pub path: String,
    /// As [`Finding::message`], with the names of this place.
    pub message: String,
}

impl Finding {
    /// The places, the first one included, each with its message.
    pub fn places(&self) -> impl Iterator<Item = (&str, &str)> {
        let also = self.also.iter().map(|place| (place.path.as_str(), place.message.as_str()));
        std::iter::once((self.path.as_str(), self.message.as_str())).chain(also)
    }

    /// The same finding with what others of the same cause share.
    pub(super) fn sharing(mut self, shared: String) -> Self {
        self.shared = Some(shared);
        self
    }

    /// The same finding with help for its exact cause.
    pub(super) fn with_help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.help = help.into();
        self
    }
}

/// A message in bounds, however long what it names is.
fn cut(mut message: String) -> String {
    const MOST: usize = 4096;
    if let Some(end) = message.char_indices().map(|(at, _)| at).find(|&at| at >= MOST) {
        message.truncate(end);
        message.push('…');
        message.shrink_to_fit();
    }
    message
}
