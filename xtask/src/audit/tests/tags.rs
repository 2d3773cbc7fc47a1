//! Tags: the wheel that was asked for, and what is in it.

use super::*;

#[test]
fn defect_02_and_10_a_pure_wheel_where_an_extension_was_asked_for() {
    let pure = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg.py", "");
    assert_eq!(codes(&pure, &promise("manylinux_2_36_x86_64", "cp311")), ["TAG103"]);
    assert_eq!(own(&pure), Vec::<&str>::new());
    let hollow = Fixture::new(WHEEL).with("pkg.py", "");
    assert_eq!(codes(&hollow, &promise("manylinux_2_36_x86_64", "cp311")), ["TAG103"]);
    assert_eq!(
        own(&Fixture::new("pkg-1.0-py3-none-any.whl").with("a.so", PLAIN.clone())),
        ["MET005", "TAG005"]
    );
}

#[test]
fn defect_13_a_linux_tag_where_a_target_was_promised() {
    let fixture = wheel("pkg-1.0-cp311-cp311-linux_x86_64.whl");
    assert_eq!(codes(&fixture, &promise("manylinux_2_36_x86_64", "cp311")), ["TAG004", "TAG101"]);
    assert_eq!(codes(&fixture, &promise("linux_x86_64", "cp311")), ["TAG004"]);
    // Newer than the target, or for another machine, is as bad; older is fine.
    assert_eq!(
        codes(
            &wheel("pkg-1.0-cp311-cp311-manylinux_2_39_x86_64.whl"),
            &promise("manylinux_2_36_x86_64", "cp311")
        ),
        ["TAG101"]
    );
    assert_eq!(
        codes(
            &wheel("pkg-1.0-cp311-cp311-manylinux2014_x86_64.whl"),
            &promise("manylinux_2_36_x86_64", "cp311")
        ),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(&wheel(WHEEL), &promise("manylinux_2_36_aarch64", "cp311")),
        ["ELF002", "TAG101"]
    );
}

#[test]
fn a_cp314t_build_in_the_cp314_slot_is_an_error() {
    let name = "pkg-1.0-cp314-cp314-manylinux_2_36_x86_64.whl";
    let fixture = Fixture::new(name).with("_pkg.cpython-314t-x86_64-linux-gnu.so", PLAIN.clone());
    assert_eq!(own(&fixture), ["TAG201"]);
    let right = Fixture::new("pkg-1.0-cp314-cp314t-manylinux_2_36_x86_64.whl")
        .with("_pkg.cpython-314t-x86_64-linux-gnu.so", PLAIN.clone());
    assert_eq!(codes(&right, &promise("manylinux_2_36_x86_64", "cp314t")), Vec::<&str>::new());
    assert_eq!(codes(&right, &promise("manylinux_2_36_x86_64", "cp314")), ["TAG102"]);
    assert_eq!(own(&right.with("_pkg.abi3.so", PLAIN.clone())), ["TAG201"]);
}

#[test]
fn suffixes_belong_to_the_tags() {
    for (tags, suffix, good) in [
        ("cp311-cp311", "cpython-311-x86_64-linux-gnu", true),
        ("cp312-cp312", "cpython-311-x86_64-linux-gnu", false),
        ("cp38-abi3", "abi3", true),
        ("cp38-abi3", "cpython-38-x86_64-linux-gnu", false),
        ("cp311-cp311", "abi3", true),
        ("pp311-pypy311_pp73", "pypy311-pp73-x86_64-linux-gnu", true),
        ("pp311-pypy311_pp73", "abi3", false),
        ("cp311-cp311", "pypy311-pp73-x86_64-linux-gnu", false),
        ("py3-none", "cpython-311-x86_64-linux-gnu", true),
    ] {
        let fixture = Fixture::new(&format!("pkg-1.0-{tags}-manylinux_2_36_x86_64.whl"))
            .with(&format!("_pkg.{suffix}.so"), PLAIN.clone());
        assert_eq!(own(&fixture), if good { vec![] } else { vec!["TAG201"] }, "{suffix} in {tags}");
    }
}

#[test]
fn defect_12_retagged_wheels_of_two_targets_differ_in_name_and_pass_for_their_own() {
    let (built, out) = (Folder::new(), Folder::new());
    let input = wheel("pkg-1.0-cp311-cp311-linux_x86_64.whl").write(built.path());
    let mut names = Vec::new();
    for tag in ["manylinux_2_34_x86_64", "manylinux_2_36_x86_64"] {
        let path = crate::wheel::retag(&input, out.path(), tag).unwrap();
        let audit = audit_wheel(&path, &promise(tag, "cp311"), &Settings::default()).unwrap();
        assert_eq!(audit.findings, []);
        names.push(audit.facts.file);
    }
    assert_ne!(names[0], names[1]);
}
