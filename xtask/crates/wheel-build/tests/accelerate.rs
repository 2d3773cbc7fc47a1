//! Runs `scripts/accelerate` in this machine's Python with fake compilers: when it falls back, and what its wrappers
//! do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn native_programs_are_rejected_or_wrapped_as_documented() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/test_accelerate.py");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/accelerate");
    let mut command = Command::new("python3");
    let ran = command.args(["-B", tests]).env("ACCELERATE", folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
