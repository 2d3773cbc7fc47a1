//! `--member`: adds `xtask/` to the repository's own workspace. Pure.

use anyhow::Context as _;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::tool::VENDOR;

const PLAIN: &str = "xtask";
/// The same folder as a pattern. cargo ignores `exclude` below a member with a literal name.
const PATTERN: &str = "xtas[k]";

/// The workspace manifest `text` with the member `xtask`, and the added entries. With `is_copied`, `exclude` keeps the
/// tool's copy out: it is a workspace of its own.
///
/// # Errors
/// If `text` is not a workspace manifest.
pub(super) fn join(text: &str, is_copied: bool) -> anyhow::Result<(String, Vec<String>)> {
    let mut manifest: DocumentMut = text.parse()?;
    let workspace = manifest.entry("workspace").or_insert(Item::Table(Table::new()));
    let workspace = workspace.as_table_like_mut().context("`[workspace]` is not a table")?;
    let mut lines = Vec::new();
    let mut add = |key: &str, path: &str, other: &str| -> anyhow::Result<()> {
        let list = workspace.entry(key).or_insert(value(Array::new()));
        let list =
            list.as_array_mut().with_context(|| format!("`workspace.{key}` is not a list"))?;
        if !list.iter().any(|each| each.as_str() == Some(path)) {
            list.retain(|each| each.as_str() != Some(other));
            list.push(path);
            lines.push(format!("workspace.{key}: \"{path}\""));
        }
        Ok(())
    };
    if is_copied {
        add("members", PATTERN, PLAIN)?;
        add("exclude", VENDOR, VENDOR)?;
    } else {
        add("members", PLAIN, PATTERN)?;
    }
    Ok((manifest.to_string(), lines))
}
