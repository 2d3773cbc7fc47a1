//! Repeated findings.

use glob::Pattern;

use super::*;

/// A wheel whose `RECORD` lists none of its 20 modules.
fn unlisted() -> Fixture {
    let mut wheel = Fixture::new("pk-1.0-py3-none-any.whl").with("pk/__init__.py", "");
    for index in 0..20 {
        wheel.set(&format!("pk/m{index:02}.py"), "");
    }
    let own = "pk-1.0.dist-info/RECORD,,\n";
    let listed = ["WHEEL", "METADATA"].map(|name| format!("pk-1.0.dist-info/{name}"));
    let row = |(path, bytes): &(String, Vec<u8>)| {
        let digest = crate::wheel::Digest::of(bytes).base64();
        listed.contains(path).then(|| format!("{path},sha256={digest},{}\n", bytes.len()))
    };
    wheel.record = Some(wheel.files.iter().filter_map(row).collect::<Vec<_>>().concat() + own);
    wheel
}

fn audited(overrides: Vec<Override>) -> Vec<Finding> {
    let folder = Folder::new();
    let path = unlisted().write(folder.path());
    let settings = Settings { overrides, ..Settings::default() };
    audit_wheel(&path, &Expectations::default(), &settings).unwrap().findings
}

#[test]
fn repeated_findings_are_one_finding_with_every_path() {
    let findings = audited(Vec::new());
    assert_eq!(findings.len(), 1, "{findings:?}");
    let paths: Vec<&str> = findings[0].places().map(|(path, _)| path).collect();
    assert_eq!((paths.len(), paths[0], paths[20]), (21, "pk/__init__.py", "pk/m19.py"));
    let value = serde_json::to_value(&findings[0]).unwrap();
    assert_eq!(value["also"].as_array().unwrap().len(), 20);
    assert_eq!(value["also"][0]["path"], "pk/m00.py");
}

#[test]
fn an_override_of_a_path_changes_no_other_path() {
    let findings = audited(vec![Override {
        rule: "REC002".to_owned(),
        path: Some(Pattern::new("pk/m07.py").unwrap()),
        severity: Severity::Ignored,
        reason: "known".to_owned(),
    }]);
    let seen: Vec<_> = findings.iter().map(|it| (it.severity, it.places().count())).collect();
    assert_eq!(seen, [(Severity::Error, 20), (Severity::Ignored, 1)]);
    assert_eq!(findings[1].path, "pk/m07.py");
}
