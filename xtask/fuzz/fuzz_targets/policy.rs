//! Any bytes are auditwheel's policies or are refused, and what is written of them says the same.
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
            // A second older name has no place in the file.
            if let Ok(again) = copy(family, &text) {
                let kept = facts.keys().eq(again.keys());
                assert!(kept, "{text}");
            } else {
                panic!("{text}");
            }
        }
    }
});
