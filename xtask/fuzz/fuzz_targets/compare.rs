//! The comparison of any two wheels is limited and has no control characters. The target uses the first two parts of
//! the input as members of valid wheels, or as wheels.
#![no_main]

use std::io::{Cursor, Write as _};

use libfuzzer_sys::fuzz_target;
use wheel_audit::compare::{Builds, compare};
use xtask_fuzz::{folder, parts};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn wheel_with(member: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("pkg/_pkg.so", options).expect("a short name");
    writer.write_all(member).expect("memory");
    writer.finish().expect("memory").into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = parts(bytes);
    let mut next = || parts.next().unwrap_or_default();
    let (first, second) = (next(), next());
    let builds = Builds { hosts: ["alpha", "beta"] };
    let is_good = !first.starts_with(b"PK");
    let [left, right] = [first, second].map(|part| if is_good { wheel_with(part) } else { part.to_vec() });
    let folder = folder(&[("first.whl", &left), ("second.whl", &right)]);
    let result = compare(&folder.join("first.whl"), &folder.join("second.whl"), builds);
    assert!(result.is_ok() || !is_good);
    let Ok(comparison) = result else { return };
    assert_eq!(comparison.identical, left == right);
    assert_eq!(comparison.identical, comparison.differences.is_empty());
    for difference in &comparison.differences {
        let member = difference.member.iter().chain(&difference.section);
        for text in member.chain([&difference.detail]) {
            assert!(text.len() < 8_000 && !text.contains(char::is_control), "{text}");
        }
    }
});
