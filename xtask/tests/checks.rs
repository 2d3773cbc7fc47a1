//! `docs/checks.md` is what the rules and their texts make of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use wheel_audit::{report, rule_docs};

/// `UPDATE_DOCS=1 cargo test -p xtask --test checks` writes it anew.
#[test]
fn the_page_of_checks_is_that_of_the_rules() {
    let page = report::rules_page(&rule_docs::all());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/checks.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs_err::write(path, &page).unwrap();
    }
    let hint = "`UPDATE_DOCS=1 cargo test -p xtask --test checks` writes it anew";
    assert!(fs_err::read_to_string(path).is_ok_and(|text| text == page), "{hint}");
}
