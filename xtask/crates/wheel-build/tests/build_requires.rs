//! Runs `scripts/build-requires.py`, `pyproject.py` and `fetch-*.py` in this machine's Python: the requirements of a
//! backend.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

fn run(tests: &str) {
    let tests = format!("{}/tests/fixtures/{tests}", env!("CARGO_MANIFEST_DIR"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts");
    let mut command = Command::new("python3");
    let ran = command.args(["-B", &tests]).env("SCRIPTS", folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn the_requirements_of_a_backend_come_from_its_table_and_hook() {
    run("test_build_requires.py");
}

#[test]
fn crates_and_requirements_are_fetched_by_their_hashes() {
    run("test_fetch.py");
}
