//! Parsing any bytes as `entry_points.txt` ends without a panic, and references are never empty.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_audit::wheel::entry_points;

fuzz_target!(|bytes: &[u8]| {
    for point in entry_points(bytes).unwrap_or_default() {
        if let Some((module, object)) = point.reference() {
            assert!(!module.is_empty() && object != Some(""));
        }
        assert!(!point.name.contains('\n') && !point.group.contains('\n'));
    }
});
