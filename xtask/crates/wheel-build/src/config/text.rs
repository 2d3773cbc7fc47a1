//! Errors with file, line, column and key, from places in a text of the configuration.

use std::ops::Range;

use super::error::{ConfigError, Invalid, dotted, nearest, quoted, suggested};
use super::place::{Document, File, Place, place};
use super::usage::{misshapen, usage};

/// A text of the configuration, and the files for its errors.
pub(super) struct Text<'a> {
    document: Document<'a>,
    files: Vec<File<'a>>,
}

impl<'a> Text<'a> {
    /// `text`, made of `files`.
    pub(super) fn new(text: &'a str, files: Vec<File<'a>>) -> Self {
        Self { document: Document::new(text, &files), files }
    }

    /// The key at `span`.
    pub(super) fn path(&self, span: Range<usize>) -> Vec<String> {
        self.document.path(span, None)
    }

    /// An error at `span`, or at the key `below` it.
    pub(super) fn at(&self, span: Range<usize>, below: &[&str], message: String) -> ConfigError {
        let mut path = self.path(span);
        path.extend(below.iter().map(|&name| name.to_owned()));
        self.invalid(&path, false, message, None, None)
    }

    /// File and line of `span`, for messages.
    pub(super) fn place_of(&self, span: Range<usize>) -> String {
        let Place { file, line, .. } = self.place(&self.path(span), false);
        format!("`{file}`, line {line}")
    }

    /// File, line and name of the key at `path`, for messages; `None` if the key is absent.
    pub(super) fn mention(&self, path: &[String]) -> Option<String> {
        if !self.document.has(path) {
            return None;
        }
        let Place { file, line, .. } = self.place(path, true);
        Some(format!("`{file}`, line {line}: `{}`", dotted(path)))
    }

    fn place(&self, path: &[String], is_key: bool) -> Place {
        let top = || self.files.last().map(|file| place(*file, &(0..0)));
        let nowhere = || Place { file: String::new(), line: 1, column: 1, excerpt: String::new() };
        self.document.place(path, is_key).or_else(top).unwrap_or_else(nowhere)
    }

    /// An error at the value of `path`, or at its name if `is_key`.
    pub(super) fn invalid(
        &self,
        path: &[String],
        is_key: bool,
        message: String,
        suggestion: Option<String>,
        hint: Option<String>,
    ) -> ConfigError {
        let (place, key) = (self.place(path, is_key), dotted(path));
        ConfigError::Invalid(Invalid::new(place, key, message, suggestion, hint))
    }

    /// Reports a table where another type is expected, or the reverse.
    pub(super) fn check_shapes(&self, table: toml::Table) -> Result<(), ConfigError> {
        let Some((path, message)) = misshapen(&[], &toml::Value::Table(table)) else {
            return Ok(());
        };
        let hint = usage(&path);
        Err(self.invalid(&path, false, message, None, hint))
    }

    /// Converts an error of the TOML parser.
    pub(super) fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        let (span, text) = (error.span().unwrap_or_default(), error.message());
        let first = || quoted(text).first().copied();
        // A key may contain backquotes.
        let (word, expected) = text.split_once("`, expected ").map_or((first(), ""), |parts| {
            (parts.0.split_once('`').map(|(_, word)| word), parts.1)
        });
        let (word, words) = (word.unwrap_or_default(), quoted(expected));
        let known = || words.iter().copied();
        let near = || nearest(word, known()).map(str::to_owned);
        let list = |what: &str| {
            let known = known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            (!known.is_empty()).then(|| format!("valid {what}: {known}"))
        };
        let path = self.document.path(span.clone(), Some(word));
        if path.is_empty()
            && let [file] = self.files.as_slice()
            && !text.starts_with("missing field")
        {
            // The text is not valid TOML, so there are no keys.
            let (place, message) = (place(*file, &span), text.to_owned());
            let above = "the file has this table or key above: add your keys there";
            let hint = text.starts_with("duplicate key").then(|| above.to_owned());
            let (key, suggestion) = (String::new(), None);
            return ConfigError::Invalid(Invalid::new(place, key, message, suggestion, hint));
        }
        if let Some(hint) = moved(&path).filter(|_| text.starts_with("unknown field")) {
            let message = "the key has moved".to_owned();
            return self.invalid(&path, true, message, None, Some(hint.to_owned()));
        }
        if text.starts_with("unknown field") {
            return self.invalid(&path, true, "unknown key".to_owned(), near(), list("keys"));
        }
        if text.starts_with("unknown variant") {
            let message = format!("unknown value `{word}`");
            return self.invalid(&path, false, message, near(), list("values"));
        }
        if text.starts_with("missing field") {
            let path = [path.as_slice(), &[word.to_owned()]].concat();
            return self.invalid(&path, true, "missing key".to_owned(), None, None);
        }
        // Errors of our own types.
        let (text, listed) = text.split_once(": use one of ").unwrap_or((text, ""));
        let message = text.split(": did you mean").next().unwrap_or(text);
        let message =
            message.replace("type: sequence", "type: list").replace("a sequence", "a list");
        let names = listed.split(", ");
        let near = suggested(&path, word).or_else(|| Some(nearest(word, names)?.to_owned()));
        let hint = (!listed.is_empty()).then(|| format!("use one of {listed}"));
        let hint = hint.or_else(|| is_wrong_type(text).then(|| usage(&path))?);
        let is_key = path.last().is_some_and(|name| name == word);
        self.invalid(
            &path,
            is_key,
            message,
            near.filter(|near| !near.is_empty() && near != word),
            hint,
        )
    }
}

/// Returns whether serde or one of our types expected a value of another type.
fn is_wrong_type(error: &str) -> bool {
    error.starts_with("invalid type: ")
        || error.starts_with("expected ")
        || error.starts_with("wanted ")
}

/// The hint for a key of an earlier version.
fn moved(path: &[String]) -> Option<&'static str> {
    let [table, key] = path else { return None };
    matches!((table.as_str(), key.as_str()), ("check", "smoke_without")).then_some(
        "write `[test] ignore-requirements = [\"cffi\"]`; for some interpreters only, write it in \
         `[[override]]` with `select = \"pp311-*\"` and `test.ignore-requirements = [\"cffi\"]`",
    )
}
