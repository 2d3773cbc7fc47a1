//! Checks fragments of `wheels.toml` in the documentation with the tool's parser.

use camino::Utf8Path;
use toml::{Table, Value};

use super::Problem;
use super::markdown::{Fence, Page};
use wheel_build::own::{CONFIG_EXAMPLES, check_config};

/// The key of the info string with the file name of other TOML: `toml file=pyproject.toml`.
const FILE: &str = "wheels.toml";

/// The fragments of `page` that the tool rejects.
pub(super) fn problems(path: &Utf8Path, page: &Page) -> Vec<Problem> {
    let fences = page.fences.iter().filter(|fence| fence.language() == "toml");
    let fences = fences.filter(|fence| file(fence) == FILE);
    // The examples of single keys come from files that the tool's own tests read.
    let count = if path == "docs/configuration.md" { 1 } else { usize::MAX };
    let fences = fences.take(count);
    fences
        .filter_map(|fence| Some(Problem::new(path, fence.line, check(&fence.text).err()?)))
        .collect()
}

/// The file that a fragment is from.
fn file(fence: &Fence) -> &str {
    let named = fence.info.split_whitespace().find_map(|word| word.strip_prefix("file="));
    named.unwrap_or(FILE)
}

/// Merges the fragment into each example of a complete configuration. One valid result is enough.
fn check(text: &str) -> Result<(), String> {
    let fragment: Table =
        toml::from_str(text).map_err(|error| format!("no TOML: {}", error.message()))?;
    let mut first = None;
    for base in &CONFIG_EXAMPLES {
        let mut merged: Table = toml::from_str(base).unwrap_or_default();
        merge(&mut merged, fragment.clone());
        let text = toml::to_string(&merged).map_err(|error| error.to_string())?;
        match check_config(FILE, &text) {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(format!("{error:#}"))),
        }
    }
    // The place is in the merged text.
    let first = first.unwrap_or_default();
    let message = first.lines().next().unwrap_or_default().to_owned();
    Err(format!(
        "{message} (TOML of another file: write `toml file=pyproject.toml` behind the fence)"
    ))
}

/// Merges `over` into `base`, key by key. Targets with the same name, or without the required keys, take theirs from the
/// base.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Array(known)), Value::Array(targets)) if key == "target" => {
                for target in targets {
                    add_target(known, target);
                }
            }
            (Some(Value::Table(_)), value @ Value::Table(_))
                if key == "source" && value.get("path").or(value.get("sdist")).is_some() =>
            {
                base.insert(key, value);
            }
            (Some(Value::Table(below)), Value::Table(value)) => merge(below, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn add_target(known: &mut Vec<Value>, target: Value) {
    let name = target.get("name").cloned();
    match (known.iter_mut().find(|it| it.get("name") == name.as_ref()), target) {
        (Some(Value::Table(below)), Value::Table(target)) if target.contains_key("image") => {
            *below = target;
        }
        (Some(Value::Table(below)), Value::Table(target)) => merge(below, target),
        (None, Value::Table(target)) if name.is_none() => {
            if let Some(Value::Table(first)) = known.first_mut() {
                merge(first, target);
            }
        }
        (_, target) => known.push(target),
    }
}
