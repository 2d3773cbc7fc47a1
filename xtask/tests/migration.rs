//! Compares docs/migrating-from-cibuildwheel.md and the table of `init` with the options of cibuildwheel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use wheel_build::own::CIBUILDWHEEL_OPTIONS;

const PAGE: &str = include_str!("../../docs/migrating-from-cibuildwheel.md");
/// The names in `cibuildwheel/resources/cibuildwheel.schema.json` of cibuildwheel 4.3, sorted.
const SCHEMA: &str = include_str!("fixtures/cibuildwheel-options.txt");

/// The options of each section, and the keys of `wheels.toml` for them.
type Names = BTreeMap<(String, String), Vec<String>>;

/// The table of `init`.
fn in_code() -> Names {
    let rows: toml::Table = CIBUILDWHEEL_OPTIONS.parse().unwrap();
    let keys = |row: &toml::Value| {
        let to = row.get("to").and_then(toml::Value::as_array).into_iter().flatten();
        to.map(|key| key.as_str().unwrap().to_owned()).collect()
    };
    let name = |row: &toml::Value, name| (row["section"].as_str().unwrap().to_owned(), name);
    rows.into_iter().map(|(option, row)| (name(&row, option), keys(&row))).collect()
}

/// The rows of the page, in `sections`: names, and the other cell.
fn on_page(sections: &BTreeSet<&String>) -> BTreeMap<(String, String), String> {
    let mut names = BTreeMap::new();
    for part in PAGE.split("\n## ").skip(1) {
        let anchor = part.lines().next().unwrap().to_lowercase().replace(' ', "-");
        let Some((_, table)) = part.split_once("| cibuildwheel | here |\n") else { continue };
        for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').collect();
            for word in cells[1].split('`').skip(1).step_by(2) {
                let name = (anchor.clone(), word.replace("<arch>", "*"));
                names.insert(name, cells[2].to_owned());
            }
        }
    }
    names.retain(|(anchor, _), _| sections.contains(anchor));
    names
}

#[test]
fn the_page_and_init_know_every_option() {
    let code = in_code();
    let page = on_page(&code.keys().map(|(section, _)| section).collect());
    assert_eq!(page.keys().collect::<Vec<_>>(), code.keys().collect::<Vec<_>>());
    for (name, keys) in &code {
        for key in keys {
            let key = key.rsplit('.').next().unwrap();
            assert!(page[name].contains(key), "{name:?}: {key}");
        }
    }
    let pattern = |(_, name): &(String, String)| glob::Pattern::new(name).unwrap();
    let patterns: Vec<_> = code.keys().map(pattern).collect();
    for name in SCHEMA.lines() {
        assert!(patterns.iter().any(|pattern| pattern.matches(name)), "{name} is new");
    }
    for pattern in patterns {
        assert!(SCHEMA.lines().any(|name| pattern.matches(name)), "{pattern} is gone");
    }
}
