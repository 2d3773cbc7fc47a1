//! The messages about any failed build step have no control characters. The target uses the first two lines as the
//! step's name and error, and the rest as its output.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_build::testing::failure_texts;

fuzz_target!(|text: &str| {
    let lines = text.lines().map(|line| line.replace(|c: char| c.is_control() && c != '\t', ""));
    let lines: Vec<String> = lines.collect();
    let [name, error, output @ ..] = lines.as_slice() else { return };
    for text in failure_texts(name, error, output) {
        let odd = text.chars().find(|c| c.is_control() && *c != '\t');
        assert_eq!(odd, None, "{text}");
    }
});
