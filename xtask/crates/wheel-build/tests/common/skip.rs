//! Prints skipped parts of a test, even if the test passes: `cargo xtask ci` reads these lines, and `ci --strict`
//! fails for them (`commands/ci/outcome.rs`).

use std::io::Write as _;
use std::panic::Location;

/// Returns whether `condition` is true; if not, prints `reason` for the parts that the caller skips.
#[track_caller]
pub(crate) fn unless_skipped(condition: bool, reason: &str) -> bool {
    if !condition {
        let at = Location::caller();
        let line = format!("xtask test skipped: {}:{}: {reason}\n", at.file(), at.line());
        // Not `eprintln!`, because the test runner captures it.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    condition
}
