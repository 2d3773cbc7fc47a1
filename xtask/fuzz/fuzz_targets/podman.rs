//! Parsing any lines as podman's output prints no control characters, and a failed step has a short excerpt.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_build::testing::{PodmanProgress, progress_texts};

fuzz_target!(|bytes: &[u8]| {
    let (texts, lines) = progress_texts(&mut PodmanProgress::default(), bytes);
    assert!(
        texts.iter().all(|text| text.chars().all(|c| !c.is_control() || c == '\t')),
        "{texts:?}"
    );
    assert!(lines <= 40);
});
