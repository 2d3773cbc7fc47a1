//! The documentation of each rule, for `rules CODE`, `docs/checks.md` and the SARIF report.
//!
//! The texts are data files, one per family (`data/*.toml`). They decide no verdict, so they are outside
//! the folders that the version of the rules covers: a changed text does not start new audits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::UserError;
use crate::audit::{FAMILY, Rule, Severity, rules};

/// A family of rules.
pub(crate) struct Family {
    /// The prefix of its codes.
    pub(crate) code: &'static str,
    /// The topic of its rules.
    pub(crate) title: &'static str,
    /// The documentation of its rules, as TOML.
    source: &'static str,
}

macro_rules! families {
    ($($code:literal $file:literal $title:literal;)*) => {
        [$(Family { code: $code, title: $title, source: include_str!(concat!("data/", $file)) }),*]
    };
}

pub(crate) static FAMILIES: [Family; 9] = families! {
    "ARC" "arc.toml" "Archive";
    "REC" "rec.toml" "RECORD";
    "MET" "met.toml" "Metadata and contents";
    "TAG" "tag.toml" "Tags";
    "ABI" "abi.toml" "Python ABI";
    "ELF" "elf.toml" "ELF files and the loader";
    "ISA" "isa.toml" "Instruction set";
    "SET" "set.toml" "Several wheels together";
    "DST" "dst.toml" "Files of `dist/`";
};

/// The documentation of a rule. All texts are inline Markdown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDoc {
    /// The fault of a wheel that breaks the rule.
    pub meaning: String,
    /// The effect on users of the wheel.
    pub why: String,
    /// Conditions that change the severity: an option, a key of `wheels.toml`, the kind of file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends: Option<String>,
    /// The message of a finding.
    pub example: String,
    /// How to fix the wheel.
    pub fix: String,
    /// Specifications, source files and reports that the rule follows.
    pub sources: Vec<String>,
}

impl RuleDoc {
    /// The documentation of the rule `code`. A test ensures that every rule has one.
    pub(crate) fn of(code: &str) -> Option<&'static Self> {
        // A report needs the texts of many rules, and parsing takes longer than the audit of a small wheel.
        static ALL: LazyLock<BTreeMap<String, RuleDoc>> =
            LazyLock::new(|| FAMILIES.iter().flat_map(Family::docs).collect());
        ALL.get(code)
    }

    /// Replaces line breaks with spaces.
    fn joined(self) -> Self {
        let join = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            meaning: join(self.meaning),
            why: join(self.why),
            depends: self.depends.map(join),
            example: join(self.example),
            fix: join(self.fix),
            sources: self.sources.into_iter().map(join).collect(),
        }
    }
}

impl Family {
    /// The documentation of the family's rules by code.
    #[expect(clippy::expect_used, reason = "the files are compiled in, and a test reads them")]
    fn docs(&self) -> BTreeMap<String, RuleDoc> {
        let docs: BTreeMap<String, RuleDoc> =
            toml::from_str(self.source).expect("the texts of the rules are well-formed");
        docs.into_iter().map(|(code, doc)| (code, doc.joined())).collect()
    }
}

/// A rule with its documentation, as `rules --json` prints it.
#[derive(Debug, Serialize)]
pub struct Documented {
    /// The rule.
    #[serde(flatten)]
    pub rule: &'static Rule,
    /// Its documentation.
    #[serde(flatten)]
    pub doc: Option<&'static RuleDoc>,
}

/// Every rule with its documentation, sorted by family (in the order of the report) and code.
pub fn all() -> Vec<Documented> {
    let mut found = Vec::new();
    for family in &FAMILIES {
        let mut own: Vec<_> = rules().filter(|rule| rule.code.starts_with(family.code)).collect();
        own.sort_by_key(|rule| rule.code);
        let documented = |rule: &'static Rule| Documented { rule, doc: RuleDoc::of(rule.code) };
        found.extend(own.into_iter().map(documented));
    }
    found
}

/// The rules with the code, name or family `word`, which may be in upper or lower case.
///
/// # Errors
/// If no rule has this code, name or family. The hint contains the nearest one.
pub fn find(word: &str) -> Result<Vec<Documented>, UserError> {
    let wanted = word.to_ascii_lowercase();
    let is_wanted = |rule: &Rule| {
        let family = rule.code.get(..FAMILY).unwrap_or_default();
        [rule.code, rule.name, family].iter().any(|each| each.eq_ignore_ascii_case(&wanted))
    };
    let mut found = all();
    found.retain(|each| is_wanted(each.rule));
    if found.is_empty() {
        let error = UserError::new(format!("unknown rule `{}`", word.escape_debug()));
        let near = nearest(&wanted).map_or_else(String::new, |it| format!("did you mean `{it}`? "));
        Err(error.hint(format!("{near}`rules` lists all rules")))
    } else {
        Ok(found)
    }
}

/// The most similar code, name or family, if at most a third of its letters differ.
fn nearest(wanted: &str) -> Option<&'static str> {
    let families = FAMILIES.iter().map(|family| family.code);
    let words = rules().flat_map(|rule| [rule.code, rule.name]).chain(families);
    let distance = |word: &&str| strsim::damerau_levenshtein(&word.to_ascii_lowercase(), wanted);
    words.min_by_key(distance).filter(|word| distance(word) * 3 <= wanted.len())
}

/// Conditions that change the severity of a rule, apart from `[[check.override]]`.
pub(crate) fn depends(rule: &Rule, doc: Option<&RuleDoc>) -> Option<Cow<'static, str>> {
    let published = "An error with `--publish`, because the package index rejects the file.";
    let own = doc.and_then(|doc| doc.depends.clone());
    match (own, rule.refused_by_index && rule.severity != Severity::Error) {
        (Some(own), true) => Some(format!("{own} {published}").into()),
        (Some(own), false) => Some(own.into()),
        (None, true) => Some(published.into()),
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests;
