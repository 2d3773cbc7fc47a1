//! Parsing any answer of another program ends without a panic. The first byte selects the parser. Secrets are hidden
//! wherever they are in a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_build::testing::{answer_texts, redacted};

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, answer)) = bytes.split_first() else { return };
    let Ok(answer) = std::str::from_utf8(answer) else { return };
    answer_texts(kind, answer);
    let is_plain = |word: &&str| {
        word.len() > 8 && word.bytes().all(|each| each.is_ascii_alphanumeric() || b"-._~!$&".contains(&each))
    };
    for secret in answer.split([' ', '"', '\n']).filter(is_plain).take(4) {
        let clean = redacted(&format!("https://user:{secret}@host.example/simple"), answer);
        assert!(!clean.contains(secret), "{secret:?} in {clean:?}");
    }
});
