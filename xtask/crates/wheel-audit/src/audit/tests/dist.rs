//! A folder with a manifest.

use super::*;
use crate::dist::{Kind, Reproduced, Smoke, Tests, WheelBuild};
use crate::made_dist;

/// The findings about a `dist/` with one valid wheel that `spoil` changed.
fn audited(depth: Depth, overrides: Vec<Override>, spoil: impl Fn(&Utf8Path)) -> Report {
    let folder = Folder::new();
    let work = folder.path().join("work");
    fs_err::create_dir(&work).unwrap();
    let path = wheel(WHEEL).write(&work);
    let audit = audit_wheel(&path, &Expectations::default(), &Settings::default()).unwrap();
    let builds = vec![WheelBuild {
        interpreter: "cp311".into(),
        built_by: None,
        job: "key".into(),
        base: None,
        smoke: Smoke::Passed,
        tests: Tests::None,
        reproduced: Reproduced::Unknown,
        claimed: false,
    }];
    let (target, platform) = ("debian12".to_owned(), "linux/amd64".to_owned());
    let info = serde_json::json!({"schema_version": 1, "target": target, "platform": platform});
    let audits = serde_json::json!({"schema_version": 1, "wheels": [audit]});
    let kind = Kind::Wheel {
        target,
        platform,
        verdict: "pass".into(),
        builds,
        floor: String::new(),
        grafted: Vec::new(),
    };
    let dist = folder.path().join("dist");
    made_dist::add(
        &dist,
        "debian12-amd64",
        &[
            (WHEEL, &fs_err::read(path).unwrap(), kind),
            ("audit.json", audits.to_string().as_bytes(), Kind::Metadata),
            ("build-info.json", info.to_string().as_bytes(), Kind::Metadata),
        ],
    );
    spoil(&dist);
    let inputs = Inputs::find(&[dist]).unwrap();
    let settings = Settings { depth, overrides, ..Settings::default() };
    audit_inputs(&inputs, &Expectations::default(), &settings, &|_| {})
}

fn codes_of(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_dist_is_checked_with_its_wheels() {
    let good = audited(Depth::Bytes, Vec::new(), |_| {});
    assert_eq!((good.findings.as_slice(), good.verdict), ([].as_slice(), Verdict::Pass));
    let grow = |dist: &Utf8Path| {
        let path = dist.join("debian12-amd64").join(WHEEL);
        let mut bytes = fs_err::read(&path).unwrap();
        // The same size, so that only the digest differs.
        *bytes.last_mut().unwrap() ^= 1;
        fs_err::write(&path, bytes).unwrap();
    };
    let changed = audited(Depth::Bytes, Vec::new(), grow);
    assert_eq!((codes_of(&changed), changed.verdict), (vec!["DST003"], Verdict::Fail));
    let path = &changed.findings.first().unwrap().path;
    assert!(path.ends_with(&format!("dist/debian12-amd64/{WHEEL}")), "{path}");
    let extra = |dist: &Utf8Path| {
        wheel("pkg-1.0-cp312-cp312-manylinux_2_36_x86_64.whl").write(dist);
    };
    assert_eq!(codes_of(&audited(Depth::Bytes, Vec::new(), extra)), ["DST005"]);
    assert_eq!(codes_of(&audited(Depth::Floor, Vec::new(), extra)), [""; 0], "not `check-glibc`'s");
}

#[test]
fn findings_about_files_of_dist_can_be_overridden_by_name() {
    let lost =
        |dist: &Utf8Path| fs_err::remove_file(dist.join("debian12-amd64/audit.json")).unwrap();
    let severities = |path| {
        let over = Override {
            rule: "DST".to_owned(),
            path: Some(glob::Pattern::new(path).unwrap()),
            severity: Severity::Note,
            reason: "kept elsewhere".to_owned(),
        };
        let report = audited(Depth::Bytes, vec![over], lost);
        report.findings.iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(severities("audit.json"), [Severity::Note; 2]);
    assert_eq!(severities("*.whl"), [Severity::Error; 2]);
}

#[test]
fn only_the_repositorys_dist_needs_a_manifest() {
    let folder = Folder::new();
    wheel(WHEEL).write(folder.path());
    let settings = Settings { depth: Depth::Bytes, ..Settings::default() };
    let mut inputs = Inputs::find(&[folder.path().to_owned()]).unwrap();
    assert_eq!(
        codes_of(&audit_inputs(&inputs, &Expectations::default(), &settings, &|_| {})),
        [""; 0]
    );
    inputs.requested = Some(RequestedWheels::default());
    assert_eq!(
        codes_of(&audit_inputs(&inputs, &Expectations::default(), &settings, &|_| {})),
        ["DST001"]
    );
}
