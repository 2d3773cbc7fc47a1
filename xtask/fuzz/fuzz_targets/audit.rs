//! Any wheel ends in a verdict, whatever its members hold. The input is cut into members at each
//! `\n--\n`; the archive around them is a good one, so that what is inside gets read.
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
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let folder = camino::Utf8Path::from_path(folder.path()).expect("a plain name");
    let path = folder.join("pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl");
    std::fs::write(&path, wheel).expect("room for a file");
    let expectations = Expectations { isa: vec!["x86-64-v2".parse().expect("a level")], ..Expectations::default() };
    for depth in [Depth::Floor, Depth::Code] {
        let settings = Settings { depth, publish: true, ..Settings::default() };
        let audit = audit_wheel(&path, &expectations, &settings).expect("the file is there");
        serde_json::to_string(&audit).expect("facts and findings can be told");
    }
});
