//! The JSON report.

use serde_json::Value;

use super::{schema::violations, *};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../schema/report.schema.json")).unwrap()
}

/// A report on valid and invalid wheels, a library, another file and a missing file.
pub(crate) fn report(depth: Depth) -> (Folder, Report) {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    wheel(WHEEL).write(folder.path());
    let bad = module(&[("__isoc23_strtol", "GLIBC_2.38", "libc.so.6")], &["-z", "execstack"]);
    let name = "other-2.0-cp312-cp312-manylinux_2_28_x86_64.whl";
    Fixture::new(name).with("_pkg.cpython-312-x86_64-linux-gnu.so", bad).write(folder.path());
    Fixture::new("pure-1-py3-none-any.whl").with("pure/__init__.py", "").write(folder.path());
    fs_err::write(path("libplain.so"), &*PLAIN).unwrap();
    fs_err::write(path("libbad.so"), "hello").unwrap();
    let paths = [folder.path().to_owned(), path("libbad.so")];
    let mut inputs = Inputs::find(&paths).unwrap();
    inputs.wheels.push(path("gone.whl"));
    let settings = Settings {
        depth,
        overrides: vec![Override {
            rule: "executable-stack".to_owned(),
            path: None,
            severity: Severity::Ignored,
            reason: "its author knows".to_owned(),
        }],
        ..Settings::default()
    };
    let report = audit_inputs(&inputs, &Expectations::default(), &settings, &|_| {});
    (folder, report)
}

#[test]
fn reports_of_every_depth_match_the_schema() {
    for depth in [Depth::Floor, Depth::Bytes, Depth::Code] {
        let (_folder, report) = report(depth);
        let counts = [report.wheels.len(), report.files.len(), report.unread.len()];
        assert_eq!(counts, [3, 2, 1]);
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(violations(&schema(), &value), Vec::<String>::new(), "{depth:?}");
    }
}

#[test]
fn the_schema_accepts_only_its_version() {
    let (_folder, report) = report(Depth::Floor);
    let mut value = serde_json::to_value(&report).unwrap();
    value["schema_version"] = (SCHEMA_VERSION + 1).into();
    value["wheels"][0]["findings"][0]["severity"] = "bad".into();
    assert_eq!(violations(&schema(), &value).len(), 2);
    let alone = serde_json::json!({"schema_version": SCHEMA_VERSION, "wheels": []});
    assert_eq!(violations(&schema(), &alone), Vec::<String>::new(), "`audit.json`");
}

/// The report without parts that depend on the machine. Notes depend on the linker's defaults.
fn stable(folder: &Folder, report: &Report) -> String {
    let mut value = serde_json::to_value(report).unwrap();
    for wheel in value["wheels"].as_array_mut().unwrap() {
        (wheel["size"], wheel["sha256"]) = (0.into(), "…".into());
        (wheel["build_glibc"], wheel["build_origin"]) = (Value::Null, Value::Null);
        wheel["findings"].as_array_mut().unwrap().retain(|finding| finding["severity"] != "note");
    }
    serde_json::to_string_pretty(&value).unwrap().replace(folder.path().as_str(), "/at")
}

#[test]
fn a_report_looks_like_this() {
    let (folder, mut report) = report(Depth::Code);
    // Another test covers a complete wheel.
    report.wheels.retain(|wheel| wheel.facts.file.starts_with("other"));
    insta::assert_snapshot!(stable(&folder, &report));
}
