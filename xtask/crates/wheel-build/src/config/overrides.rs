//! `[[check.override]]`: the severity of a rule's findings in this repository, with a reason.

use glob::Pattern;
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// Changes the severity of a rule's findings, for all files or some of them.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleOverride {
    /// Code of a rule (`ELF009`), its name, or the three letters of a family. Required.
    // This module does not know the rules: the audit reports an unknown code with `place`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub code: Spanned<String>,
    /// Files whose findings change, as a pattern. [default: all files]
    pub path: Option<PathPattern>,
    /// New severity of the findings. Required.
    pub severity: RuleSeverity,
    /// Why the severity is different. Reports print it. Required.
    pub reason: Reason,
    /// Where the code is, for messages: `` `wheels.toml`, line 12 ``.
    #[serde(skip)]
    pub place: String,
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum RuleSeverity {
    /// The wheel is rejected.
    Error,
    /// Reported, and the wheel is accepted.
    Warning,
    /// Reported after the warnings.
    Note,
    /// Reported as known and accepted.
    Ignored,
}

/// A path pattern: `*` and `?` match within a name, `**` matches folders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PathPattern(pub Pattern);

impl TryFrom<String> for PathPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pattern::new(&text)
            .map(Self)
            .map_err(|error| format!("`{text}` is not a valid pattern: {}", error.msg))
    }
}

/// A reason that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Reason(pub String);

impl TryFrom<String> for Reason {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err("`reason` is empty; write why the severity is different");
        }
        Ok(Self(text.to_owned()))
    }
}
