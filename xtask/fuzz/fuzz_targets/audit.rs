//! The audit of any wheel has a verdict. The target splits the input into members at each `\n--\n`, in a valid
//! archive.
#![no_main]

use std::io::{Cursor, Write as _};

use libfuzzer_sys::fuzz_target;
use wheel_audit::audit::{Depth, Expectations, Settings, audit_wheel};
use zip::{ZipWriter, write::SimpleFileOptions};

const NAMES: [&str; 6] = [
    "pkg-1.0.dist-info/METADATA",
    "pkg-1.0.dist-info/WHEEL",
    "pkg-1.0.dist-info/RECORD",
    "_pkg.cpython-311-x86_64-linux-gnu.so",
    "pkg.libs/libfoo-1234.so.1",
    "pkg-1.0.dist-info/entry_points.txt",
];

fuzz_target!(|bytes: &[u8]| {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut rest = Some(bytes);
    for name in NAMES {
        let Some(content) = rest else { break };
        let cut = content.windows(4).position(|part| part == b"\n--\n");
        let (member, after) = match cut {
            Some(cut) => (&content[..cut + 1], Some(&content[cut + 4..])),
            None => (content, None),
        };
        writer.start_file(name, SimpleFileOptions::default()).expect("a short name");
        writer.write_all(member).expect("memory");
        rest = after;
    }
    let wheel = writer.finish().expect("memory").into_inner();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = camino::Utf8Path::from_path(folder.path()).expect("a plain name");
    let path = folder.join("pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl");
    std::fs::write(&path, wheel).expect("a file is written");
    let expectations = Expectations { isa: vec!["x86-64-v2".parse().expect("a level")], ..Expectations::default() };
    for depth in [Depth::Floor, Depth::Code] {
        let settings = Settings { depth, publish: true, ..Settings::default() };
        let audit = audit_wheel(&path, &expectations, &settings).expect("the file exists");
        serde_json::to_string(&audit).expect("facts and findings can be serialised");
    }
});
