//! Parsing any text as a project's files ends without a panic, and written files are read back. The target splits the
//! input into files at each `\n--\n`.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use wheel_build::own::check_config;
use wheel_build::testing::{adopted, lock_text, stub_files};

const MANIFESTS: [&str; 3] = ["Cargo.toml", "xtask/Cargo.toml", "Cargo.lock"];

fuzz_target!(|text: &str| {
    let parts: Vec<&str> = text.split("\n--\n").collect();
    for part in &parts {
        if let Ok(config) = adopted(part) {
            check_config("wheels.toml", &config).expect("`init` writes a valid file");
        }
        let _ = check_config("wheels.toml", part).map_err(|error| error.to_string());
        if let Ok(lock) = lock_text(part) {
            assert_eq!(lock_text(&lock).expect("a written lock is valid"), lock);
        }
    }
    let files = MANIFESTS.iter().zip(&parts);
    let files = files.map(|(name, part)| (PathBuf::from(name), (*part).to_owned()));
    for (path, text) in stub_files(&files.collect::<BTreeMap<_, _>>()) {
        if !path.ends_with("main.rs") {
            assert!(text.parse::<toml::Table>().is_ok(), "{text}");
        }
    }
});
