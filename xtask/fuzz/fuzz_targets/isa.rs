//! The analysis of any bytes as machine code ends without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = wheel_audit::isa::scan(bytes);
    let _ = wheel_audit::isa::callers(bytes, &["memcpy"]);
});
