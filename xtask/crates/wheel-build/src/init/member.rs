//! The repository's own workspace, which `xtask/` joins with `--member`: pure.

use anyhow::Context as _;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::tool::VENDOR;

const PLAIN: &str = "xtask";
/// The same folder as a pattern: below a member that is named as it is, cargo excludes nothing.
const PATTERN: &str = "xtas[k]";

/// `text`, the manifest of a workspace, with the member `xtask` and what was added. With `is_copied`, cargo does not
/// take the copy of the tool for a member: it is a workspace of its own.
///
/// # Errors
/// When it is no such manifest.
pub(super) fn join(text: &str, is_copied: bool) -> anyhow::Result<(String, Vec<String>)> {
    let mut manifest: DocumentMut = text.parse()?;
    let workspace = manifest.entry("workspace").or_insert(Item::Table(Table::new()));
    let workspace = workspace.as_table_like_mut().context("`workspace` is no table")?;
    let mut lines = Vec::new();
    let mut add = |key: &str, path: &str, other: &str| -> anyhow::Result<()> {
        let list = workspace.entry(key).or_insert(value(Array::new()));
        let list = list.as_array_mut().with_context(|| format!("`workspace.{key}` is no list"))?;
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
