//! What a test skips is printed, also where the test passes: `cargo xtask ci` reads these lines, and
//! `ci --strict` fails for them (`commands/ci/outcome.rs`).

use std::io::Write as _;
use std::panic::Location;

/// Whether `condition` holds; where it does not, prints the `reason` for what the caller skips.
#[track_caller]
pub(crate) fn unless_skipped(condition: bool, reason: &str) -> bool {
    if !condition {
        let at = Location::caller();
        let line = format!("xtask test skipped: {}:{}: {reason}\n", at.file(), at.line());
        // Not by `eprintln!`: the test runner keeps to itself what a test that passes prints so.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    condition
}
