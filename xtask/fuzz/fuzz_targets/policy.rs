//! Parsing any bytes as auditwheel's policies ends without a panic, and written policies are read back unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
#[allow(dead_code, unused_imports, reason = "the program uses more of it")]
#[path = "../../src/policy/refresh/mod.rs"]
mod refresh;

use refresh::{Family, copy, data_file, differences, published};

fuzz_target!(|bytes: &[u8]| {
    for family in Family::ALL {
        let Ok(facts) = published(family, bytes) else { continue };
        assert!(differences(family, &facts, &facts).is_empty());
        if let Ok(text) = data_file(family, &facts, "1", "") {
            // The file cannot contain a second older name.
            if let Ok(again) = copy(family, &text) {
                let kept = facts.keys().eq(again.keys());
                assert!(kept, "{text}");
            } else {
                panic!("{text}");
            }
        }
    }
});
