//! Which words may end on a command line, in a shell of a container, or in YAML.
//!
//! No word begins like an option, and none holds what a shell, a list or YAML interprets.

use serde::de::{Deserialize, Deserializer, Error};

/// What a word has to look like.
pub(crate) struct Rule {
    /// What it is, for messages.
    what: &'static str,
    /// What it may begin with besides letters and digits.
    first: &'static str,
    /// What may follow besides letters and digits.
    more: &'static str,
}

/// A builder of buildx.
pub(crate) const BUILDER: Rule = Rule { what: "builder", first: "", more: "._-" };
/// The label of a hosted runner.
pub(crate) const LABEL: Rule = Rule { what: "runner's label", first: "", more: "._-" };
/// An image reference or a repository of a registry.
pub(crate) const IMAGE: Rule = Rule { what: "image reference", first: "", more: "._-/:@" };
/// A file of requirements below the workspace, which a `COPY` and a shell of a container name.
pub(crate) const FILE: Rule = Rule { what: "file for `requirements`", first: "", more: "._-/" };
/// A recipe of a justfile.
pub(crate) const RECIPE: Rule = Rule { what: "just recipe", first: "_", more: "_-:" };
/// A package of a distribution, perhaps with its version, architecture or capability.
pub(crate) const PACKAGE: Rule =
    Rule { what: "system package", first: "@/", more: "._+-:=~^<>@/()" };
/// A project of the Python index.
pub(crate) const PROJECT: Rule = Rule { what: "project name", first: "", more: "._-" };
/// A Python module.
pub(crate) const MODULE: Rule = Rule { what: "Python module", first: "_", more: "_." };
/// A suite or a component of a distribution.
pub(crate) const SUITE: Rule = Rule { what: "suite or component", first: "", more: "._-/" };

/// A shared library's name, or a pattern of such names.
pub(crate) const LIBRARY: Rule = Rule { what: "name of a library", first: "_*", more: "._+-?[]" };

impl Rule {
    /// `text`, if it follows the rule.
    ///
    /// # Errors
    /// What the rule allows.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        let is = |extra: &str, c: char| c.is_alphanumeric() || extra.contains(c);
        if text.starts_with(|c| is(self.first, c))
            && text.chars().all(|c| is(self.more, c) || is(self.first, c))
        {
            return Ok(());
        }
        let more: Vec<_> = self.more.chars().map(|c| format!("`{c}`")).collect();
        Err(format!(
            "`{}` is no {}: it begins with a letter or digit, and holds letters, digits and {}",
            text.escape_default(),
            self.what,
            more.join(" ")
        ))
    }
}

/// A value that follows a command's own options: it does not begin like one, and is one line.
///
/// # Errors
/// Why it is none.
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

/// A file or folder of the source: a relative path that stays in it.
///
/// # Errors
/// Why it is none.
pub(crate) fn check_source_path(text: &str) -> Result<(), String> {
    check_value(text)?;
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(format!(
            "`{text}` is outside of the source: write a path relative to it, without `..`"
        ));
    }
    Ok(())
}

/// A command that no shell reads: without quotes, no word is an operator of a shell.
///
/// # Errors
/// Why it is none.
pub(crate) fn check_command(text: &str) -> Result<(), String> {
    const OPERATORS: [&str; 9] = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"];
    check_value(text)?;
    if text.contains(['"', '\'', '\\']) {
        return Ok(());
    }
    let operator = text.split_whitespace().find(|word| OPERATORS.contains(word));
    operator.map_or(Ok(()), |operator| {
        Err(format!("no shell reads `{text}`, so that `{operator}` would be an argument: write `sh -c '...'`"))
    })
}

/// A cron expression of five fields.
///
/// # Errors
/// Why it is none.
pub(crate) fn check_schedule(text: &str) -> Result<(), String> {
    let is_field =
        |field: &str| field.chars().all(|c| c.is_ascii_alphanumeric() || "*,/-".contains(c));
    let fields: Vec<&str> = text.split(' ').collect();
    if fields.len() == 5 && fields.iter().all(|field| !field.is_empty() && is_field(field)) {
        return Ok(());
    }
    Err(format!("`{text}` is no cron expression: write five fields, such as `17 3 * * 1`"))
}

/// The address or context of an engine: neither it nor the host in it begins like an option.
///
/// # Errors
/// Why it is none.
pub(crate) fn check_engine(text: &str) -> Result<(), String> {
    check_value(text)?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if text.contains(char::is_whitespace) || rest.starts_with('-') || host.starts_with('-') {
        return Err(format!("`{text}` names no engine: a host or user does not begin with `-`"));
    }
    Ok(())
}

/// Every string in a value of the configuration.
pub(super) trait Strings {
    /// Applies `check` to each until one fails.
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

/// Functions for `deserialize_with`, so that an error has the value's line and column.
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
    /// [`check_engine`].
    engine: check_engine;
}

#[cfg(test)]
mod tests {
    use super::check_schedule;

    #[test]
    fn a_schedule_has_five_fields_and_nothing_that_ends_a_string() {
        for good in ["17 3 * * 1", "*/15 0-6,22 1 JAN MON"] {
            assert_eq!(check_schedule(good), Ok(()), "{good}");
        }
        for bad in
            ["", "17 3 * *", "17 3 * * 1 1", "17  3 * * 1", "17 3 * * \"", "@weekly", "1 1 1 1 1\n"]
        {
            assert!(check_schedule(bad).is_err(), "{bad:?}");
        }
    }
}
