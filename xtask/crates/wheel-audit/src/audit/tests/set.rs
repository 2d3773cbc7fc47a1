//! Findings about several wheels.

use super::*;

/// The findings about wheels in these folders.
fn findings_of(
    wheels: &[(&str, Fixture)],
    requested: Option<RequestedWheels>,
    publish: bool,
) -> Vec<Finding> {
    let folder = Folder::new();
    for (path, fixture) in wheels {
        let place = folder.path().join(path);
        fs_err::create_dir_all(&place).unwrap();
        fixture.write(&place);
    }
    let mut inputs = Inputs::find(&[folder.path().to_owned()]).unwrap();
    inputs.requested = requested;
    let settings = Settings { depth: Depth::Bytes, publish, ..Settings::default() };
    let findings = audit_inputs(&inputs, &Expectations::default(), &settings, &|_| {}).findings;
    // Ignore the missing manifests of these folders.
    findings.into_iter().filter(|finding| finding.code != "DST001").collect()
}

fn summaries(findings: &[Finding]) -> Vec<(&'static str, Severity, &str)> {
    let name = |finding: &Finding| finding.path.rsplit('/').next().unwrap().len();
    findings
        .iter()
        .map(|each| (each.code, each.severity, &each.path[each.path.len() - name(each)..]))
        .collect()
}

/// `pkg` with a version and a module for an interpreter.
fn pkg(version: &str, python: &str) -> Fixture {
    let number = python.trim_start_matches("cp");
    let name = format!(
        "pkg-{version}-{}-{python}-manylinux_2_36_x86_64.whl",
        python.trim_end_matches('t')
    );
    Fixture::new(&name)
        .with(&format!("pkg/_pkg.cpython-{number}-x86_64-linux-gnu.so"), PLAIN.clone())
        .with("pkg/__init__.py", "")
}

fn requested(pythons: &[&str]) -> RequestedWheels {
    let pythons: Vec<_> = pythons.iter().map(|python| python.parse().unwrap()).collect();
    let folders = [("debian12-amd64".to_owned(), pythons)].into();
    RequestedWheels {
        folders,
        project: Some(("pkg".into(), "1.0".into())),
        ..RequestedWheels::default()
    }
}

const HERE: &str = "debian12-amd64";

#[test]
fn similar_wheels_have_no_findings() {
    let wheels =
        [(HERE, pkg("1.0", "cp311")), (HERE, pkg("1.0", "cp312")), (HERE, pkg("1.0", "cp314t"))];
    assert_eq!(findings_of(&wheels, Some(requested(&["cp311", "cp312", "cp314t"])), true), []);
    assert_eq!(findings_of(&wheels, None, true), []);
}

#[test]
fn required_wheels_are_present() {
    let wheels = [(HERE, pkg("1.0", "cp311"))];
    let all = requested(&["cp311", "cp314t"]);
    assert_eq!(
        summaries(&findings_of(&wheels, Some(all.clone()), false)),
        [("SET001", Severity::Warning, HERE)]
    );
    let published = findings_of(&wheels, Some(all), true);
    assert_eq!(summaries(&published), [("SET001", Severity::Error, HERE)]);
    assert!(published[0].message.contains("`cp314t`"), "{}", published[0].message);
    let mut more = requested(&["cp311"]);
    more.folders.insert("rocky9-arm64".to_owned(), Vec::new());
    let absent = findings_of(&wheels, Some(more), true);
    assert_eq!(summaries(&absent), [("SET002", Severity::Warning, "dist")]);
    assert!(absent[0].message.contains("`rocky9-arm64`"), "{}", absent[0].message);
    let mut elsewhere = requested(&["cp311"]);
    elsewhere.folders.insert("rocky9-arm64".to_owned(), Vec::new());
    elsewhere.optional.insert("rocky9-arm64".to_owned());
    assert_eq!(
        findings_of(&wheels, Some(elsewhere.clone()), true),
        [],
        "hosted CI does not build it"
    );
    assert!(!absent[0].message.contains("`[ci] targets`"), "{}", absent[0].message);
    elsewhere.folders.insert("rocky9-amd64".to_owned(), Vec::new());
    let of_ci = findings_of(&wheels, Some(elsewhere), true);
    for part in ["1", "2", "`[ci] targets`", "`rocky9-amd64`"] {
        assert!(of_ci[0].message.contains(part), "{part}: {of_ci:?}");
    }
    let abi3 = Fixture::new("pkg-1.0-cp311-abi3-manylinux_2_36_x86_64.whl");
    assert_eq!(
        findings_of(&[(HERE, abi3)], Some(requested(&["cp311", "cp312"])), true),
        [],
        "one serves both"
    );
}

#[test]
fn two_targets_may_not_share_a_name() {
    let other = pkg("1.0", "cp311").with("pkg/data", "of the other");
    let name = "pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
    let wheels = [(HERE, pkg("1.0", "cp311")), ("rocky9-amd64", other)];
    assert_eq!(
        summaries(&findings_of(&wheels, Some(requested(&["cp311"])), false))[0],
        ("SET003", Severity::Error, name)
    );
    assert_eq!(
        summaries(&findings_of(&wheels, None, false))[0],
        ("SET003", Severity::Warning, name)
    );
    let one = RequestedWheels {
        unpublished: ["rocky9-amd64".to_owned()].into(),
        ..requested(&["cp311"])
    };
    let of_one = findings_of(&wheels, Some(one), true);
    assert!(of_one.iter().all(|each| each.code != "SET003"), "{of_one:?}");
    let copies = [(HERE, pkg("1.0", "cp311")), ("rocky9-amd64", pkg("1.0", "cp311"))];
    assert_eq!(
        summaries(&findings_of(&copies, Some(requested(&["cp311"])), false)),
        [("SET003", Severity::Note, name)]
    );
    assert_eq!(findings_of(&copies, None, false), []);
}

#[test]
fn several_versions_are_errors_in_dist_and_notes_elsewhere() {
    let wheels = [(HERE, pkg("1.0", "cp311")), (HERE, pkg("0.9", "cp312"))];
    let old = "pkg-0.9-cp312-cp312-manylinux_2_36_x86_64.whl";
    let own = findings_of(&wheels, Some(requested(&["cp311", "cp312"])), false);
    assert_eq!(summaries(&own), [("SET004", Severity::Error, old)]);
    let unknown = RequestedWheels { project: None, ..requested(&["cp311", "cp312"]) };
    assert_eq!(summaries(&findings_of(&wheels, Some(unknown), false))[0].1, Severity::Error);
    assert_eq!(summaries(&findings_of(&wheels, None, false))[0].0, "SET004");
    assert!(findings_of(&wheels, None, false).iter().all(|each| each.severity == Severity::Note));
    assert_eq!(
        findings_of(&[(HERE, pkg("1.0", "cp311")), (HERE, pkg("1.0.1", "cp312"))], None, false)
            .len(),
        1
    );
    assert_eq!(
        findings_of(&[(HERE, pkg("1.0", "cp311")), (HERE, pkg("1.0.0", "cp312"))], None, false),
        []
    );
    assert_eq!(
        findings_of(&[(HERE, pkg("1.0-1", "cp311")), (HERE, pkg("1.0", "cp312"))], None, false),
        []
    );
}

#[test]
fn a_wheel_that_lost_its_extension_is_reported() {
    let bare =
        Fixture::new("pkg-1.0-cp313-cp313-manylinux_2_36_x86_64.whl").with("pkg/__init__.py", "");
    let wheels = [(HERE, pkg("1.0", "cp311")), (HERE, pkg("1.0", "cp312")), (HERE, bare)];
    let own = findings_of(&wheels, Some(requested(&["cp311"])), false);
    let name = "pkg-1.0-cp313-cp313-manylinux_2_36_x86_64.whl";
    assert_eq!(summaries(&own)[0], ("SET006", Severity::Error, name));
    assert!(own[0].message.contains("`pkg/_pkg`"), "{}", own[0].message);
    assert!(own.iter().all(|each| each.path.ends_with(name)), "{own:?}");
    assert!(
        findings_of(&wheels, None, false).iter().all(|each| each.severity == Severity::Warning)
    );
}

#[test]
fn sizes_and_files_are_compared_with_the_other_wheels() {
    let noise: Vec<u8> =
        (0..40_000_u32).flat_map(|each| each.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = |python: &str| pkg("1.0", python).with("pkg/table", noise.clone());
    let wheels = [(HERE, large("cp311")), (HERE, large("cp312")), (HERE, pkg("1.0", "cp313"))];
    let name = "pkg-1.0-cp313-cp313-manylinux_2_36_x86_64.whl";
    let found = findings_of(&wheels, Some(requested(&["cp311"])), false);
    assert_eq!(
        summaries(&found),
        [("SET005", Severity::Warning, name), ("SET007", Severity::Warning, name)]
    );
    assert!(found[1].message.contains("`pkg/table`"), "{}", found[1].message);
    let alone = [
        (HERE, pkg("1.0", "cp311")),
        (HERE, pkg("1.0", "cp312")),
        (HERE, pkg("1.0", "cp313").with("pkg/x", "")),
    ];
    let found = findings_of(&alone, None, false);
    assert_eq!(summaries(&found), [("SET007", Severity::Note, name)]);
    assert!(found[0].message.contains("`pkg/x`"), "{}", found[0].message);
}

#[test]
fn pure_and_native_wheels_of_one_version_are_reported() {
    let pure = || Fixture::new("pkg-1.0-py3-none-any.whl");
    let wheels = [(HERE, pkg("1.0", "cp311")), (HERE, pure())];
    let own = findings_of(&wheels, Some(requested(&["cp311"])), false);
    assert_eq!(summaries(&own), [("SET008", Severity::Warning, "pkg-1.0-py3-none-any.whl")]);
    assert_eq!(findings_of(&wheels, None, false)[0].severity, Severity::Note);
}

#[test]
fn wheels_for_other_systems_and_implementations_are_not_compared() {
    let small = |name: &str| Fixture::new(name).with("pkg/__init__.py", "");
    let wheels = [
        (HERE, pkg("1.0", "cp311")),
        (HERE, small("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl")),
        (HERE, small("pkg-1.0-cp311-cp311-manylinux_2_36_aarch64.whl")),
        (HERE, small("pkg-1.0-pp311-pypy311_pp73-manylinux_2_36_x86_64.whl")),
        (HERE, small("pkg-1.0-cp311-cp311-win_amd64.whl")),
        (HERE, small("other-1.0-cp311-cp311-manylinux_2_36_x86_64.whl")),
    ];
    assert_eq!(findings_of(&wheels, None, false), []);
}
