//! `scripts/build-requires.py` and `pyproject.py`: what a backend requires, run by this machine's Python.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_requirements_of_a_backend_are_read_pinned_and_asked_for() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/test_build_requires.py");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts");
    let mut command = Command::new("python3");
    let ran = command.args(["-B", tests]).env("SCRIPTS", folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
