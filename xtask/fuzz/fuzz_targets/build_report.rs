//! Parsing any bytes as the report of a build container ends without a panic, and its lock file is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_build::testing::{build_report, lock_text};

fuzz_target!(|bytes: &[u8]| {
    if let Ok((_, lock)) = build_report(bytes) {
        assert_eq!(lock_text(&lock).expect("a written lock is valid"), lock);
    }
});
