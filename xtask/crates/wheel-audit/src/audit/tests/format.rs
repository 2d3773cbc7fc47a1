//! The format: archive, `RECORD`, metadata and file name.

use super::*;
use crate::audit::{Cell, State};

#[test]
fn metadata_that_differs_from_the_file_name_is_an_error() {
    let folder = "pkg-1.0.dist-info";
    let metadata = |text: &str| own(&wheel(WHEEL).with(&format!("{folder}/METADATA"), text));
    assert_eq!(metadata("Metadata-Version: 2.1\nName: Pkg\nVersion: 1.0\n"), Vec::<&str>::new());
    assert_eq!(metadata("Metadata-Version: 2.1\nName: other\nVersion: 1.1\n"), ["MET004"]);
    assert_eq!(metadata(""), ["MET003"]);
    let of_wheel = |text: &str| own(&wheel(WHEEL).with(&format!("{folder}/WHEEL"), text));
    assert_eq!(
        of_wheel("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n"),
        ["TAG002"]
    );
    assert_eq!(
        of_wheel(
            "Wheel-Version: 2.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_36_x86_64\n"
        ),
        ["MET002"]
    );
    assert_eq!(of_wheel("no"), ["MET002"]);
    assert!(own(&wheel(WHEEL).with("other-1.0.dist-info/METADATA", "x")).contains(&"MET001"));
}

#[test]
fn tag_lines_with_the_same_fault_are_one_finding() {
    let audited = |name: &str, tags: &[&str]| {
        let lines: Vec<String> = tags.iter().map(|tag| format!("Tag: {tag}\n")).collect();
        let text = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n{}", lines.concat());
        let wheel = Fixture::new(name).with("pk/__init__.py", "");
        let audit = audit(&wheel.with("pk-1.0.dist-info/WHEEL", text), &Expectations::default());
        let found = audit.findings.into_iter().filter(|it| it.code == "TAG002");
        found.map(|it| (it.severity, it.message)).collect::<Vec<_>>()
    };
    let both = "pk-1.0-py2.py3-none-any.whl";
    assert_eq!(audited(both, &["py2-none-any", "py3-none-any"]), []);
    // Installers read only the file name.
    let found = audited(both, &["py2.py3-none-any"]);
    assert!(matches!(found.as_slice(), [(Severity::Warning, _)]), "{found:?}");
    assert!(found[0].1.contains("not expanded"), "{found:?}");
    for lines in [["py2-none-any", "py4-none-any"], ["py2.py4-none-any", "py3-none-any"]] {
        let found = audited(both, &lines);
        assert!(matches!(found.as_slice(), [(Severity::Error, _)]), "{found:?}");
    }
    let letters = ["-", "3", "a", "e", "n", "n", "n", "o", "p", "y", "y"];
    let found = audited("pk-1.0-py3-none-any.whl", &letters);
    assert!(matches!(found.as_slice(), [(Severity::Error, _)]), "{found:?}");
}

#[test]
fn hashes_in_another_form_are_one_finding() {
    let mut wheel = wheel(WHEEL);
    for index in 0..9 {
        wheel.set(&format!("pkg/m{index}.py"), "");
    }
    let row = |(path, bytes): &(String, Vec<u8>)| {
        let digest = crate::wheel::Digest::of(bytes).hex();
        format!("{path},sha256={digest},{}\n", bytes.len())
    };
    let rows = wheel.files.iter().map(row).collect::<Vec<_>>().concat();
    wheel.record = Some(format!("{rows}pkg-1.0.dist-info/RECORD,,\n"));
    let found = audit(&wheel, &Expectations::default()).findings;
    let found: Vec<_> = found.iter().map(|it| (it.code, it.severity, it.path.as_str())).collect();
    assert_eq!(found, [("REC005", Severity::Error, "pkg-1.0.dist-info/RECORD")]);
}

#[test]
fn record_covers_every_file() {
    let with = |record: &str| Fixture { record: Some(record.to_owned()), ..wheel(WHEEL) };
    assert_eq!(own(&with("")), ["REC002"]);
    assert_eq!(own(&with("gone.py,sha256=x,1\n")), ["REC002", "REC003"]);
    assert_eq!(own(&with("\"")), ["REC001"]);
    assert_eq!(own(&with(&format!("{MODULE},md5=x,1\n"))), ["REC002", "REC004", "REC005"]);
    assert_eq!(own(&with("../gone.py,sha256=x,1\n")), ["REC002", "REC007"]);
    let own_row = "pkg-1.0.dist-info/RECORD,sha256=x,1\n";
    assert_eq!(own(&with(own_row)), ["REC002", "REC008"]);
    assert_eq!(own(&with(&format!("{MODULE},sha512=x,\n"))), ["REC002", "REC009"]);
}

#[test]
fn archives_that_cannot_be_trusted_fail() {
    assert_eq!(own(&wheel(WHEEL).with("../evil.py", "")), ["ARC002", "MET032", "REC007"]);
    assert_eq!(own(&wheel(WHEEL).with("pkg/A.py", "").with("pkg/a.py", "")), ["ARC004"]);
    assert_eq!(own(&wheel(WHEEL).with("zeros", vec![0; 66 << 20])), ["ARC008"]);
    let folder = Folder::new();
    let path = folder.path().join(WHEEL);
    let mut bytes = wheel(WHEEL).bytes();
    let damage = |bytes: &[u8]| {
        fs_err::write(&path, bytes).unwrap();
        let audit = audit_wheel(&path, &Expectations::default(), &Settings::default()).unwrap();
        assert_eq!(audit.verdict(), Verdict::Fail);
        audit.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(damage(b"no archive"), ["ARC001"]);
    assert_eq!(damage(&bytes[..bytes.len() / 2]), ["ARC001"]);
    let unread = audit_wheel(&path, &Expectations::default(), &Settings::default()).unwrap();
    assert!(unread.facts.is_unknown());
    let is_refused = |cell: &Cell| [State::Refused, State::Absent].contains(&cell.state);
    assert!(unread.systems().iter().all(is_refused));
    // The first member's data follows its header and name.
    let first = 30 + usize::from(bytes[26]);
    bytes[first + 4] ^= 0xff;
    assert!(damage(&bytes).contains(&"ARC010"));
}

#[test]
fn defect_12_wheels_without_a_wheel_name_are_errors() {
    let folder = Folder::new();
    let path = folder.path().join("test.whl");
    fs_err::write(&path, wheel(WHEEL).bytes()).unwrap();
    let audit = audit_wheel(&path, &Expectations::default(), &Settings::default()).unwrap();
    assert_eq!(audit.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["TAG001"]);
    assert!(matches!(
        audit_wheel(
            &folder.path().join("absent.whl"),
            &Expectations::default(),
            &Settings::default()
        ),
        Err(AuditError::Io(_))
    ));
}

#[test]
fn platform_tags_without_a_policy_are_errors() {
    for platform in ["manylinux1_aarch64", "macosx_arm64", "manylinux_2_4_x86_64"] {
        let fixture = Fixture::new(&format!("pkg-1.0-py3-none-{platform}.whl")).with("pkg.py", "");
        assert_eq!(own(&fixture), ["TAG003", "TAG107"], "{platform}");
    }
}

/// Unreadable files fail even if the audit reads only the floor.
#[test]
fn unreadable_files_fail_at_floor_depth() {
    let folder = Folder::new();
    let floor = Settings { depth: Depth::Floor, ..Settings::default() };
    let check = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let audit = audit_wheel(&path, &Expectations::default(), &floor).unwrap();
        let codes: Vec<_> = audit.findings.iter().map(|finding| finding.code).collect();
        (audit.verdict(), codes, audit.facts.overall_tag)
    };
    let good = wheel(WHEEL).bytes();
    assert_eq!(check(WHEEL, &good).0, Verdict::Pass);
    assert_eq!(check(WHEEL, b"no archive at all").1, ["ARC001"]);
    assert_eq!(check("renamed.whl", &good).1, ["TAG001"]);
    // The compressed bytes of the module, which is the largest member.
    let mut damaged = good.clone();
    let at = damaged.windows(MODULE.len()).position(|part| part == MODULE.as_bytes()).unwrap();
    let packed = at + MODULE.len() + 200;
    damaged[packed..packed + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
    let (verdict, codes, tag) = check(WHEEL, &damaged);
    assert_eq!((verdict, codes.as_slice()), (Verdict::Fail, ["ARC010"].as_slice()));
    assert_eq!(tag, "linux_x86_64", "its needs are unknown");
}
