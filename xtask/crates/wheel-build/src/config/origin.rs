//! Which line of which file a line of the merged configuration comes from: nobody has the merged text.

use camino::Utf8PathBuf;
use toml::de::{DeTable, DeValue};

/// The configuration's file name at the workspace root.
pub(super) const MAIN: &str = "wheels.toml";
/// The file that overrides it on one machine.
pub(super) const LOCAL: &str = "wheels.local.toml";

/// `wheels.toml` with `wheels.local.toml` laid over it.
pub(super) struct Merged<'a> {
    pub(super) main: &'a str,
    pub(super) local: &'a str,
    pub(super) text: &'a str,
}

/// A key as a path of names, and the line that it is on.
type Entry = (Vec<String>, usize);

impl Merged<'_> {
    /// The file and line that have what is on `line` of the merged text: the local file, unless the main
    /// one has more of it.
    pub(super) fn origin(&self, line: usize) -> Option<(Utf8PathBuf, usize)> {
        let merged = entries(self.text);
        let (path, _) = merged
            .iter()
            .filter(|(_, start)| *start <= line)
            .max_by_key(|(path, start)| (*start, path.len()))?;
        let (in_local, in_main) = (find(self.local, path), find(self.main, path));
        let depth = |found: &Option<Entry>| found.as_ref().map_or(0, |(path, _)| path.len());
        let (file, found) =
            if depth(&in_local) >= depth(&in_main) { (LOCAL, in_local) } else { (MAIN, in_main) };
        found.map(|(_, line)| (file.into(), line))
    }
}

/// The longest part of `path` that `text` has.
fn find(text: &str, path: &[String]) -> Option<Entry> {
    let known = entries(text);
    (1..=path.len()).rev().find_map(|length| {
        let part = path.get(..length)?;
        known.iter().find(|(path, _)| path == part).cloned()
    })
}

/// Every key of `text`.
fn entries(text: &str) -> Vec<Entry> {
    let mut all = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        gather(text, table.get_ref(), &[], &mut all);
    }
    all
}

fn gather(text: &str, table: &DeTable<'_>, above: &[String], all: &mut Vec<Entry>) {
    let below = |path: &[String], name: &str| [path, &[name.to_owned()]].concat();
    for (key, value) in table {
        let path = below(above, key.get_ref());
        all.push((path.clone(), line_of(text, key.span().start)));
        match value.get_ref() {
            DeValue::Table(table) => gather(text, table, &path, all),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let Some(table) = item.get_ref().as_table() else { continue };
                    // Targets are merged by their names.
                    let name = table.get("name").and_then(|name| name.get_ref().as_str());
                    let name = name.map_or_else(|| index.to_string(), str::to_owned);
                    let path = below(&path, &name);
                    all.push((path.clone(), line_of(text, item.span().start)));
                    gather(text, table, &path, all);
                }
            }
            _ => {}
        }
    }
}

/// The line of `offset` in `text`, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}
