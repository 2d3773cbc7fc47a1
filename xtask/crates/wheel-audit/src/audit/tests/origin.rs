//! The build system of a wheel, and its certainty.

use super::*;
use crate::policy::Libc;

/// A module with these compiler lines.
fn compiled_by(lines: &[&str], needs: &[(&str, &str, &str)]) -> Vec<u8> {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).into_string();
    fs_err::write(path("module.so"), module(needs, &[])).unwrap();
    fs_err::write(path("comment"), format!("{}\0", lines.join("\0"))).unwrap();
    let mut command = Command::new("objcopy");
    command.args(["--update-section", &format!(".comment={}", path("comment"))]);
    assert!(command.arg(path("module.so")).status().unwrap().success(), "{command:?}");
    fs_err::read(path("module.so")).unwrap()
}

fn origin(fixture: &Fixture) -> Option<(String, Certainty)> {
    let facts = audit(fixture, &Expectations::default()).facts;
    facts.build_glibc.zip(facts.build_origin.map(|origin| origin.certainty))
}

const EL7: &str = "GCC: (GNU) 4.8.5 20150623 (Red Hat 4.8.5-44)";
const TOOLSET_10: &str = "GCC: (GNU) 10.2.1 20210130 (Red Hat 10.2.1-11)";
const TOOLSET_14: &str = "GCC: (GNU) 14.2.1 20250110 (Red Hat 14.2.1-11)";
const DEBIAN: &str = "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0";

#[test]
fn compilers_determine_the_build_system_and_its_certainty() {
    let of = |lines: &[&str], needs| origin(&native(compiled_by(lines, needs)));
    let expected = |version: &str, certainty| Some((version.to_owned(), certainty));
    assert_eq!(of(&[DEBIAN], &[]), expected("2.36", Certainty::Likely));
    assert_eq!(of(&[TOOLSET_10], &[]), expected("2.17", Certainty::Guess));
    assert_eq!(of(&[TOOLSET_10, EL7], &[]), expected("2.17", Certainty::Likely));
    assert_eq!(
        of(&[EL7, TOOLSET_14], &[]),
        expected("2.28", Certainty::Guess),
        "parts from elsewhere"
    );
    assert_eq!(of(&[EL7, DEBIAN], &[]), expected("2.36", Certainty::Guess));
    let new = [("f", "GLIBC_2.34", "libc.so.6")];
    assert_eq!(of(&[TOOLSET_14], &new), expected("2.34", Certainty::Guess), "no older system fits");
    assert_eq!(of(&[EL7], &new), None, "it cannot have been linked there");
    assert_eq!(of(&["GCC: (GNU) 12.2.0", "rustc version 1.90.0"], &[]), None);
}

#[test]
fn bundled_libraries_do_not_count_and_musl_is_detected() {
    let bundled = Fixture::new(WHEEL)
        .with(MODULE, compiled_by(&[TOOLSET_10], &[]))
        .with("pkg.libs/libfoo.so.1", compiled_by(&[DEBIAN], &[]));
    assert_eq!(origin(&bundled), Some(("2.17".to_owned(), Certainty::Guess)));
    let folder = Folder::new();
    gcc(&folder, "module.so", "void *PyInit__pkg(void) { return 0; }", &[]);
    let musl = Fixture::new("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl")
        .with("_pkg.abi3.so", compiled_by(&["GCC: (Alpine 14.2.0) 14.2.0", TOOLSET_14], &[]));
    assert_eq!(origin(&musl), Some(("musl 1.2".to_owned(), Certainty::Likely)));
}

#[test]
fn the_record_of_the_build_is_certain() {
    let libc = Libc::Glibc(LibcVersion::new(2, 41));
    let expectations = Expectations { built_on: Some(libc), ..Expectations::default() };
    let facts = audit(&native(compiled_by(&[EL7], &[])), &expectations).facts;
    assert_eq!(facts.build_glibc.as_deref(), Some("2.41"));
    assert_eq!(facts.build_origin.unwrap().certainty, Certainty::Known);
    // Next to a wheel.
    let folder = Folder::new();
    let inputs = Inputs { wheels: vec![wheel(WHEEL).write(folder.path())], ..Inputs::default() };
    let audited = |info: &str| {
        fs_err::write(folder.path().join("build-info.json"), info).unwrap();
        let report = audit_inputs(&inputs, &Expectations::default(), &Settings::default(), &|_| {});
        report.wheels[0].facts.build_origin.clone()
    };
    let info = r#"{"libc": {"family": "glibc", "version": "2.40"}}"#;
    assert_eq!(audited(info).unwrap().certainty, Certainty::Known);
    assert!(audited("{}").is_none_or(|origin| origin.certainty < Certainty::Known));
}
