//! `docs/security.md` names a test for each protection.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all functions of the workspace's Rust files.
fn functions(root: &Path) -> BTreeSet<String> {
    let folders = ["xtask/src", "xtask/tests", "xtask/crates"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(walkdir::WalkDir::new).map(Result::unwrap);
    let files = files.filter(|file| file.path().extension().is_some_and(|it| it == "rs"));
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs_err::read_to_string(file.path()).unwrap();
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        names.extend(lines.filter_map(|rest| rest.strip_suffix("() {")).map(str::to_owned));
    }
    names
}

#[test]
fn each_protection_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let functions = functions(root);
    let page = fs_err::read_to_string(root.join("docs/security.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    let mut tests = 0;
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let named: Vec<_> = cell.split(", ").map(|name| name.trim_matches('`')).collect();
        for name in &named {
            assert!(functions.contains(*name), "no test is called `{name}`: {row}");
        }
        tests += named.len();
    }
    assert!(tests > 25, "the tables were read: {tests}");
}
