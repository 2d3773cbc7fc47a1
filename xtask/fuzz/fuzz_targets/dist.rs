//! The check of any manifest and checksums never opens files outside of the folder. The target splits the input at
//! each `\n--\n`.
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
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = Utf8Path::from_path(folder.path()).expect("a plain name");
    std::fs::create_dir(folder.join("here-x86_64")).expect("a folder is created");
    let mut rest = Some(bytes);
    for name in NAMES {
        let Some(content) = rest else { break };
        let cut = content.windows(4).position(|part| part == b"\n--\n");
        let end = cut.map_or(content.len(), |cut| cut + 1);
        std::fs::write(folder.join(name), &content[..end]).expect("a file is written");
        rest = cut.map(|cut| &content[cut + 4..]);
    }
    let _ = Manifest::parse(bytes);
    dist::check(folder, &dist::Known::new());
});
