//! Other implementations read the documents of a wheel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../crates/wheel-build/tests/common/mod.rs"]
mod common;

use std::process::{Command, Output};

use camino::Utf8Path;
use common::Workspace;
use common::skip::unless_skipped;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/documents.py");
const WHEEL: &str = "demo-1.0-py3-none-any.whl";
/// A build report with every field of the documents.
const INFO: &str = include_str!("fixtures/documents-build-info.json");

/// Reads the documents of the wheel at `path` with both packages.
fn read(path: &Utf8Path) -> Output {
    Command::new("python3").args(["-B", SCRIPT, path.as_str()]).output().unwrap()
}

#[test]
fn other_tools_read_the_documents_of_a_build() {
    let w = Workspace::new();
    fs_err::write(w.fake.join("export/build-info.json"), INFO).unwrap();
    w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    let wheel = w.root.join("dist/debian12-amd64").join(WHEEL);
    let ran = read(&wheel);
    let output = String::from_utf8_lossy(&ran.stderr);
    if !unless_skipped(ran.status.code() != Some(3), output.trim()) {
        return;
    }
    assert!(ran.status.success(), "{output}");
    let lines = String::from_utf8(ran.stdout).unwrap();
    insta::assert_snapshot!(lines, @r"
    bom of demo 1.0 pkg:pypi/demo@1.0?file_name=demo-1.0-py3-none-any.whl
    hash HASH
    excluded container debian:12 None
    excluded library flit-core pkg:pypi/flit-core@3.12.0?file_name=flit_core-3.12.0-py3-none-any.whl
    required library memchr pkg:cargo/memchr@2.8.3
    excluded application cpython pkg:generic/cpython@3.11.2
    excluded file demo-1.0.tar.gz pkg:pypi/demo@1.0?file_name=demo-1.0.tar.gz
    excluded application gcc pkg:generic/gcc@12.2.0
    provenance of demo-1.0-py3-none-any.whl HASH
    source demo-1.0.tar.gz pkg:pypi/demo@1.0?file_name=demo-1.0.tar.gz
    base-image debian:12 -
    interpreter cpython pkg:generic/cpython@3.11.2
    build-requirement flit-core pkg:pypi/flit-core@3.12.0?file_name=flit_core-3.12.0-py3-none-any.whl
    crate memchr pkg:cargo/memchr@2.8.3
    tool gcc pkg:generic/gcc@12.2.0
    system-package libc6 pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?distro=debian-12
    system-package libstdc++6 pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?distro=debian-12
    ");
    // They reject a document that is not valid.
    for (end, from, to) in [
        (".cdx.json", "\"library\"", "\"librarian\""),
        (".cdx.json", "\"specVersion\"", "\"specversion\""),
        (".provenance.json", "\"subject\"", "\"object\""),
        (".provenance.json", "/v1\",", "/v2\","),
    ] {
        let path = format!("{wheel}{end}");
        let whole = fs_err::read_to_string(&path).unwrap();
        let changed = whole.replace(from, to);
        assert_ne!(changed, whole);
        fs_err::write(&path, changed).unwrap();
        assert_eq!(read(&wheel).status.code(), Some(1), "{end}: {to}");
        fs_err::write(&path, whole).unwrap();
    }
}
