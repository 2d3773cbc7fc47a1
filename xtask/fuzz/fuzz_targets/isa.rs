//! Any bytes are judged or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = xtask::isa::scan(bytes);
    let _ = xtask::isa::callers(bytes, &["memcpy"]);
});
