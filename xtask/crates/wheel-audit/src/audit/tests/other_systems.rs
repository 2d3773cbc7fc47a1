//! Wheels for other systems than Linux.

use super::*;

/// Codes, severities and the facts about the machine code.
fn audited(name: &str, spoil: impl Fn(&mut Fixture)) -> (Vec<(&'static str, Severity)>, Audit) {
    let mut wheel = Fixture::new(name).with("pk/__init__.py", "").with("pk/_x.pyd", "MZ\u{90}");
    spoil(&mut wheel);
    let audit = audit(&wheel, &Expectations::default());
    (audit.findings.iter().map(|finding| (finding.code, finding.severity)).collect(), audit)
}

#[test]
fn machine_code_of_other_systems_is_skipped() {
    for platform in [
        "win_amd64",
        "macosx_11_0_arm64",
        "macosx_10_9_x86_64.macosx_11_0_arm64",
        "ios_13_0_arm64_iphoneos",
        "android_24_arm64_v8a",
        "pyodide_2024_0_wasm32",
    ] {
        let name = format!("pk-1.0-cp312-cp312-{platform}.whl");
        let (codes, audit) = audited(&name, |_| {});
        assert_eq!(codes, [("TAG020", Severity::Note)], "{platform}");
        assert_eq!((audit.verdict(), audit.facts.overall_tag.as_str()), (Verdict::Pass, "unknown"));
        let loads = [State::Loads, State::Breaks, State::Unknown, State::Withheld];
        assert!(audit.systems().iter().all(|cell| !loads.contains(&cell.state)), "{platform}");
    }
}

#[test]
fn archive_record_and_metadata_of_other_systems_are_checked() {
    let name = "pk-1.0-cp312-cp312-win_amd64.whl";
    let spoiled = |path: &str, text: &str| {
        let (codes, _) = audited(name, |wheel| {
            wheel.set(path, text);
        });
        codes.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let metadata = "Metadata-Version: 2.1\nName: pk\nVersion: 2.0\n";
    assert_eq!(spoiled("pk-1.0.dist-info/METADATA", metadata), ["MET004", "TAG020"]);
    assert_eq!(spoiled("pk/aux.py", ""), ["MET045", "TAG020"]);
    let (codes, _) = audited(name, |wheel| wheel.record = Some(String::new()));
    assert!(codes.contains(&("REC002", Severity::Error)), "{codes:?}");
    assert_eq!(
        audited("pk-1.0-cp312-cp312-win_x86_64.whl", |_| {}).0.first(),
        Some(&("TAG003", Severity::Error))
    );
}
