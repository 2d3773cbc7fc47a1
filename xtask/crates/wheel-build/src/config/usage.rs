//! Examples of keys for hints, from `data/example*.toml`, which contain every key.

use std::sync::LazyLock;

use serde::Serialize;
use toml::Value;

use super::Family;

/// Complete configurations. Together they contain every key.
pub const TEXTS: [&str; 2] =
    [include_str!("data/example.toml"), include_str!("data/example-rpm.toml")];

/// The examples in order of preference.
pub(super) static EXAMPLES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    // A test parses these embedded files.
    TEXTS.iter().filter_map(|text| toml::from_str(text).ok()).map(Value::Table).collect()
});

/// A hint with an example of the key at `path`. For `build.system_packages`:
/// `` write `system_packages = { apt = ["libffi-dev"] }` ``.
pub(super) fn usage(path: &[String]) -> Option<String> {
    let examples = || EXAMPLES.iter();
    let exact = examples().find_map(|example| find(example, path, Vec::new(), false));
    let (names, value) =
        exact.or_else(|| examples().find_map(|example| find(example, path, Vec::new(), true)))?;
    let below = |value: &Value| {
        let (key, value) = value.as_table()?.iter().next()?;
        Some(format!("with keys such as `{}`", assignment(key, value)))
    };
    let heading = names.join(".");
    match value {
        Value::Array(list) if list.first().is_some_and(Value::is_table) => {
            Some(format!("write a table `[[{heading}]]` {}", below(list.first()?)?))
        }
        Value::Table(_) if names.len() == 1 => {
            Some(format!("write a table `[{heading}]` {}", below(value)?))
        }
        _ => Some(format!("write `{}`", assignment(names.last()?, value))),
    }
}

/// `key = { … }` for a table.
pub(super) fn inline(key: &str, table: &impl Serialize) -> Option<String> {
    Some(assignment(key, &Value::try_from(table).ok()?))
}

/// The example of `bootstrap` for `family`.
pub(super) fn example_of_bootstrap(family: Family) -> Option<String> {
    let targets = EXAMPLES.iter().filter_map(|example| example.get("target")?.as_array());
    let is_of = |target: &&Value| {
        target.get("family").and_then(Value::as_str) == Some(family.to_string().as_str())
    };
    let bootstrap = targets.flatten().filter(is_of).find_map(|target| target.get("bootstrap"));
    Some(assignment("bootstrap", bootstrap?))
}

/// The first key of `value`, at `path`, that is wrongly a table or wrongly not one, with a message. serde would accept
/// a list for the values of a table, and a table for an enum.
pub(super) fn misshapen(path: &[String], value: &Value) -> Option<(Vec<String>, String)> {
    let known = EXAMPLES.iter().find_map(|example| find(example, path, Vec::new(), false))?.1;
    let is_item = path.last().is_some_and(|step| step.starts_with('['))
        || matches!(path, [list, _] if list == "target");
    let expected = if is_item { known.as_array()?.first()? } else { known };
    let below = |step: &str, value: &Value| misshapen(&[path, &[step.to_owned()]].concat(), value);
    match (expected, value) {
        (Value::Table(_), Value::Table(found)) => {
            found.iter().find_map(|(name, value)| below(name, value))
        }
        (Value::Array(_), Value::Array(found)) => {
            found.iter().enumerate().find_map(|(at, item)| {
                let name = item.get("name").and_then(Value::as_str).filter(|_| path == ["target"]);
                below(name.unwrap_or(&format!("[{at}]")), item)
            })
        }
        (Value::Table(_), _) | (_, Value::Table(_)) => {
            let message = format!("expected {}, found {}", shape(expected), shape(value));
            Some((path.to_vec(), message))
        }
        _ => None,
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Table(_) => "a table",
        Value::Array(list) if list.first().is_some_and(Value::is_table) => "a list of tables",
        Value::Array(_) => "a list",
        Value::String(_) => "a string",
        Value::Boolean(_) => "true or false",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Datetime(_) => "a date",
    }
}

/// The value at `path` and the names on the path. A list item counts as its list. With `any_name`, any name in a
/// table matches, because users choose the names in `env`.
fn find<'a>(
    value: &'a Value,
    path: &[String],
    mut names: Vec<&'a str>,
    any_name: bool,
) -> Option<(Vec<&'a str>, &'a Value)> {
    let Some((step, rest)) = path.split_first() else { return Some((names, value)) };
    match value {
        Value::Table(table) => {
            let other = || table.iter().next().filter(|_| any_name);
            let (name, value) = table.get_key_value(step).or_else(other)?;
            names.push(name);
            find(value, rest, names, any_name)
        }
        Value::Array(list) if !rest.is_empty() => {
            list.iter().find_map(|item| find(item, rest, names.clone(), any_name))
        }
        _ => Some((names, value)),
    }
}

fn assignment(key: &str, value: &Value) -> String {
    let bare = key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    format!("{key} = {value}")
}
