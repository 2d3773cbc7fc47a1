//! Parsing any lines as podman's output prints no control characters, and a failed step has a short excerpt.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_build::testing::{Event, Follow as _, PodmanProgress};

fuzz_target!(|bytes: &[u8]| {
    let mut progress = PodmanProgress::default();
    for line in bytes.split(|&byte| byte == b'\n') {
        for event in progress.line(line) {
            let text = match &event {
                Event::Started { name } | Event::Done { name, .. } => name,
                Event::Failed { error, .. } | Event::NoCache { error, .. } => error,
                Event::Output { line, .. } => line,
                Event::Message(text) => text,
            };
            assert!(text.chars().all(|c| !c.is_control() || c == '\t'), "{text}");
        }
    }
    if let Some(step) = progress.failed() {
        assert!(step.tail.len() <= 40);
    }
});
