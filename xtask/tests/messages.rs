//! Messages, comments and pages name only keys of `wheels.toml` that exist.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The keys of each table, by the headings `### [build] requires` of the page, which is generated from the schema.
fn keys(page: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut keys = BTreeMap::<_, BTreeSet<_>>::new();
    let headings = page.lines().filter_map(|line| line.strip_prefix("### ["));
    for (table, key) in headings.filter_map(|heading| heading.rsplit_once("] ")) {
        keys.entry(table.trim_matches(['[', ']'])).or_default().insert(key);
    }
    keys
}

/// The tables and keys that `text` names: `` `[build] requires` ``, `` `requires` in `[build]` `` and, with an empty
/// table, `` `requires` in wheels.toml ``.
fn named(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<_> = text.split('`').collect();
    let first_word = |code: &str| code.split([' ', '=']).next().unwrap().len();
    let mut found = Vec::new();
    for (index, code) in parts.iter().enumerate().skip(1).step_by(2) {
        if let Some((table, key)) = code.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            found.push((table.trim_matches(['[', ']']), &key[..first_word(key)]));
            continue;
        }
        let (own, next) = (&code[..first_word(code)], parts.get(index + 1).copied());
        let table = parts.get(index + 2).and_then(|code| code.strip_prefix('['));
        let table = table.and_then(|code| code.strip_suffix(']'));
        match (next, table) {
            (Some(" in " | " of " | " from " | " to " | " of this " | " in its "), Some(table)) => {
                found.push((table.trim_matches(['[', ']']), own));
            }
            (Some(text), _) if text.starts_with(" in wheels.toml") => found.push(("", own)),
            _ => {}
        }
    }
    let is_key =
        |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || "-_0123456789".contains(c));
    found.retain(|(_, key)| is_key(key) && !key.is_empty());
    found
}

#[test]
fn each_named_key_of_wheels_toml_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs_err::read_to_string(root.join("docs/configuration.md")).unwrap();
    let keys = keys(&page);
    let all: BTreeSet<_> = keys.values().flatten().copied().collect();
    let folders = [
        "docs",
        "README.md",
        "xtask/src",
        "xtask/crates/wheel-audit/src",
        "xtask/crates/wheel-build/src",
    ];
    let files = folders.iter().flat_map(|folder| walkdir::WalkDir::new(root.join(folder)));
    let (mut count, mut unknown) = (0, Vec::new());
    for file in files.map(Result::unwrap) {
        let path = file.path();
        // Tests contain words that look like keys.
        if path.strip_prefix(root).unwrap().to_string_lossy().contains("tests") {
            continue;
        }
        if !path.extension().is_some_and(|it| it == "rs" || it == "md" || it == "toml") {
            continue;
        }
        // A message may continue on the next line.
        let text = fs_err::read_to_string(path).unwrap().replace("\\\"", "\"");
        let text = text.replace("\\\n", "");
        for line in text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")) {
            for (table, key) in named(&line) {
                let known = if table.is_empty() { Some(&all) } else { keys.get(table) };
                // Other tables belong to other files, such as `[build-system]`.
                let Some(known) = known else { continue };
                count += 1;
                if !known.contains(key) {
                    unknown.push(format!("{}: `[{table}] {key}`", path.display()));
                }
            }
        }
    }
    assert_eq!(unknown, [""; 0], "{count}");
    assert!(count > 100, "the files were read: {count}");
}

#[test]
fn keys_are_found_in_each_form() {
    let text = "`[build] requires` and `rust = \"distro\"` in `[toolchain]`; correct `libc` in wheels.toml";
    assert_eq!(named(text), [("build", "requires"), ("toolchain", "rust"), ("", "libc")]);
}
