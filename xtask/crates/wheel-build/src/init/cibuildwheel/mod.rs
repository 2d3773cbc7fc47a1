//! `[tool.cibuildwheel]` of `pyproject.toml` as keys of `wheels.toml`. Pure.

mod select;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use camino::Utf8Path;
use glob::Pattern;
use serde::Deserialize;
use toml::{Table, Value};

use self::values::Form;
pub(super) use self::values::Keys;
use super::project::Project;
use crate::config;

/// How `init` translates each option.
pub const OPTIONS: &str = include_str!("options.toml");
static ROWS: LazyLock<BTreeMap<String, Row>> =
    // The file is compiled in, and a test parses it.
    LazyLock::new(|| toml::from_str(OPTIONS).unwrap_or_default());

/// An option of cibuildwheel.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Row {
    section: String,
    form: Form,
    to: Vec<String>,
    not: String,
}

/// The row of an option. A name in [`OPTIONS`] may be a pattern, and the last one is the narrowest.
fn row(name: &str) -> Option<&'static Row> {
    let matches = |key: &str| Pattern::new(key).is_ok_and(|pattern| pattern.matches(name));
    ROWS.get(name).or_else(|| ROWS.iter().rev().find(|(key, _)| matches(key)).map(|(_, row)| row))
}

/// The options for Linux: label and value.
type Options<'a> = BTreeMap<&'a str, (String, &'a Value)>;

/// The result of a translation.
#[derive(Debug, Default)]
pub(crate) struct Translation {
    /// Keys of `[build]`, `[repair]` and `[test]`.
    pub(super) keys: Keys,
    /// Platforms of the targets.
    pub(super) platforms: Vec<String>,
    /// Builds without tests, as patterns.
    pub(super) untested: Vec<String>,
    /// The options that need a decision, by section of the migration page and reason.
    pub(super) remarks: BTreeMap<(&'static str, String), BTreeSet<String>>,
}

impl Translation {
    /// Translates the table in `pyproject`, if there is one.
    pub(super) fn of(pyproject: &str, project: &Project) -> Option<Self> {
        let file: Table = pyproject.parse().ok()?;
        let all = file.get("tool")?.get("cibuildwheel")?.as_table()?;
        let mut new = Self::default();
        let options = new.options(all);
        for (name, (label, value)) in &options {
            new.translate(name, label, value);
        }
        new.select(&options, project);
        if !new.keys.contains_key("test.command") {
            new.drop_tests(&options);
        }
        if new.keys.contains_key("build.env") && new.keys.keys().any(|it| it.starts_with("test.")) {
            let why = "repeat what the tests need in `[test] env`";
            new.remark("environment", &options["environment"].0, why.to_owned());
        }
        Some(new)
    }

    /// Drops the keys of `[test]`, which have no effect without a command.
    fn drop_tests(&mut self, options: &Options<'_>) {
        let is_test = |key: &String| key.starts_with("test.");
        for (name, (label, _)) in options {
            let mut keys = row(name).into_iter().flat_map(|row| &row.to);
            if keys.any(|key| is_test(key) && self.keys.contains_key(key)) {
                let why = "it has no effect without `test-command`; set `[test] command`, too";
                self.remark(name, label, why.to_owned());
            }
        }
        self.keys.retain(|key, _| !is_test(key));
    }

    /// Adds a remark about the option `name`, which is `label` in `pyproject.toml`.
    fn remark(&mut self, name: &str, label: &str, reason: String) {
        let section = row(name).map_or("which-wheels", |row| &row.section);
        self.remarks.entry((section, reason)).or_default().insert(label.to_owned());
    }

    fn options<'a>(&mut self, all: &'a Table) -> Options<'a> {
        let linux = all.get("linux").and_then(Value::as_table);
        let common = all.iter().filter(|(name, _)| linux.is_none() || *name != "linux");
        let mut options: Options<'a> =
            common.map(|(name, value)| (name.as_str(), (name.clone(), value))).collect();
        for (name, value) in linux.into_iter().flatten() {
            let label = format!("linux.{name}");
            if let Some((old, _)) = options.insert(name, (label.clone(), value)) {
                self.remark(name, &old, format!("`{label}` replaces it"));
            }
        }
        options
    }

    /// Translates an option on its own.
    fn translate(&mut self, name: &str, label: &str, value: &Value) {
        let Some(row) = row(name) else {
            return self.remark(name, label, "cibuildwheel 4.3 has no such option".to_owned());
        };
        let mut left = Vec::new();
        let keys = match row.form {
            Form::Select => return,
            Form::None => Err(row.not.clone()),
            form => form.keys(&row.to[0], value, &mut left),
        };
        match keys.and_then(accepted) {
            Ok(keys) if keys.is_empty() && left.is_empty() && !is_blank(value) => {
                left.push("needs no key: the tool does this by itself".to_owned());
            }
            Ok(keys) => self.keys.extend(keys),
            Err(why) => left.push(why),
        }
        for why in left {
            self.remark(name, label, why);
        }
    }

    /// Translates the options that select builds.
    fn select(&mut self, options: &Options<'_>, project: &Project) {
        let mut left = Vec::new();
        let mut read = |name: &'static str| {
            let patterns = options.get(name).map_or(Ok(Vec::new()), |(_, it)| select::patterns(it));
            patterns.map_err(|why| left.push((name, why))).unwrap_or_default()
        };
        let [archs, build, skip, untested] = ["archs", "build", "skip", "test-skip"].map(&mut read);
        let (arches, platforms) = select::platforms(&archs, &mut left);
        self.platforms = platforms;
        // Without `build` and `skip`, cibuildwheel builds for every interpreter, whatever the classifiers name.
        let mut pythons = select::pythons(&build, &skip, &arches, project, &mut left);
        if !pythons.is_empty() {
            self.keys.insert("build.pythons".to_owned(), pythons.clone().into());
        } else if !build.is_empty() || !skip.is_empty() {
            let option = if skip.is_empty() { "build" } else { "skip" };
            left.push((option, "no interpreter for these targets is left".to_owned()));
            pythons = project.pythons().unwrap_or_default();
        }
        self.untested = select::untested(&untested, &pythons, &arches, &mut left);
        for (name, why) in left {
            self.remark(name, &options[name].0, why);
        }
    }
}

/// Returns whether a value has no content.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim().is_empty(),
        Value::Array(all) => all.iter().all(is_blank),
        Value::Table(all) => all.is_empty(),
        _ => false,
    }
}

/// The keys that are not empty, if the tool's own parser accepts them.
fn accepted(mut keys: Keys) -> Result<Keys, String> {
    keys.retain(|_, value| !["[]", "{}"].contains(&value.to_string().as_str()));
    let mut text = "source.path = '.'\nbuild.pythons = ['cp311']\n".to_owned();
    text.extend(keys.iter().map(|(key, value)| format!("{key} = {value}\n")));
    let parsed = config::parse_text(Utf8Path::new("wheels.toml"), &text);
    let reason = |line: &str| line.split_inclusive(": ").skip(1).collect::<String>();
    parsed.map(|_| keys).map_err(|it| it.to_string().lines().take(1).map(reason).collect())
}
