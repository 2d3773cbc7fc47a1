//! Parsing any bytes as the report of a build container ends without a panic, its text has no control characters, and its
//! lock file is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_build::testing::{build_report, lock_text};

fuzz_target!(|bytes: &[u8]| {
    if let Ok((text, lock)) = build_report(bytes) {
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
        assert_eq!(lock_text(&lock).expect("a written lock is valid"), lock);
    }
});
