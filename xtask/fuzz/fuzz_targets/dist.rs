//! The check of any manifest and checksums never opens files outside of the folder. Each part of the input is a file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_audit::dist::{self, Manifest};
use xtask_fuzz::{assert_printable, folder, parts};

const NAMES: [&str; 4] = [
    dist::MANIFEST,
    "here-x86_64/SHA256SUMS",
    "here-x86_64/audit.json",
    "here-x86_64/pkg-1.0-py3-none-any.whl",
];

fuzz_target!(|bytes: &[u8]| {
    let files: Vec<_> = NAMES.into_iter().zip(parts(bytes)).collect();
    if let Some((_, manifest)) = files.first() {
        let _ = Manifest::parse(manifest);
    }
    for problem in dist::check(folder(&files), &dist::Known::new()) {
        assert_printable(&problem.message);
    }
});
