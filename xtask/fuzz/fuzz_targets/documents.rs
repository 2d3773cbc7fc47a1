//! The check of any documents of a wheel ends without a panic. Each part of the input is a document. Checksums and
//! manifest are valid.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use wheel_audit::{digest, dist};
use xtask_fuzz::{assert_printable, folder, parts};

const FOLDER: &str = "here-x86_64";
const WHEEL: &str = "pkg-1.0-py3-none-any.whl";

fuzz_target!(|bytes: &[u8]| {
    let [bom, provenance] = dist::documents_of(WHEEL);
    let names = [bom, provenance, "build-info.json".to_owned()];
    let mut files = vec![(WHEEL.to_owned(), b"wheel".as_slice())];
    files.extend(names.into_iter().zip(parts(bytes)));
    let mut sums = String::new();
    for (name, content) in &files {
        sums += &format!("{}  {name}\n", digest::of_bytes(content));
    }
    files.push(("SHA256SUMS".to_owned(), sums.as_bytes()));
    let entry = |(name, content): &(String, &[u8])| {
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
    for (name, _) in &mut files {
        *name = format!("{FOLDER}/{name}");
    }
    // The length decides whether there is a manifest.
    if bytes.len() % 2 == 0 {
        files.push((dist::MANIFEST.to_owned(), manifest.as_bytes()));
    }
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    for problem in dist::check(folder(&files), &dist::Known::new()) {
        assert_printable(&problem.message);
    }
});
