//! Tags, compared with the target and the files.

use super::*;

#[test]
fn defect_02_and_10_a_pure_wheel_lacks_the_requested_extension() {
    let pure = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg.py", "");
    assert_eq!(codes(&pure, &expectations("manylinux_2_36_x86_64", "cp311")), ["TAG103"]);
    assert_eq!(own(&pure), Vec::<&str>::new());
    let hollow = Fixture::new(WHEEL).with("pkg.py", "");
    assert_eq!(codes(&hollow, &expectations("manylinux_2_36_x86_64", "cp311")), ["TAG103"]);
    assert_eq!(
        own(&Fixture::new("pkg-1.0-py3-none-any.whl").with("a.so", PLAIN.clone())),
        ["MET005", "TAG005"]
    );
}

#[test]
fn defect_13_a_linux_tag_breaks_the_promise_of_a_target() {
    let fixture = wheel("pkg-1.0-cp311-cp311-linux_x86_64.whl");
    assert_eq!(
        codes(&fixture, &expectations("manylinux_2_36_x86_64", "cp311")),
        ["TAG004", "TAG101"]
    );
    assert_eq!(codes(&fixture, &expectations("linux_x86_64", "cp311")), ["TAG004"]);
    // A tag newer than the target, or for another architecture, is an error. An older one is valid.
    assert_eq!(
        codes(
            &wheel("pkg-1.0-cp311-cp311-manylinux_2_39_x86_64.whl"),
            &expectations("manylinux_2_36_x86_64", "cp311")
        ),
        ["TAG101"]
    );
    assert_eq!(
        codes(
            &wheel("pkg-1.0-cp311-cp311-manylinux2014_x86_64.whl"),
            &expectations("manylinux_2_36_x86_64", "cp311")
        ),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(&wheel(WHEEL), &expectations("manylinux_2_36_aarch64", "cp311")),
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
    assert_eq!(codes(&right, &expectations("manylinux_2_36_x86_64", "cp314t")), Vec::<&str>::new());
    assert_eq!(codes(&right, &expectations("manylinux_2_36_x86_64", "cp314")), ["TAG102"]);
    assert_eq!(own(&right.with("sub/_pkg.abi3.so", PLAIN.clone())), ["TAG201"]);
}

#[test]
fn suffixes_match_the_tags() {
    for (tags, suffix, good) in [
        ("cp311-cp311", "cpython-311-x86_64-linux-gnu", true),
        ("cp312-cp312", "cpython-311-x86_64-linux-gnu", false),
        ("cp38-abi3", "abi3", true),
        ("cp38-abi3", "cpython-38-x86_64-linux-gnu", false),
        ("cp311-cp311", "abi3", true),
        ("pp311-pypy311_pp73", "pypy311-pp73-x86_64-linux-gnu", true),
        ("graalpy312-graalpy250_312_native", "graalpy250-312-native-x86_64-linux", true),
        ("graalpy312-graalpy250_312_native", "abi3", false),
        ("graalpy312-graalpy250_312_native", "cpython-312-x86_64-linux-gnu", false),
        ("pp311-pypy311_pp73", "abi3", false),
        ("cp311-cp311", "pypy311-pp73-x86_64-linux-gnu", false),
        // Python 3.15 imports `.abi3t.so`. Its free-threaded build does not import `.abi3.so`.
        ("cp315-abi3t", "abi3t", true),
        ("cp315-abi3.abi3t", "abi3t", true),
        ("cp315-abi3", "abi3t", true),
        ("cp315-cp315", "abi3t", true),
        ("cp315-cp315t", "abi3t", true),
        ("cp315-abi3t", "abi3", false),
        ("cp315-cp315t", "abi3", false),
        ("cp315-abi3t", "cpython-315t-x86_64-linux-gnu", false),
        ("cp314-abi3", "abi3t", false),
        ("cp314-cp314t", "abi3t", false),
        ("pp311-pypy311_pp73", "abi3t", false),
        // Names with a platform exist since 3.15.
        ("cp315-abi3", "abi3-x86_64-linux-gnu", true),
        ("cp315-abi3.abi3t", "abi3t-x86_64-linux-gnu", true),
        ("cp311-abi3", "abi3-x86_64-linux-gnu", false),
    ] {
        let fixture = Fixture::new(&format!("pkg-1.0-{tags}-manylinux_2_36_x86_64.whl"))
            .with(&format!("_pkg.{suffix}.so"), PLAIN.clone());
        assert_eq!(own(&fixture), if good { vec![] } else { vec!["TAG201"] }, "{suffix} in {tags}");
    }
}

#[test]
fn defect_12_retagged_wheels_pass_only_for_their_own_target() {
    let (built, out) = (Folder::new(), Folder::new());
    let input = wheel("pkg-1.0-cp311-cp311-linux_x86_64.whl").write(built.path());
    let mut names = Vec::new();
    for tag in ["manylinux_2_34_x86_64", "manylinux_2_36_x86_64"] {
        let path = crate::wheel::finish(&input, out.path(), Some(tag), None).unwrap();
        let audit = audit_wheel(&path, &expectations(tag, "cp311"), &Settings::default()).unwrap();
        assert_eq!(audit.findings, []);
        names.push(audit.facts.file);
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn leftover_modules_are_distinguished_from_missing_ones() {
    let module = |path: &str| wheel(WHEEL).with(path, PLAIN.clone());
    let other = "_pkg.cpython-312-x86_64-linux-gnu.so";
    assert_eq!(own(&module(other)), ["TAG205"], "the wheel contains the right module too");
    assert_eq!(own(&module(&format!("pkg/{other}"))), ["TAG201"]);
    assert_eq!(own(&Fixture::new(WHEEL).with(other, PLAIN.clone())), ["TAG201"]);
}

#[test]
fn an_additional_module_for_one_python_is_no_error() {
    let name = "pkg-1.0-cp310-abi3-manylinux_2_36_x86_64.whl";
    let stable = || Fixture::new(name).with("_pkg.abi3.so", PLAIN.clone());
    assert_eq!(own(&stable().with(&format!("fast/{MODULE}"), PLAIN.clone())), ["TAG203"]);
    assert_eq!(own(&Fixture::new(name).with(MODULE, PLAIN.clone())), ["TAG201"]);
    let older = "fast/_pkg.cpython-39-x86_64-linux-gnu.so";
    assert_eq!(own(&stable().with(older, PLAIN.clone())), ["TAG201"]);
}

#[test]
fn a_wheel_for_every_python_has_modules_for_every_python() {
    let name = "pkg-1.0-py3-none-manylinux_2_36_x86_64.whl";
    let one = Fixture::new(name).with(MODULE, PLAIN.clone());
    assert_eq!(own(&one), ["TAG203"]);
    let two = one.with("_pkg.cpython-312-x86_64-linux-gnu.so", PLAIN.clone());
    assert_eq!(own(&two), Vec::<&str>::new());
    assert_eq!(own(&Fixture::new(name).with("_pkg.abi3.so", PLAIN.clone())), Vec::<&str>::new());
    let cp = "pkg-1.0-cp311-none-manylinux_2_36_x86_64.whl";
    assert_eq!(own(&Fixture::new(cp).with(MODULE, PLAIN.clone())), Vec::<&str>::new());
}

#[test]
fn each_interpreter_of_a_set_has_its_modules() {
    let wheel = |tags: &str, suffixes: &[&str]| {
        let name = format!("pkg-1.0-{tags}-manylinux_2_36_x86_64.whl");
        let add =
            |fixture: Fixture, path: &&str| fixture.with(&format!("{path}.so"), PLAIN.clone());
        own(&suffixes.iter().fold(Fixture::new(&name), add))
    };
    let of = |minor: u8| format!("_pkg.cpython-{minor}-x86_64-linux-gnu");
    let (old, new) = (of(11).replace("-11-", "-311-"), of(12).replace("-12-", "-312-"));
    let sub = format!("pkg/{old}");
    let good = Vec::<&str>::new();
    for tags in ["cp311.cp312-cp311.cp312", "cp311.cp312-none"] {
        assert_eq!(wheel(tags, &[&old, &new]), good, "{tags}");
        assert_eq!(wheel(tags, &["_pkg.abi3"]), good, "{tags}");
        assert_eq!(wheel(tags, &["libpkg"]), good, "{tags}");
        assert_eq!(wheel(tags, &[&old]), ["TAG206"], "{tags}");
        assert_eq!(wheel(tags, &[&old, &new, &sub]), ["TAG207"], "{tags}");
        // A module for any interpreter.
        assert_eq!(wheel(tags, &[&old, "pkg/_pkg"]), ["TAG207"], "{tags}");
    }
    assert_eq!(wheel("cp311-cp311", &[&old]), good);
    assert_eq!(wheel("cp310.cp311-abi3", &["_pkg.abi3"]), good);
}

#[test]
fn modules_for_musl_are_not_imported_with_glibc() {
    let module = "_pkg.cpython-311-x86_64-linux-musl.so";
    assert_eq!(own(&Fixture::new(WHEEL).with(module, PLAIN.clone())), ["TAG204"]);
    for platform in ["musllinux_1_2_x86_64", "linux_x86_64"] {
        let name = format!("pkg-1.0-cp311-cp311-{platform}.whl");
        let codes = own(&Fixture::new(&name).with(module, PLAIN.clone()));
        assert!(!codes.contains(&"TAG204"), "{platform}");
    }
}

#[test]
fn nonexistent_and_rejected_platforms_are_reported() {
    for (platform, code) in [
        ("manylinux_2_36_x86_64", None),
        ("manylinux_2_39_riscv64", None),
        ("manylinux_2_99_x86_64", Some("TAG006")),
        ("manylinux_2_44_x86_64", Some("TAG007")),
        ("manylinux_2_36_loongarch64", Some("TAG008")),
        ("any.manylinux_2_36_x86_64", Some("TAG011")),
        ("manylinux_2_36_x86_64.manylinux_2_36_x86_64", Some("TAG010")),
    ] {
        let name = format!("pkg-1.0-py3-none-{platform}.whl");
        let mut codes = own(&Fixture::new(&name).with("pkg.py", ""));
        // It contains no machine code.
        codes.retain(|code| *code != "TAG107");
        assert_eq!(codes, Vec::from_iter(code), "{platform}");
    }
}

#[test]
fn python_and_abi_tags_name_one_interpreter() {
    for (tags, code) in [
        ("cp311-cp311", None),
        ("cp37-cp37m", None),
        ("cp314-cp314t", None),
        ("cp39.cp310-cp39.cp310", None),
        ("cp36.cp37-abi3", None),
        ("cp315-abi3t", None),
        ("cp315-abi3.abi3t", None),
        ("pp311-pypy311_pp73", None),
        ("graalpy311-graalpy242_311_native", None),
        ("py2.py3-none", None),
        ("cp311-cp312", Some("TAG104")),
        ("cp314-cp313t", Some("TAG104")),
        ("py3-abi3", Some("TAG104")),
        ("py3-abi3t", Some("TAG104")),
        ("py3-cp311", Some("TAG104")),
        ("cp311-pypy311_pp73", Some("TAG104")),
        ("graalpy312-graalpy250_312_native", None),
        ("graalpy311-graalpy250_312_native", Some("TAG104")),
        ("cp314t-none", Some("TAG104")),
        ("py3-nine", Some("TAG009")),
    ] {
        let name = format!("pkg-1.0-{tags}-manylinux_2_36_x86_64.whl");
        let codes = own(&Fixture::new(&name).with("libpkg.so", PLAIN.clone()));
        assert_eq!(codes, Vec::from_iter(code), "{tags}");
    }
}

#[test]
fn a_wheel_that_requires_python_excludes_is_an_error() {
    let wheel = |tags: &str, python: &str| {
        let name = format!("pkg-1.0-{tags}-manylinux_2_36_x86_64.whl");
        let text =
            format!("Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\nRequires-Python: {python}\n");
        let fixture = Fixture::new(&name).with("libpkg.so", PLAIN.clone());
        own(&fixture.with("pkg-1.0.dist-info/METADATA", text))
    };
    for (tags, python, good) in [
        ("cp311-cp311", ">=3.9", true),
        ("cp311-cp311", ">=3.11.4,!=3.11.5", true),
        ("cp311-cp311", "<3.11.1", true),
        ("cp38.cp311-cp38.cp311", ">=3.9", true),
        ("cp38-abi3", ">=3.9", true),
        ("py3-none", ">=3.9", true),
        ("cp38-cp38", ">=3.9", false),
        ("cp38.cp37-none", ">=3.9", false),
        ("pp310-pypy310_pp73", "!=3.10.*", false),
    ] {
        let wanted = if good { vec![] } else { vec!["TAG105"] };
        assert_eq!(wheel(tags, python), wanted, "{tags} {python}");
    }
}

#[test]
fn wheels_without_machine_code_need_no_platform() {
    let codes = |tags: &str| own(&Fixture::new(&format!("pkg-1.0-{tags}.whl")).with("pkg.py", ""));
    assert_eq!(codes("cp311-cp311-manylinux_2_36_x86_64"), ["TAG106"]);
    assert_eq!(codes("cp39-abi3-manylinux_2_36_x86_64"), ["TAG106"]);
    assert_eq!(codes("py3-none-manylinux_2_36_x86_64"), ["TAG107"]);
    assert_eq!(codes("py3-none-any"), Vec::<&str>::new());
}

#[test]
fn a_wheel_for_both_stable_abis_has_modules_for_both() {
    let wheel = |suffix: &str| {
        let name = "pkg-1.0-cp315-abi3.abi3t-manylinux_2_36_x86_64.whl";
        own(&Fixture::new(name).with(&format!("_pkg.{suffix}.so"), PLAIN.clone()))
    };
    assert_eq!(wheel("abi3t"), Vec::<&str>::new());
    assert_eq!(wheel("abi3"), ["TAG206"], "free-threaded Python does not import it");
}
