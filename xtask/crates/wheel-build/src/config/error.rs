//! Errors of the configuration: file, line, column, key, and the nearest valid word.

use std::fmt;
use std::io::ErrorKind;

use wheel_audit::UserError;

use super::place::Place;
use super::{Platform, interpreters};

/// Why the configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is missing or cannot be read.
    #[error("{0}")]
    Read(#[source] UserError),
    /// TOML, a key or a value is wrong.
    #[error(transparent)]
    Invalid(Box<Invalid>),
}

impl From<std::io::Error> for ConfigError {
    fn from(error: std::io::Error) -> Self {
        let hint = match error.kind() {
            ErrorKind::NotFound => {
                Some("run `cargo xtask init PATH` in a clone of the tool to write wheels.toml")
            }
            ErrorKind::InvalidData => Some("save the file as UTF-8"),
            _ => None,
        };
        Self::Read(UserError { message: error.to_string(), hint: hint.map(str::to_owned) })
    }
}

/// An invalid key or value.
#[derive(Debug)]
pub(crate) struct Invalid {
    pub(super) place: Place,
    /// The key as a dotted path; empty if the text is not valid TOML.
    pub(super) key: String,
    /// The message, with a hint.
    pub(super) error: UserError,
}

impl std::error::Error for Invalid {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Invalid {
    /// An error with the hint `did you mean ...?` if there is a suggestion, otherwise with `hint`.
    pub(super) fn new(
        place: Place,
        key: String,
        message: String,
        suggestion: Option<String>,
        hint: Option<String>,
    ) -> Box<Self> {
        let did_you_mean = suggestion.map(|word| format!("did you mean `{word}`?"));
        let error = UserError { message, hint: did_you_mean.or(hint) };
        Box::new(Self { place, key, error })
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, excerpt } = &self.place;
        write!(f, "`{file}`, line {line}, column {column}: ")?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "{}\n\n{excerpt}", self.error)
    }
}

/// A dotted path. Names that TOML quotes are in quotes, and items of lists in brackets.
pub(super) fn dotted(path: &[String]) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let name = |name: &str| {
        let needs_quotes = name.is_empty() || !name.chars().all(is_bare);
        if needs_quotes { format!("{name:?}") } else { name.to_owned() }
    };
    let mut text = String::new();
    for each in path {
        if each.starts_with('[') {
            text.push_str(each);
        } else {
            text.push_str(if text.is_empty() { "" } else { "." });
            text.push_str(&name(each));
        }
    }
    text
}

/// The words in backquotes of `text`.
pub(super) fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The word of `known` that `word` is a likely misspelling of.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let distance = |known: &&str| strsim::damerau_levenshtein(&plain(word), &plain(known));
    let near = known.into_iter().min_by_key(distance)?;
    let (distance, length) = (distance(&near), word.chars().count());
    // Two edits of three letters leave another word.
    let is_near = distance <= 1 + length / 3 && distance * 2 <= length.max(near.chars().count());
    is_near.then_some(near)
}

/// The likely meaning of `word`, a value or name at `path`, for types whose words serde does not list.
pub(super) fn suggested(path: &[String], word: &str) -> Option<String> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["build", "pythons", ..] | ["target", _, "pythons", ..] => interpreters::suggestion(word),
        ["target", _, "platforms" | "digest", ..]
        | ["ci", "emulate" | "runners", ..]
        | ["engine", "hosts", ..] => {
            let arch = word.strip_prefix("linux/").unwrap_or(word);
            Platform::suggestion(arch).map(|platform| platform.to_string())
        }
        ["check", "isa", ..] => {
            Platform::suggestion(word).map(|platform| platform.engine_arch().to_owned())
        }
        _ => None,
    }
}
