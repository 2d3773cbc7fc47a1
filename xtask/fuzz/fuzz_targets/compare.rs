//! The comparison of any two wheels is limited and has no control characters. The target splits the input at the first
//! `\n--\n`, and uses both parts as wheels and as members of valid wheels.
#![no_main]

use std::io::{Cursor, Write as _};

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use wheel_audit::compare::{Builds, compare};
use zip::{ZipWriter, write::SimpleFileOptions};

fn wheel_with(member: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("pkg/_pkg.so", SimpleFileOptions::default()).expect("a short name");
    writer.write_all(member).expect("memory");
    writer.finish().expect("memory").into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.windows(4).position(|part| part == b"\n--\n");
    let (first, second) = match cut {
        Some(cut) => (&bytes[..cut], &bytes[cut + 4..]),
        None => bytes.split_at(bytes.len() / 2),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = Utf8Path::from_path(folder.path()).expect("a plain name");
    let paths = ["first.whl", "second.whl"].map(|name| folder.join(name));
    let builds = Builds { hosts: ["alpha", "beta"] };
    for (left, right, is_good) in [
        (first.to_vec(), second.to_vec(), false),
        (wheel_with(first), wheel_with(second), true),
    ] {
        std::fs::write(&paths[0], &left).expect("a file is written");
        std::fs::write(&paths[1], &right).expect("a file is written");
        let result = compare(&paths[0], &paths[1], builds);
        assert!(result.is_ok() || !is_good);
        let Ok(comparison) = result else { continue };
        assert_eq!(comparison.identical, left == right);
        assert_eq!(comparison.identical, comparison.differences.is_empty());
        for difference in &comparison.differences {
            let member = difference.member.iter().chain(&difference.section);
            for text in member.chain([&difference.detail]) {
                assert!(text.len() < 8_000 && !text.contains(char::is_control), "{text}");
            }
        }
    }
});
