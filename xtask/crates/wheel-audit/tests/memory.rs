//! The audit of malicious small wheels uses little memory: the program runs under a limit, and aborts if an allocation
//! exceeds it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

#[path = "common/tables.rs"]
mod tables;

use std::{io::Write as _, process::Command};

use camino::Utf8Path;
use zip::{ZipWriter, write::SimpleFileOptions};

const WHEEL: &str = "pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
const METADATA: &str = "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n";
const FILE: &str = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n\
                    Tag: cp311-cp311-manylinux_2_36_x86_64\n";

/// Maximum memory of one thread in addition to the program's own, in KiB: 64 MiB, with an allowance for allocators
/// that return memory late.
const LIMIT: u64 = (64 + 16) << 10;

type Members = Vec<(String, Vec<u8>)>;

fn dist_info(name: &str, content: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (format!("pkg-1.0.dist-info/{name}"), content.into())
}

/// Runs `verify` on a wheel with these members under the limit. Returns its verdict.
#[track_caller]
fn verdict(members: Members) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let path = folder.join(WHEEL);
    let mut zip = ZipWriter::new(fs_err::File::create(&path).unwrap());
    let own = [dist_info("METADATA", METADATA), dist_info("WHEEL", FILE)];
    for (name, content) in
        own.into_iter().filter(|(name, _)| members.iter().all(|it| it.0 != *name))
    {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    for (name, content) in members {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap();
    let script = format!("ulimit -d {LIMIT} && exec \"$0\" verify --json --quiet \"$1\"");
    let ran = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_wheel-audit"), path.as_str()])
        .env("RAYON_NUM_THREADS", "1")
        .current_dir(folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{:?}: {stderr}", ran.status);
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let wheel = &json["wheels"][0];
    let codes = wheel["findings"].as_array().unwrap().iter();
    let mut codes: Vec<String> =
        codes.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
    codes.sort_unstable();
    codes.dedup();
    (wheel["verdict"].as_str().unwrap().to_owned(), codes)
}

#[track_caller]
fn fails_with(code: &str, members: Members) {
    let (verdict, codes) = verdict(members);
    assert_eq!(verdict, "fail", "{codes:?}");
    assert!(codes.iter().any(|each| each == code), "{codes:?}");
}

/// A number of modules with this content.
fn modules(count: usize, content: &[u8]) -> Members {
    let name = |index| format!("pkg/m{index}.cpython-311-x86_64-linux-gnu.so");
    (0..count).map(|index| (name(index), content.to_vec())).collect()
}

#[test]
fn entry_points_use_bounded_memory() {
    let text = format!("[{}]\n{}", "g".repeat(1 << 20), "a=b\n".repeat(1_500_000));
    fails_with("MET023", vec![dist_info("entry_points.txt", text)]);
}

#[test]
fn headers_use_bounded_memory() {
    let text = METADATA.to_owned() + &"A:\n".repeat(2_500_000);
    fails_with("MET003", vec![dist_info("METADATA", text)]);
    let text = FILE.to_owned() + &"Tag: a-b-c\n".repeat(700_000);
    fails_with("MET002", vec![dist_info("WHEEL", text)]);
}

#[test]
fn rows_of_record_use_bounded_memory() {
    let row = |index: usize| format!("n{index},sha1=x,\n");
    for (count, code) in [(130_000, "REC003"), (400_000, "REC001")] {
        let text: String = (0..count).map(row).collect();
        fails_with(code, vec![dist_info("RECORD", text)]);
    }
}

#[test]
fn dynamic_sections_use_bounded_memory() {
    let (_, codes) = verdict(modules(1, &tables::many_entries(1_400_000)));
    assert!(!codes.iter().any(|code| code == "ELF001"), "{codes:?}");
}

#[test]
fn symbol_names_use_bounded_memory() {
    fails_with("ELF001", modules(60, &tables::tables(500, 6_000, 1)));
}

#[test]
fn version_needs_use_bounded_memory() {
    fails_with("ELF001", modules(60, &tables::tables(1, 10, 2_000)));
}

#[test]
fn findings_use_bounded_memory() {
    fails_with("MET040", modules(15_000, b"\x7fELF"));
}

#[test]
fn members_use_bounded_memory() {
    let name = |index| (format!("pkg/{}{index}.py", "n".repeat(90)), Vec::new());
    fails_with("REC001", (0..60_000).map(name).collect());
}
