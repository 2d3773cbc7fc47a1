//! Rules for values that reach a command line, a container's shell or YAML.
//!
//! No value looks like an option or contains characters that a shell, a list or YAML interprets.

use serde::de::{Deserialize, Deserializer, Error};

/// The form of a value.
pub(crate) struct Rule {
    /// Name of the value in messages.
    what: &'static str,
    /// Allowed first characters besides letters and digits.
    first: &'static str,
    /// Allowed other characters besides letters and digits.
    more: &'static str,
}

/// A builder of buildx.
pub(crate) const BUILDER: Rule = Rule { what: "builder", first: "", more: "._-" };
/// The label of a hosted runner.
pub(crate) const LABEL: Rule = Rule { what: "runner's label", first: "", more: "._-" };
/// An image reference or a repository of a registry.
pub(crate) const IMAGE: Rule = Rule { what: "image reference", first: "", more: "._-/:@" };
/// A requirements file below the workspace, used in a `COPY` and in a container's shell.
pub(crate) const FILE: Rule = Rule { what: "file for `requirements`", first: "", more: "._-/" };
/// A recipe of a justfile.
pub(crate) const RECIPE: Rule = Rule { what: "just recipe", first: "_", more: "_-:" };
/// A distribution's package, possibly with a version, architecture or capability.
pub(crate) const PACKAGE: Rule =
    Rule { what: "system package", first: "@/", more: "._+-:=~^<>@/()" };
/// A project of the Python index.
pub(crate) const PROJECT: Rule = Rule { what: "project name", first: "", more: "._-" };
/// A Python module.
pub(crate) const MODULE: Rule = Rule { what: "Python module", first: "_", more: "_." };
/// A date, a time (RFC 3339) or a release of a distribution.
pub(crate) const SNAPSHOT: Rule = Rule { what: "date or release", first: "", more: "._:-" };
/// A suite or a component of a distribution.
pub(crate) const SUITE: Rule = Rule { what: "suite or component", first: "", more: "._-/" };

/// A shared library's name, or a pattern of names.
pub(crate) const LIBRARY: Rule = Rule { what: "name of a library", first: "_*", more: "._+-?[]" };

impl Rule {
    /// Checks `text` against the rule.
    ///
    /// # Errors
    /// If the text breaks the rule; the message describes the allowed form.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        let is = |extra: &str, c: char| c.is_alphanumeric() || extra.contains(c);
        if text.starts_with(|c| is(self.first, c))
            && text.chars().all(|c| is(self.more, c) || is(self.first, c))
        {
            return Ok(());
        }
        let more: Vec<_> = self.more.chars().map(|c| format!("`{c}`")).collect();
        Err(format!(
            "`{}` is not a valid {}: use a letter or digit, then letters, digits and {}",
            text.escape_default(),
            self.what,
            more.join(" ")
        ))
    }
}

/// Checks an argument that follows a command's own options: it is one line and does not look like an option.
///
/// # Errors
/// If the value is invalid.
pub(crate) fn check_value(text: &str) -> Result<(), String> {
    if text.trim_start().is_empty()
        || text.trim_start().starts_with('-')
        || text.contains(char::is_control)
    {
        return Err(format!(
            "`{}` is empty, begins with `-`, or holds a control character",
            text.escape_default()
        ));
    }
    Ok(())
}

/// Checks a file or folder of the source: a relative path that stays in it.
///
/// # Errors
/// If the path is invalid.
pub(crate) fn check_source_path(text: &str) -> Result<(), String> {
    check_value(text)?;
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(format!(
            "`{text}` is outside the source; write a path relative to the source, without `..`"
        ));
    }
    Ok(())
}

/// Checks a command that runs without a shell: outside quotes, no word is a shell operator.
///
/// # Errors
/// If a word is a shell operator.
pub(crate) fn check_command(text: &str) -> Result<(), String> {
    const OPERATORS: [&str; 9] = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"];
    check_value(text)?;
    if text.contains(['"', '\'', '\\']) {
        return Ok(());
    }
    let operator = text.split_whitespace().find(|word| OPERATORS.contains(word));
    operator.map_or(Ok(()), |operator| {
        Err(format!("`{operator}` in `{text}` would be a plain argument, because no shell runs the command: write `sh -c '...'`"))
    })
}

/// The fields of a cron expression: the range of numbers, and the names for them.
const CRON: [(std::ops::RangeInclusive<u8>, &[&str]); 5] = [
    (0..=59, &[]),
    (0..=23, &[]),
    (1..=31, &[]),
    (1..=12, &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]),
    (0..=6, &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
];

/// Checks a cron expression of five fields for GitHub. An invalid one invalidates the whole workflow.
///
/// # Errors
/// If the expression is invalid.
pub(crate) fn check_schedule(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split(' ').collect();
    if fields.len() != CRON.len() {
        return Err(format!(
            "`{text}` is not a cron expression: write five fields, such as `17 3 * * 1`"
        ));
    }
    for (field, (numbers, names)) in fields.iter().zip(CRON) {
        let is_value = |text: &str| value_of(text, &numbers, names).is_some();
        let is_range = |text: &str| match text.split_once('-') {
            Some((first, last)) => {
                is_value(last)
                    && value_of(first, &numbers, names) <= value_of(last, &numbers, names)
                    && is_value(first)
            }
            None => text == "*" || is_value(text),
        };
        let is_part = |part: &str| match part.split_once('/') {
            Some((range, step)) => is_range(range) && value_of(step, &(1..=59), &[]).is_some(),
            None => is_range(part),
        };
        if !field.split(',').all(is_part) {
            let (first, last) = (numbers.start(), numbers.end());
            return Err(format!(
                "`{text}` is not a cron expression: `{field}` must be `*` or from {first} to {last}, as in `17 3 * * 1`"
            ));
        }
    }
    Ok(())
}

/// The number that `text` represents.
fn value_of(text: &str, numbers: &std::ops::RangeInclusive<u8>, names: &[&str]) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|number| numbers.contains(number));
    }
    let at = names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
    u8::try_from(at).ok().map(|at| at + numbers.start())
}

/// Checks a registry repository, possibly with a tag: no URL, no digest, and a lower-case path.
///
/// # Errors
/// If the repository is invalid.
pub(crate) fn check_repository(text: &str) -> Result<(), String> {
    IMAGE.check(text)?;
    let path = text.split_once('/').map_or(text, |(_, path)| path);
    let path = path.rsplit_once(':').map_or(path, |(path, _)| path);
    let is_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    if path.chars().all(is_path) && text.split('/').all(|part| !part.is_empty()) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a valid registry repository: use lower case, without `https://` and `@`, such as \
         `registry.example/owner/wheels-cache`"
    ))
}

/// Checks the URL of a package snapshot.
///
/// # Errors
/// If the URL is invalid.
pub(crate) fn check_snapshot_url(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?&=%+@{}$".contains(c);
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if is_web && text.chars().all(is_plain) && text.contains("{time}") {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a URL with `{{time}}`, such as `https://snapshots.example/{{archive}}/{{time}}/`"
    ))
}

/// Checks the address or context of an engine: neither it nor its host looks like an option.
///
/// # Errors
/// If the address is invalid.
pub(crate) fn check_engine(text: &str) -> Result<(), String> {
    check_value(text)?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if text.contains(char::is_whitespace) || rest.starts_with('-') || host.starts_with('-') {
        return Err(format!("`{text}` is not a valid engine: no host or user begins with `-`"));
    }
    Ok(())
}

/// All strings in a value of the configuration.
pub(super) trait Strings {
    /// Applies `check` to each string until one fails.
    fn each(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), String>;
}

impl Strings for String {
    fn each(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), String> {
        check(self)
    }
}

impl Strings for camino::Utf8PathBuf {
    fn each(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), String> {
        check(self.as_str())
    }
}

impl<T: Strings> Strings for Option<T> {
    fn each(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), String> {
        self.as_ref().map_or(Ok(()), |it| it.each(check))
    }
}

impl<T: Strings> Strings for Vec<T> {
    fn each(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), String> {
        self.iter().try_for_each(|it| it.each(check))
    }
}

impl<K, T: Strings> Strings for std::collections::BTreeMap<K, T> {
    fn each(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), String> {
        self.values().try_for_each(|it| it.each(check))
    }
}

/// Functions for `deserialize_with`, so that an error has the line and column of the value.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $check:expr;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name<'de, D, T>(deserializer: D) -> Result<T, D::Error>
        where
            D: Deserializer<'de>,
            T: Deserialize<'de> + Strings,
        {
            let value = T::deserialize(deserializer)?;
            value.each(&$check).map_err(D::Error::custom)?;
            Ok(value)
        }
    )*};
}

readers! {
    /// [`BUILDER`].
    builder: |text| BUILDER.check(text);
    /// [`LABEL`].
    label: |text| LABEL.check(text);
    /// [`IMAGE`].
    image: |text| IMAGE.check(text);
    /// [`FILE`].
    file: |text| FILE.check(text);
    /// [`RECIPE`].
    recipe: |text| RECIPE.check(text);
    /// [`PACKAGE`].
    package: |text| PACKAGE.check(text);
    /// [`PROJECT`].
    project: |text| PROJECT.check(text);
    /// [`MODULE`].
    module: |text| MODULE.check(text);
    /// [`LIBRARY`].
    library: |text| LIBRARY.check(text);
    /// [`SUITE`].
    suite: |text| SUITE.check(text);
    /// [`check_value`].
    value: check_value;
    /// [`check_source_path`].
    source_path: check_source_path;
    /// [`check_command`].
    command: check_command;
    /// [`check_schedule`].
    schedule: check_schedule;
    /// [`check_repository`].
    repository: check_repository;
    /// [`check_engine`].
    engine: check_engine;
}

#[cfg(test)]
mod tests {
    use super::{check_repository, check_schedule};

    #[test]
    fn a_schedule_has_five_fields_within_their_ranges() {
        for good in ["17 3 * * 1", "*/15 0-6,22 1 JAN MON", "0 0 1-31/2 1,dec SUN-SAT"] {
            assert_eq!(check_schedule(good), Ok(()), "{good}");
        }
        let fields = ["", "17 3 * *", "17 3 * * 1 1", "17  3 * * 1", "@weekly"];
        let ranges =
            ["60 3 * * 1", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 7", "0 6-2 * * *"];
        let words = [
            "17 3 * * \"",
            "1 1 1 1 1\n",
            "a * * * *",
            "*/0 * * * *",
            "1- * * * *",
            "1,,2 * * * *",
        ];
        for bad in fields.iter().chain(&ranges).chain(&words) {
            assert!(check_schedule(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_repository_is_valid_in_a_registry() {
        for good in
            ["registry.example/owner/cache", "localhost:5000/a", "owner/cache", "r.example/c:Main"]
        {
            assert_eq!(check_repository(good), Ok(()), "{good}");
        }
        for bad in [
            "https://r.example/a",
            "r.example/Owner/a",
            "r.example/a@sha256:1",
            "r.example//a",
            "a/",
            "",
        ] {
            assert!(check_repository(bad).is_err(), "{bad}");
        }
    }
}
