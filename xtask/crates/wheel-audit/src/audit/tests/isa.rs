//! The processor level that code and markers need.

#![cfg(target_arch = "x86_64")]

use super::*;

fn built(source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    gcc(&folder, "module.so", source, flags);
    fs_err::read(folder.path().join("module.so")).unwrap()
}

const INIT: &str = "void *PyInit__pkg(void) { return 0; }";

#[test]
fn a_marker_above_the_baseline_leaves_no_manylinux_tag() {
    let tag = |flags: &[&str]| {
        let facts = audit(&native(built(INIT, flags)), &Expectations::default()).facts;
        facts.overall_tag
    };
    assert_eq!(tag(&["-Wl,-z,x86-64-v3"]), "linux_x86_64");
    assert_eq!(tag(&["-Wl,-z,x86-64-baseline"]), "manylinux_2_5_x86_64");
    assert_eq!(tag(&[]), "manylinux_2_5_x86_64");
}
