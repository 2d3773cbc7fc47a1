//! Fills settings into the template of `wheels.toml`. Pure.

use std::fmt::Write as _;

use toml::Value;

use super::cibuildwheel::{Keys, Translation};

/// `template` with `keys`. A key replaces its example; the others follow at the end of their table.
pub(super) fn keys(template: &str, mut keys: Keys) -> String {
    let (mut text, mut table) = (String::new(), String::new());
    let assignment = |(key, value): (String, Value)| {
        format!("{} = {value}", key.split('.').next_back().unwrap_or_default())
    };
    for line in template.lines().chain([""]) {
        let plain = line.strip_prefix("# ").unwrap_or(line);
        let key = plain.split(" = ").next().unwrap_or_default();
        if let Some(name) = plain.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            let start = format!("{name}.");
            let is_used = keys.keys().any(|key| key.starts_with(&start));
            text += if is_used { plain } else { line };
            table = start;
        } else if let Some(entry) = keys.remove_entry(&format!("{table}{key}")) {
            text += &assignment(entry);
        } else {
            if line.is_empty() && !table.is_empty() {
                let rest: Keys;
                (rest, keys) = keys.into_iter().partition(|(key, _)| key.starts_with(&table));
                text.extend(rest.into_iter().map(|entry| assignment(entry) + "\n"));
            }
            text += line;
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// `text` with the platforms, the override and the remarks of a translation.
pub(super) fn translation(text: &str, new: &Translation) -> String {
    let platforms = format!("\nplatforms = {}\n", Value::from(new.platforms.clone()));
    let mut text = text.replace("\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n", &platforms);
    if !new.untested.is_empty() {
        let select = Value::from(new.untested.clone());
        let _ = write!(text, "\n[[override]]\nselect = {select}\ntest.skip = true\n");
    }
    text.replacen("\n\n", &format!("\n{}\n", remarks(new)), 1)
}

fn remarks(new: &Translation) -> String {
    let mut text = "#\n# `init` translated `[tool.cibuildwheel]` of pyproject.toml".to_owned();
    if new.remarks.is_empty() {
        return text + ".\n";
    }
    text += ", except for the following. `(#section)` is that of\n# docs/migrating-from-cibuildwheel.md in the tool's repository.\n";
    for ((section, reason), options) in &new.remarks {
        let options: Vec<_> = options.iter().map(|it| format!("`{it}`")).collect();
        let line = format!("{}: {reason}", options.join(", ")).replace(char::is_control, " ");
        let _ = writeln!(text, "# - {line} (#{section})");
    }
    text
}
