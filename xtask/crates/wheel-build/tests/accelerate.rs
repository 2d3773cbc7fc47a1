//! `scripts/accelerate`: what is refused and what the wrappers do, run by this machine's Python with made-up compilers.

use std::process::Command;

#[test]
fn native_programs_are_refused_or_wrapped_as_documented() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/test_accelerate.py");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/accelerate");
    let ran = Command::new("python3").args(["-B", tests]).env("ACCELERATE", folder).output();
    let ran = ran.expect("python3 is installed");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
