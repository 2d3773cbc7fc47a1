//! Places in the configuration: from the parser's byte range to a key, and from a key to its file, line and column.
//! Users never see the text merged with `wheels.local.toml`, so a place is always in one of the files.

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use wheel_audit::text::columns;

/// A key, or an item of a list.
#[derive(Debug, Clone)]
struct Entry {
    path: Vec<String>,
    key: Range<usize>,
    value: Range<usize>,
}

/// A file of the configuration: its name in errors, and its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

/// The parsed text and the files it is made of; later files override earlier ones.
pub(super) struct Document<'a> {
    text: &'a str,
    entries: Vec<Entry>,
    files: Vec<(File<'a>, Vec<Entry>)>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    /// Counted from 1.
    pub(super) line: usize,
    /// In characters, counted from 1.
    pub(super) column: usize,
    /// The line, with a mark below the word in question.
    pub(super) excerpt: String,
}

impl<'a> Document<'a> {
    /// `text`, made of `files`.
    pub(super) fn new(text: &'a str, files: &[File<'a>]) -> Self {
        let files = files.iter().map(|file| (*file, entries(file.text))).collect();
        Self { text, entries: entries(text), files }
    }

    /// The key that `span` of the parsed text belongs to, or the key or value `word` below it.
    pub(super) fn path(&self, span: Range<usize>, word: Option<&str>) -> Vec<String> {
        let within = |range: &Range<usize>| range.contains(&span.start);
        let deepest = |found: &dyn Fn(&&Entry) -> bool| {
            self.entries.iter().filter(found).max_by_key(|entry| entry.path.len())
        };
        let entry =
            deepest(&|entry| within(&entry.key)).or_else(|| deepest(&|entry| within(&entry.value)));
        let path = entry.map(|entry| entry.path.clone()).unwrap_or_default();
        let Some(word) = word else { return path };
        let is_word = |entry: &&Entry| {
            let value = self.text.get(entry.value.clone()).unwrap_or_default();
            entry.path.len() == path.len() + 1
                && entry.path.starts_with(&path)
                && (entry.path.last().is_some_and(|name| name == word)
                    || value.trim_matches(['"', '\'']) == word)
        };
        self.entries.iter().find(is_word).map(|entry| entry.path.clone()).unwrap_or(path)
    }

    /// Returns whether the parsed text has the key `path`.
    pub(super) fn has(&self, path: &[String]) -> bool {
        self.entries.iter().any(|entry| entry.path == path)
    }

    /// The place of `path`, or of its longest known part, in the files: of its value, or of its name if `is_key`.
    pub(super) fn place(&self, path: &[String], is_key: bool) -> Option<Place> {
        let found = |(file, entries): &(File<'a>, Vec<Entry>)| {
            (1..=path.len()).rev().find_map(|length| {
                let part = path.get(..length)?;
                let entry = entries.iter().find(|entry| entry.path == part)?;
                let is_whole = length == path.len() && !is_key;
                Some((
                    length,
                    *file,
                    if is_whole { entry.value.clone() } else { entry.key.clone() },
                ))
            })
        };
        let best = self.files.iter().filter_map(found).max_by_key(|(length, ..)| *length);
        best.map(|(_, file, span)| place(file, &span))
    }
}

/// The name of a list item in paths.
pub(super) fn item(index: usize) -> String {
    format!("[{index}]")
}

/// The place of `span` in a file.
pub(super) fn place(file: File<'_>, span: &Range<usize>) -> Place {
    let before = file.text.get(..span.start).unwrap_or(file.text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    let text = file.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let marked = file.text.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default();
    // Keep tabs, so that the mark lines up.
    let blank = |part: &str| " ".repeat(columns(part));
    let parts = before.get(start..).unwrap_or_default().split('\t').map(blank);
    let indent = parts.collect::<Vec<_>>().join("\t");
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let mark = "^".repeat(columns(marked).max(1));
    let excerpt = format!("{number} | {text}\n{margin} | {indent}{mark}");
    Place { file: file.name.to_owned(), line, column, excerpt }
}

/// All keys and items of `text`.
fn entries(text: &str) -> Vec<Entry> {
    let mut all = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        add_table(table.get_ref(), &[], &mut all);
    }
    all
}

fn add_table(table: &DeTable<'_>, above: &[String], all: &mut Vec<Entry>) {
    for (key, value) in table {
        let path = [above, &[key.get_ref().to_string()]].concat();
        all.push(Entry { path: path.clone(), key: key.span(), value: value.span() });
        add_value(value.get_ref(), &path, all);
    }
}

fn add_value(value: &DeValue<'_>, path: &[String], all: &mut Vec<Entry>) {
    match value {
        DeValue::Table(table) => add_table(table, path, all),
        DeValue::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                // Targets merge by name.
                let name = value.get_ref().as_table().and_then(|table| table.get("name"));
                let name = name.and_then(|name| name.get_ref().as_str());
                let name = name.map_or_else(|| item(index), str::to_owned);
                let path = [path, &[name]].concat();
                all.push(Entry { path: path.clone(), key: value.span(), value: value.span() });
                add_value(value.get_ref(), &path, all);
            }
        }
        _ => {}
    }
}
