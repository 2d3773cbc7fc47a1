//! Reads the configuration: TOML to validated values, with the place of each error.

use camino::Utf8Path;
use toml::{Table, Value};

use super::error::ConfigError;
use super::place::File;
use super::text::Text;
use super::validate::validated;
use super::{Config, ConfigFile};

/// Reads `file` in `root` and applies this machine's overrides, if there are any.
///
/// # Errors
/// [`ConfigError`], which names the file, the line, the column and the key.
pub(crate) fn load(root: &Utf8Path, file: &ConfigFile) -> Result<Config, ConfigError> {
    let (main, local) = (file.name(), file.local_name());
    let text = fs_err::read_to_string(root.join(&main))?;
    // The main file must be valid on its own, so that its errors carry its own lines.
    let config = parse(Utf8Path::new(&main), &text)?;
    let path = root.join(&local);
    if !path.exists() {
        return Ok(config);
    }
    let local_text = fs_err::read_to_string(&path)?;
    overlay([(&main, &text), (&local, &local_text)])
}

/// Reads `file` without this machine's overrides.
///
/// # Errors
/// Like [`load`].
pub(crate) fn load_committed(root: &Utf8Path, file: &ConfigFile) -> Result<Config, ConfigError> {
    let name = file.name();
    let text = fs_err::read_to_string(root.join(&name))?;
    parse(Utf8Path::new(&name), &text)
}

/// Parses and validates one configuration text. Errors use `file` as its name.
pub(crate) fn parse(file: &Utf8Path, text: &str) -> Result<Config, ConfigError> {
    let file = File { name: file.as_str(), text };
    read(text, vec![file])
}

/// Parses and validates a configuration that no build uses: an example of the documentation.
///
/// # Errors
/// If the text is not valid TOML, or not a valid configuration.
pub fn check_text(file: &str, text: &str) -> anyhow::Result<()> {
    parse(Utf8Path::new(file), text)?;
    Ok(())
}

fn read(text: &str, files: Vec<File<'_>>) -> Result<Config, ConfigError> {
    let source = Text::new(text, files);
    if let Ok(table) = toml::from_str(text) {
        source.check_shapes(table)?;
    }
    let raw = toml::from_str(text).map_err(|error| source.toml_error(&error))?;
    validated(&source, raw)
}

/// Merges the second file into the first, table by table. `[[target]]` entries match by name. Each file is its name and
/// its text.
fn overlay(files: [(&str, &str); 2]) -> Result<Config, ConfigError> {
    let files = files.map(|(name, text)| File { name, text });
    let table = |file: File<'_>| -> Result<Table, ConfigError> {
        let alone = |error| Text::new(file.text, vec![file]).toml_error(&error);
        toml::from_str(file.text).map_err(alone)
    };
    let [mut merged, over] = [table(files[0])?, table(files[1])?];
    let mut overrides = Vec::new();
    merge(&mut merged, over, "", &mut overrides);
    let text = toml::to_string(&merged).unwrap_or_default();
    let mut config = read(&text, files.to_vec())?;
    config.overrides = overrides;
    Ok(config)
}

fn merge(into: &mut Table, over: Table, at: &str, overrides: &mut Vec<String>) {
    for (key, value) in over {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match (into.get_mut(&key), value) {
            // Keys of both kinds of source would contradict, so one replaces the other.
            (Some(Value::Table(below)), Value::Table(value)) if path != "source" => {
                merge(below, value, &path, overrides);
            }
            (Some(Value::Array(below)), Value::Array(value)) if path == "target" => {
                merge_targets(below, value, overrides);
            }
            (_, value) => {
                into.insert(key, value);
                overrides.push(path);
            }
        }
    }
}

fn merge_targets(into: &mut Vec<Value>, over: Vec<Value>, overrides: &mut Vec<String>) {
    for value in over {
        let name = value.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
        let path = format!("target.{name}");
        let same = |v: &&mut Value| v.get("name").and_then(Value::as_str) == Some(name.as_str());
        match (into.iter_mut().find(same), value) {
            (Some(Value::Table(below)), Value::Table(mut value)) => {
                value.remove("name");
                merge(below, value, &path, overrides);
            }
            (_, value) => {
                into.push(value);
                overrides.push(path);
            }
        }
    }
}
