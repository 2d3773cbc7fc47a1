//! `wheel-audit rules`: exit status, hints and structured output.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn rules(words: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_wheel-audit");
    Command::new(program).arg("rules").args(words).output().unwrap()
}

#[test]
fn a_rule_is_explained_and_an_unknown_one_has_a_hint() {
    for word in ["ELF003", "floor-above-promise"] {
        let ran = rules(&[word]);
        let text = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success() && text.contains("floor-above-promise"), "{text}");
    }
    let ran = rules(&["ELF03"]);
    let error = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stdout.is_empty() && error.contains("hint: ") && error.contains("`ELF003`"));
}

#[test]
fn the_json_of_a_rule_has_its_texts() {
    let ran = rules(&["ELF", "--json"]);
    let all: Vec<serde_json::Value> = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(all.len() > 20 && all.iter().all(|rule| rule["code"].as_str().unwrap().len() == 6));
    for key in ["name", "severity", "meaning", "why", "example", "fix"] {
        assert!(all.iter().all(|rule| rule[key].is_string()), "{key}");
    }
    assert!(all.iter().all(|rule| !rule["sources"].as_array().unwrap().is_empty()));
}
