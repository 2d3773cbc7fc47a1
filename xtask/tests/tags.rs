//! Which tags an interpreter accepts: the rule here and the one in the container, against `packaging`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why it skips"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;
use xtask::wheel::{Interpreter, Tag};

/// What `fixtures/tags.py` prints.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Table {
    source: String,
    accepted: BTreeMap<String, BTreeSet<String>>,
}

fn table() -> Table {
    serde_json::from_str(include_str!("fixtures/tags.json")).unwrap()
}

/// Each interpreter with each tag that any of them accepts, or that none does.
fn cases(table: &Table) -> Vec<(String, String, bool)> {
    let never = [
        "cp31-abi3",
        "cp310-none",
        "py2-none",
        "py316-none",
        "cp311-cp310",
        "cp3-abi3",
        "py3-abi3",
        "py03-none",
    ];
    let never = never.iter().map(|tag| (*tag).to_owned());
    let tags: BTreeSet<String> = table.accepted.values().flatten().cloned().chain(never).collect();
    let pair = |(name, accepted): (&String, &BTreeSet<String>)| {
        let case = |tag: &String| (name.clone(), tag.clone(), accepted.contains(tag));
        tags.iter().map(case).collect::<Vec<_>>()
    };
    table.accepted.iter().flat_map(pair).collect()
}

#[test]
fn an_interpreter_accepts_what_installers_accept() {
    for (name, text, expected) in cases(&table()) {
        let (python, abi) = text.split_once('-').unwrap();
        let tag = Tag { python: python.into(), abi: abi.into(), platform: "any".into() };
        let interpreter: Interpreter = name.parse().unwrap();
        assert_eq!(interpreter.accepts(&tag), expected, "{text} for {name}");
    }
}

#[test]
fn the_container_takes_the_wheels_that_installers_accept() {
    let cases = cases(&table());
    let lines: Vec<_> = cases.iter().map(|(name, tag, _)| format!("{name} {tag}")).collect();
    let code = "import importlib.util, sys\n\
        spec = importlib.util.spec_from_file_location('c', sys.argv[1])\n\
        c = importlib.util.module_from_spec(spec)\n\
        spec.loader.exec_module(c)\n\
        for line in sys.argv[2].splitlines():\n    \
            name, tag = line.split()\n    \
            python, abi = tag.split('-')\n    \
            print(c.serves([python], [abi], name))\n";
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/collect-wheels.py");
    let ran = Command::new("python3").args(["-B", "-c", code, script, &lines.join("\n")]).output();
    let Ok(ran) = ran else {
        eprintln!("skipped: there is no python3 on PATH");
        return;
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let answers = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(answers.lines().count(), cases.len());
    for ((name, tag, expected), answer) in cases.iter().zip(answers.lines()) {
        assert_eq!(answer == "True", *expected, "{tag} for {name}");
    }
}

#[test]
fn the_table_is_what_packaging_says() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tags.py");
    let ran = Command::new("python3").args(["-B", script]).output();
    let Some(ran) = ran.ok().filter(|ran| ran.status.success()) else {
        eprintln!("skipped: python3 has no `packaging`");
        return;
    };
    let live: Table = serde_json::from_slice(&ran.stdout).unwrap();
    if live.source != table().source {
        eprintln!("skipped: the table is of {}, and {} is installed", table().source, live.source);
        return;
    }
    assert_eq!(live, table());
}
