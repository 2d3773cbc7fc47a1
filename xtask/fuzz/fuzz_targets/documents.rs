//! The check of any documents of a wheel ends without a panic. The target splits the input at each `\n--\n`, with
//! valid checksums and a valid manifest.
#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use wheel_audit::{digest, dist};

const FOLDER: &str = "here-x86_64";
const WHEEL: &str = "pkg-1.0-py3-none-any.whl";

fuzz_target!(|bytes: &[u8]| {
    let [bom, provenance] = dist::documents_of(WHEEL);
    let mut files = vec![(WHEEL.to_owned(), b"wheel".as_slice())];
    let mut rest = Some(bytes);
    for name in [bom, provenance, "build-info.json".to_owned()] {
        let Some(content) = rest else { break };
        let cut = content.windows(4).position(|part| part == b"\n--\n");
        files.push((name, &content[..cut.unwrap_or(content.len())]));
        rest = cut.map(|cut| &content[cut + 4..]);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = Utf8Path::from_path(folder.path()).expect("a plain name");
    std::fs::create_dir(folder.join(FOLDER)).expect("a folder is created");
    let mut sums = String::new();
    for (name, content) in &files {
        sums += &format!("{}  {name}\n", digest::of_bytes(content));
    }
    files.push(("SHA256SUMS".to_owned(), sums.as_bytes()));
    let entry = |(name, content): &(String, &[u8])| {
        std::fs::write(folder.join(FOLDER).join(name), content).expect("a file is written");
        let kind = if name == WHEEL { "wheel" } else { "metadata" };
        let mut entry = json!({"path": format!("{FOLDER}/{name}"), "size": content.len(), "kind": kind,
            "sha256": digest::of_bytes(content)});
        if name == WHEEL {
            entry["target"] = json!("here");
            entry["platform"] = json!("linux/amd64");
            entry["verdict"] = json!("pass");
            entry["floor"] = json!("none");
            entry["builds"] = json!([{"interpreter": "cp311", "job": "0", "smoke": "passed"}]);
        }
        entry
    };
    let entries: Vec<_> = files.iter().map(entry).collect();
    let manifest = json!({"schema_version": 1, "files": entries}).to_string();
    assert!(dist::Manifest::parse(manifest.as_bytes()).is_ok(), "{manifest}");
    // With a manifest, and without one.
    std::fs::write(folder.join(dist::MANIFEST), &manifest).expect("a file is written");
    for _ in 0..2 {
        for problem in dist::check(folder, &dist::Known::new()) {
            assert!(!problem.message.contains(char::is_control), "{}", problem.message);
        }
        let _ = std::fs::remove_file(folder.join(dist::MANIFEST));
    }
});
