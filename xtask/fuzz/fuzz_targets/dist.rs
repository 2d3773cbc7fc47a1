//! Any manifest and checksums are held against their folder or refused: nothing outside of it is
//! named as if it lay in it. The input is cut at each `\n--\n`.
#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use wheel_audit::dist::{self, Manifest};

const NAMES: [&str; 4] = [
    dist::MANIFEST,
    "here-x86_64/SHA256SUMS",
    "here-x86_64/audit.json",
    "here-x86_64/pkg-1.0-py3-none-any.whl",
];

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let folder = Utf8Path::from_path(folder.path()).expect("a plain name");
    std::fs::create_dir(folder.join("here-x86_64")).expect("room for a folder");
    let mut rest = Some(bytes);
    for name in NAMES {
        let Some(content) = rest else { break };
        let cut = content.windows(4).position(|part| part == b"\n--\n");
        let end = cut.map_or(content.len(), |cut| cut + 1);
        std::fs::write(folder.join(name), &content[..end]).expect("room for a file");
        rest = cut.map(|cut| &content[cut + 4..]);
    }
    let _ = Manifest::parse(bytes);
    dist::check(folder, &dist::Known::new());
});
