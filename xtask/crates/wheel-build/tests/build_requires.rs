//! Runs `scripts/build-all.sh`, `build-requires.py`, `pyproject.py` and `fetch-*.py` on this machine: the requirements of a
//! backend.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
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

#[test]
fn the_last_line_of_a_build_needs_no_newline() {
    let dir = tempfile::tempdir().unwrap();
    let just = dir.path().join("just");
    fs_err::write(&just, "#!/bin/sh\nprintf 'first\\na.c:9: error: last'\nexit 1\n").unwrap();
    fs_err::set_permissions(&just, std::fs::Permissions::from_mode(0o755)).unwrap();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts");
    let ran = Command::new("sh")
        .arg(format!("{scripts}/build-all.sh"))
        .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
        .envs([("PYTHONS", "cp311"), ("XTASK_SCRIPTS", scripts)])
        .env("XTASK_WORK", dir.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let printed = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(printed, "[cp311] first\n[cp311] a.c:9: error: last\n");
}
