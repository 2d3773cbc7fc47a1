//! The audit of any file with the name of a wheel has a verdict, in every report format and without control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    xtask_fuzz::audit("pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", bytes);
});
