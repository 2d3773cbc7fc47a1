//! Reading any bytes as an archive ends without a panic, and members never exceed their declared size.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wheel_audit::wheel::{ArchiveProblem, WheelArchive};

const LIMIT: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut archive) = WheelArchive::new(Cursor::new(bytes)) else {
        return;
    };
    if archive.problems().iter().any(ArchiveProblem::forbids_reading) {
        return;
    }
    for index in 0..archive.entries().len() {
        if let Ok(content) = archive.read(index, LIMIT) {
            assert_eq!(content.len() as u64, archive.entries()[index].size);
        }
    }
});
