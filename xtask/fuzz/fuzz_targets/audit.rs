//! The audit of any wheel has a verdict, in every report format and without control characters. The first part of the
//! input is the wheel's name. Each other part is a member of a valid archive: its name in the first line, and its
//! content.
#![no_main]

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};

use libfuzzer_sys::fuzz_target;
use wheel_audit::wheel::WheelName;
use xtask_fuzz::{audit, parts};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const NAME: &str = "pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl";

fuzz_target!(|bytes: &[u8]| {
    let mut parts = parts(bytes);
    let name = parts.next().and_then(|name| std::str::from_utf8(name).ok());
    let is_usable = |name: &&str| name.len() < 200 && WheelName::parse(name).is_ok();
    let name = name.filter(is_usable).unwrap_or(NAME);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut names = BTreeSet::new();
    for part in parts {
        let end = part.iter().position(|&byte| byte == b'\n').unwrap_or(part.len());
        let Ok(member) = std::str::from_utf8(&part[..end]) else { continue };
        if names.insert(member) && writer.start_file(member, options).is_ok() {
            writer.write_all(part.get(end + 1..).unwrap_or_default()).expect("memory");
        }
    }
    audit(name, &writer.finish().expect("memory").into_inner());
});
