//! The tags that an interpreter accepts: compares our rule and that in the container with `packaging`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/skip.rs"]
mod skip;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;
use skip::unless_skipped;
use wheel_audit::wheel::{Interpreter, Tag};

/// The output of `fixtures/tags.py`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Table {
    source: String,
    accepted: BTreeMap<String, BTreeSet<String>>,
}

fn table() -> Table {
    serde_json::from_str(include_str!("fixtures/tags.json")).unwrap()
}

/// Each interpreter with each tag that any interpreter or none accepts.
fn cases(table: &Table) -> Vec<(String, String, bool)> {
    let never = [
        "cp31-abi3",
        "cp310-none",
        "py2-none",
        "py317-none",
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
fn an_interpreter_accepts_the_tags_that_installers_accept() {
    for (name, text, expected) in cases(&table()) {
        let (python, abi) = text.split_once('-').unwrap();
        let tag = Tag { python: python.into(), abi: abi.into(), platform: "any".into() };
        let interpreter: Interpreter = name.parse().unwrap();
        assert_eq!(interpreter.accepts(&tag), expected, "{text} for {name}");
    }
}

#[test]
fn the_container_accepts_the_wheels_that_installers_accept() {
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
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/collect-wheels.py");
    let ran = Command::new("python3").args(["-B", "-c", code, script, &lines.join("\n")]).output();
    if !unless_skipped(ran.is_ok(), "there is no python3 on PATH") {
        return;
    }
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let answers = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(answers.lines().count(), cases.len());
    for ((name, tag, expected), answer) in cases.iter().zip(answers.lines()) {
        assert_eq!(answer == "True", *expected, "{tag} for {name}");
    }
}

#[test]
fn the_table_matches_packaging() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tags.py");
    let ran = Command::new("python3").args(["-B", script]).output();
    let ran = ran.ok().filter(|ran| ran.status.success());
    if !unless_skipped(ran.is_some(), "python3 has no `packaging`") {
        return;
    }
    let ran = ran.unwrap();
    let live: Table = serde_json::from_slice(&ran.stdout).unwrap();
    let other = format!("the table is of {}, and {} is installed", table().source, live.source);
    if !unless_skipped(live.source == table().source, &other) {
        return;
    }
    assert_eq!(live, table());
}

/// Returns whether `requires-python.py` accepts a source archive with this PKG-INFO for the interpreters.
fn passes(requires: &str, ids: &[&str]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("a-1");
    fs_err::create_dir(&top).unwrap();
    fs_err::create_dir(top.join("sub")).unwrap();
    fs_err::write(top.join("PKG-INFO"), format!("Name: a\nVersion: 1\n{requires}\n")).unwrap();
    fs_err::write(top.join("sub/PKG-INFO"), "Requires-Python: <3\n").unwrap();
    fs_err::write(dir.path().join("source.json"), "{\"file\": \"a-1.tar.gz\"}").unwrap();
    let tar = Command::new("tar").args(["-czf", "a-1.tar.gz", "a-1"]).current_dir(&dir).status();
    assert!(tar.unwrap().success());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/requires-python.py");
    let mut command = Command::new("python3");
    let output = command.arg(script).arg(dir.path()).args(ids).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let refused = stderr.starts_with("error: `") && stderr.contains("\n\nhint: ");
    assert_eq!(output.status.success(), !refused, "{stderr}");
    output.status.success()
}

#[test]
fn an_interpreter_that_a_source_archive_excludes_is_rejected() {
    let pip = Command::new("python3").args(["-c", "import pip._vendor.packaging"]).status();
    if !unless_skipped(pip.is_ok_and(|status| status.success()), "python3 has no pip") {
        return;
    }
    assert!(passes("Requires-Python: >=3.10.2,<3.14", &["cp310", "cp313t", "pp311"]));
    assert!(!passes("Requires-Python: >=3.10.2,<3.14", &["cp311", "cp314t"]));
    assert!(!passes("Requires-Python: >=3.12", &["pp311"]));
    assert!(!passes("Requires-Python: <=3.11", &["cp311"]), "it allows only 3.11.0");
    assert!(passes("Requires-Python: <=3.11.9", &["cp311"]));
    // The backend reports an archive that nobody can read.
    assert!(passes("Requires-Python: about three", &["cp311"]));
    assert!(passes("", &["cp311"]));
}
