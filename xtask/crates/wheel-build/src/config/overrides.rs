//! `[[check.override]]`: what a rule's findings weigh in this repository, and why.

use glob::Pattern;
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// Another severity for what one rule finds, everywhere or for some files.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleOverride {
    /// A rule's code (`ELF009`) or name, or the three letters of a family. Whether there is such a
    /// rule is not known here: who knows the rules asks, and names [`Self::place`].
    #[cfg_attr(test, schemars(with = "String"))]
    pub code: Spanned<String>,
    /// For which files; all of them where absent.
    pub path: Option<PathPattern>,
    /// What its findings weigh.
    pub severity: RuleSeverity,
    /// Why; reports print it.
    pub reason: Reason,
    /// Where the code stands, for messages: `` `wheels.toml`, line 12 ``.
    #[serde(skip)]
    pub place: String,
}

/// What a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum RuleSeverity {
    /// The wheel is refused.
    Error,
    /// It is told.
    Warning,
    /// It is told last.
    Note,
    /// It is told as known and accepted.
    Ignored,
}

/// Which paths are meant: `*` and `?` stand for what is within a name, `**` for folders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PathPattern(pub Pattern);

impl TryFrom<String> for PathPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pattern::new(&text)
            .map(Self)
            .map_err(|error| format!("`{text}` is no pattern for paths: {}", error.msg))
    }
}

/// A reason, which has at least a word.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Reason(pub String);

impl TryFrom<String> for Reason {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err("`reason` says why the severity is another one here, and is empty");
        }
        Ok(Self(text.to_owned()))
    }
}
