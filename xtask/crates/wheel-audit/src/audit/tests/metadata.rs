//! `METADATA`, `WHEEL`, entry points and other metadata.

use super::*;

const FOLDER: &str = "pkg-1.0.dist-info";

/// The codes for a wheel with these lines after name and version in `METADATA`.
fn metadata(version: &str, lines: &str) -> Vec<&'static str> {
    let text = format!("Metadata-Version: {version}\nName: pkg\nVersion: 1.0\n{lines}");
    own(&wheel(WHEEL).with(&format!("{FOLDER}/METADATA"), text))
}

fn with(files: &[(&str, &str)]) -> Vec<&'static str> {
    own(&files.iter().fold(wheel(WHEEL), |fixture, (path, text)| fixture.with(path, *text)))
}

const GOOD: [&str; 0] = [];

#[test]
fn fields_belong_to_the_version_of_the_metadata() {
    assert_eq!(metadata("2.1", "Provides-Extra: x\nrequires-dist: a\nX-Own: b\n"), GOOD);
    assert_eq!(metadata("1.1", "Requires-Dist: a\n"), ["MET007"]);
    assert_eq!(metadata("2.3", "License-Expression: MIT\n"), ["MET007"]);
    // Older versions of setuptools wrote this.
    assert_eq!(metadata("2.1", "License-File: LICENSE\n"), GOOD);
    for version in ["2.0", "3.0", "2.9", "two"] {
        assert_eq!(metadata(version, "Requires-Dist: a\n"), ["MET006"], "{version}");
    }
    let twice = "License-Expression: MIT\nLicense: MIT\n";
    assert_eq!(metadata("2.4", twice), ["MET014"]);
    assert_eq!(published("2.4", twice), [("MET014", Severity::Error)]);
    assert_eq!(metadata("2.4", "License-Expression: MIT\nLicense: \n"), GOOD);
}

#[test]
fn headers_end_as_in_python() {
    // Readers ignore the headers that follow.
    for lines in
        ["no colon\nRequires-Dist: a\n", "Requires-Dist : a\n", "Summary: x\ny\nLicense-File: L\n"]
    {
        assert_eq!(metadata("2.1", lines), ["MET047"], "{lines:?}");
    }
    assert_eq!(metadata("2.1", "What it does.\nMore: of it.\n"), ["MET041"]);
    assert_eq!(metadata("2.1", "\nWhat it does.\nName : x\n"), GOOD);
    assert_eq!(metadata("2.1", "Summary: x\n  Name: y\n"), GOOD);
    assert_eq!(metadata("2.1", "Summary: x\rKeywords: y\n"), ["MET042"]);
    assert_eq!(metadata("2.1", "Summary: x\u{c}Name: y\n"), ["MET042"]);
    assert_eq!(metadata("2.1", "Summary: x\r\n\r\ny\rz\u{c}\n"), GOOD);
    let whole = |text: &str| with(&[(&format!("{FOLDER}/METADATA"), text)]);
    // Hidden from readers that split only at line feeds.
    assert_eq!(whole("Metadata-Version: 2.1\nName: pkg\rName: evil\nVersion: 1.0\n"), ["MET003"]);
    assert_eq!(whole("Metadata-Version: 2.1\nName : pkg\nVersion: 1.0\n"), ["MET003"]);
    assert_eq!(whole("\u{feff}Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n"), ["MET003"]);
    let of_wheel = |text: &str| with(&[(&format!("{FOLDER}/WHEEL"), text)]);
    let good =
        "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_36_x86_64\n";
    assert_eq!(of_wheel(&format!("{good}Build : 2\n")), ["MET047"]);
}

#[test]
fn invalid_names_versions_and_requirements_are_reported() {
    let wheel = |name: &str, version: &str| {
        let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        own(&wheel(WHEEL).with(&format!("{FOLDER}/METADATA"), text))
    };
    assert_eq!(wheel("PKG", "v1.0.0"), GOOD);
    assert_eq!(wheel("-pkg", "1.0"), ["MET009"]);
    assert_eq!(wheel("pkg", "1.0-final-x"), ["MET004", "MET008"]);
    let local = "pkg-1.0+cu12-cp311-cp311-manylinux_2_36_x86_64.whl";
    assert_eq!(own(&super::wheel(local)), ["MET012"]);
    for python in [">=3.9", ">=3.9,<4", "~=3.9", ">=3.6, !=3.7.*,", "==3.*"] {
        assert_eq!(metadata("2.1", &format!("Requires-Python: {python}\n")), GOOD, "{python}");
    }
    for python in ["3.9", ">=3.9.*", "=>3.9", ">=three"] {
        assert_eq!(
            metadata("2.1", &format!("Requires-Python: {python}\n")),
            ["MET010"],
            "{python}"
        );
    }
    let direct = "Requires-Dist: a @ https://example.org/a.whl\n";
    assert_eq!(metadata("2.1", direct), ["MET013"]);
    assert_eq!(metadata("2.1", "Requires-Dist: a ; os_name == '@'\n"), GOOD);
}

#[test]
fn requirements_that_pip_cannot_parse_are_reported() {
    for requirement in [
        "PyYAML (>=5.1.*)",
        "click (>=7.0<=8.0)",
        "azure-datalake-store (>=0.045azure-mgmt-datalake-store>=0.5.0); extra == 'all')",
        "pytz (>dev)",
    ] {
        let lines = format!("Requires-Dist: {requirement}\n");
        assert_eq!(metadata("2.1", &lines), ["MET051"], "{requirement}");
        assert_eq!(published("2.1", &lines), [("MET051", Severity::Error)], "{requirement}");
    }
    let legacy = "Requires-Dist: a (>=1.0,!=1.5.*) ; (python_version<'3.9')\nProvides-Extra: x\n";
    assert_eq!(metadata("2.1", legacy), GOOD);
    assert_eq!(metadata("2.1", "Provides-Extra: a b\n"), ["MET052"]);
    assert_eq!(published("2.1", "Provides-Extra: -a\n"), [("MET052", Severity::Error)]);
}

#[test]
fn a_field_of_a_later_version_is_an_error_when_publishing() {
    let lines = "License-Expression: MIT\n";
    assert_eq!(metadata("2.3", lines), ["MET007"]);
    assert_eq!(published("2.3", lines), [("MET007", Severity::Error)]);
    assert_eq!(published("2.4", lines), []);
}

/// Codes and severities for a wheel with these lines in `METADATA`, when publishing.
fn published(version: &str, lines: &str) -> Vec<(&'static str, Severity)> {
    let folder = Folder::new();
    let text = format!("Metadata-Version: {version}\nName: pkg\nVersion: 1.0\n{lines}");
    let path = wheel(WHEEL).with(&format!("{FOLDER}/METADATA"), text).write(folder.path());
    let publish = Settings { publish: true, ..Settings::default() };
    let findings = audit_wheel(&path, &Expectations::default(), &publish).unwrap().findings;
    findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

#[test]
fn repeated_headers_are_reported_with_both_values() {
    let with = |path: &str, text: &str| {
        let wheel = wheel(WHEEL).with(&format!("{FOLDER}/{path}"), text);
        let findings = audit(&wheel, &Expectations::default()).findings;
        findings.into_iter().map(|it| (it.code, it.message)).collect::<Vec<_>>()
    };
    let text = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nRoot-Is-Purelib: false\n\
                Tag: cp311-cp311-manylinux_2_36_x86_64\n";
    let found = with("WHEEL", text);
    assert!(matches!(found.as_slice(), [("MET002", _)]), "{found:?}");
    assert!(found[0].1.contains("`true`") && found[0].1.contains("`false`"), "{found:?}");
    let found = with("METADATA", "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\nVersion: 2.0\n");
    assert!(matches!(found.as_slice(), [("MET003", _)]), "{found:?}");
    assert!(found[0].1.contains("`1.0`") && found[0].1.contains("`2.0`"), "{found:?}");
}

#[test]
fn missing_licence_files_are_reported() {
    let text = "Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\nLicense-File: LICENSE\nLicense-File: a/COPYING\n";
    let metadata = (format!("{FOLDER}/METADATA"), format!("{FOLDER}/licenses/LICENSE"));
    let other = format!("{FOLDER}/licenses/a/COPYING");
    let files = [(metadata.0.as_str(), text), (metadata.1.as_str(), ""), (other.as_str(), "")];
    assert_eq!(with(&files), GOOD);
    assert_eq!(with(&files[..2]), ["MET011"]);
    assert_eq!(with(&[files[0], files[1], (&format!("{FOLDER}/a/COPYING"), "")]), ["MET011"]);
}

#[test]
fn findings_that_an_index_rejects_are_errors_when_publishing() {
    let folder = Folder::new();
    let fixture = wheel("pkg-1.0+local-cp311-cp311-manylinux_2_36_x86_64.whl");
    let path = fixture.write(folder.path());
    let publish = Settings { publish: true, ..Settings::default() };
    let audit = audit_wheel(&path, &Expectations::default(), &publish).unwrap();
    assert_eq!(audit.verdict(), Verdict::Fail);
    assert_eq!(audit.findings[0].code, "MET012");
}

#[test]
fn a_wheel_file_with_another_build_or_version_is_reported() {
    let text = |version: &str, build: &str| {
        format!(
            "Wheel-Version: {version}\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_36_x86_64\n{build}"
        )
    };
    let path = format!("{FOLDER}/WHEEL");
    let numbered = "pkg-1.0-2-cp311-cp311-manylinux_2_36_x86_64.whl";
    assert_eq!(own(&wheel(numbered).with(&path, text("1.0", "Build: 2\n"))), GOOD);
    assert_eq!(own(&wheel(numbered).with(&path, text("1.0", ""))), ["MET016"]);
    assert_eq!(own(&wheel(WHEEL).with(&path, text("1.0", "Build: 2\n"))), ["MET016"]);
    assert_eq!(own(&wheel(WHEEL).with(&path, text("1.1", ""))), ["MET015"]);
}

#[test]
fn scripts_with_the_same_path_are_errors() {
    let with = |script: &str, text: &str| {
        let points = format!("{FOLDER}/entry_points.txt");
        let wheel = wheel(WHEEL).with(script, "#!python\n").with(&points, text);
        own(&wheel.with("pkg/__init__.py", "").with("pkg/cli.py", "main = other = 1"))
    };
    let run = "[console_scripts]\nrun = pkg.cli:main\n";
    assert_eq!(with("pkg-1.0.data/scripts/run", run), ["MET048"]);
    assert_eq!(with("pkg-1.0.data/data/bin/run", run), ["MET048"]);
    assert_eq!(with("pkg-1.0.data/scripts/other", run), GOOD);
    assert_eq!(with("pkg/run", run), GOOD);
    for name in ["python", "python3", "python3.11", "pythonw"] {
        let points = format!("[console_scripts]\n{name} = pkg.cli:main\n");
        assert_eq!(with("pkg/run", &points), ["MET049"], "{name}");
        assert_eq!(with(&format!("pkg-1.0.data/scripts/{name}"), ""), ["MET049"], "{name}");
    }
    assert_eq!(with("pkg-1.0.data/scripts/python-run", ""), GOOD);
    assert_eq!(with("pkg/python", ""), GOOD);
    for name in [".", ".."] {
        let points = format!("[console_scripts]\n{name} = pkg.cli:main\n");
        assert_eq!(with("pkg/run", &points), ["MET023"], "{name}");
    }
    let both = format!("{run}[gui_scripts]\nrun = pkg.cli:main\n");
    assert_eq!(with("pkg/run", &both), ["MET048"]);
    // Other groups have no scripts. Within a group, the last line counts.
    let plugin = "[own.group]\nrun = pkg.cli:main\n[own.other]\nrun = pkg.cli:main\n";
    assert_eq!(with("pkg-1.0.data/scripts/run", plugin), GOOD);
    assert_eq!(with("pkg/run", &format!("{run}run = pkg.cli:other\n")), GOOD);
}

#[test]
fn entry_points_to_missing_modules_are_reported() {
    let points = |text: &str| {
        with(&[
            (&format!("{FOLDER}/entry_points.txt"), text),
            ("pkg/__init__.py", ""),
            ("pkg/cli.py", "main = other = 1"),
            ("pkg-1.0.data/platlib/_more.py", "from x import main"),
            ("pkg/data/x.pc", ""),
        ])
    };
    for text in [
        "",
        "[console_scripts]\nrun = pkg.cli:main\nmore = _more:main.run [extra]\n",
        "[own.group]\nany = pkg.data\nnative = _pkg\nobject = pkg.cli.Object\n",
        // The module may belong to another project.
        "[own.group]\nrun = other.cli:main\n",
    ] {
        assert_eq!(points(text), GOOD, "{text}");
    }
    for text in [
        "run = pkg.cli:main",
        "[console_scripts]\nrun\n",
        "[console_scripts]\nrun = pkg.cli\n",
        "[gui_scripts]\nrun = pkg/cli.py:main\n",
        "[console_scripts]\n../run = pkg.cli:main\n",
    ] {
        assert_eq!(points(text), ["MET023"], "{text}");
    }
    assert_eq!(points("[own.group]\nany = not a module\n"), ["MET024"]);
    assert_eq!(points("[console_scripts]\nrun = pkg.gone:main\n"), ["MET025"]);
    assert_eq!(points("[own.group]\nany = pkg.gone.deeper\n"), ["MET025"]);
}

#[test]
fn sboms_that_are_not_json_are_reported() {
    let sbom = |name: &str, text: &str| with(&[(&format!("{FOLDER}/sboms/{name}"), text)]);
    assert_eq!(sbom("pkg.cdx.json", "{\"bomFormat\": \"CycloneDX\"}"), GOOD);
    assert_eq!(sbom("pkg.cdx.json", "{\"bomFormat\": "), ["MET017"]);
    assert_eq!(sbom("pkg.spdx", "SPDXVersion: SPDX-2.3"), GOOD);
}

#[test]
fn files_of_installers_are_reported() {
    assert_eq!(with(&[(&format!("{FOLDER}/licenses/INSTALLER"), "x")]), GOOD);
    assert_eq!(with(&[(&format!("{FOLDER}/INSTALLER"), "pip")]), ["MET018"]);
    assert_eq!(with(&[(&format!("{FOLDER}/direct_url.json"), "{}")]), ["MET018"]);
    assert_eq!(with(&[("pkg.egg-info/PKG-INFO", "")]), ["MET019"]);
    assert_eq!(with(&[(&format!("{FOLDER}/RECORD.jws"), "")]), ["MET022"]);
}

#[test]
fn unknown_data_schemes_are_errors() {
    assert_eq!(with(&[("pkg-1.0.data/scripts/run", ""), ("pkg-1.0.data/data/a/b", "")]), GOOD);
    assert_eq!(with(&[("Pkg-1.0.0.data/headers/x.h", "")]), GOOD);
    assert_eq!(with(&[("pkg-1.0.data/include/x.h", "")]), ["MET020"]);
    assert_eq!(with(&[("pkg-1.0.data/x.h", "")]), ["MET020"]);
    assert_eq!(with(&[("other-1.0.data/data/x", "")]), ["MET021"]);
    assert_eq!(with(&[("notes.data", "")]), ["MET035"], "a file");
}
