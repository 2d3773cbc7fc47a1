//! Wheels compared with published ones.

use super::*;

const NAME: &str = "pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";

/// The findings about `ours` compared with `theirs`: code, severity, message.
fn compared(ours: &[Fixture], theirs: &[Fixture]) -> Vec<(&'static str, Severity, String)> {
    let (here, there) = (Folder::new(), Folder::new());
    for (fixtures, folder) in [(ours, &here), (theirs, &there)] {
        for fixture in fixtures {
            fixture.write(folder.path());
        }
    }
    let mut inputs = Inputs::find(&[here.path().to_owned()]).unwrap();
    inputs.like = Inputs::find(&[there.path().to_owned()]).unwrap().wheels;
    let settings = Settings { depth: Depth::Bytes, ..Settings::default() };
    let report = audit_inputs(&inputs, &Expectations::default(), &settings, &|_| {});
    differences(report).into_iter().map(|each| (each.code, each.severity, summary(&each))).collect()
}

/// Path and message.
fn summary(finding: &Finding) -> String {
    format!("{}: {}", finding.path, finding.message)
}

/// The findings of a comparison.
fn differences(report: Report) -> Vec<Finding> {
    let wheels = report.wheels.into_iter().flat_map(|wheel| wheel.findings);
    let mut all: Vec<_> =
        wheels.filter(|each| each.code.starts_with("SET1")).chain(report.findings).collect();
    all.sort();
    all
}

fn short(found: &[(&'static str, Severity, String)]) -> Vec<(&'static str, Severity)> {
    found.iter().map(|(code, severity, _)| (*code, *severity)).collect()
}

fn pkg(name: &str) -> Fixture {
    Fixture::new(name).with(MODULE, PLAIN.clone()).with("pkg/__init__.py", "")
}

/// The same wheel from an index: for another system, and with differences that do not count.
fn published() -> Fixture {
    Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl")
        .with("_pkg.cpython-311-x86_64-linux-gnu.so", PLAIN.clone())
        .with("pkg/__init__.py", "")
        .with("pkg-1.0.dist-info/top_level.txt", "pkg")
}

#[test]
fn a_wheel_like_the_published_one_has_no_findings() {
    assert_eq!(compared(&[pkg(NAME)], &[published()]), []);
}

#[test]
fn a_missing_published_module_is_a_warning_in_any_version() {
    let more = published().with("pkg/_fast.cpython-311-x86_64-linux-gnu.so", PLAIN.clone());
    let found = compared(&[pkg(NAME)], &[more]);
    assert_eq!(short(&found), [("SET102", Severity::Warning)]);
    assert!(found[0].2.starts_with("pkg/_fast: ") && found[0].2.contains(NAME), "{}", found[0].2);
    let older = Fixture::new("pkg-0.9-cp311-cp311-manylinux_2_36_x86_64.whl")
        .with(MODULE, PLAIN.clone())
        .with("_old.abi3.so", PLAIN.clone())
        .with("pkg/__init__.py", "");
    assert_eq!(short(&compared(&[pkg(NAME)], &[older])), [("SET102", Severity::Warning)]);
    let pure = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg/__init__.py", "");
    assert_eq!(short(&compared(&[pure], &[published()]))[0], ("SET102", Severity::Warning));
    let ours = pkg(NAME).with("_new.abi3.so", PLAIN.clone());
    assert_eq!(short(&compared(&[ours], &[published()])), [("SET103", Severity::Note)]);
}

#[test]
fn files_programs_and_sizes_are_compared_in_both_directions() {
    let found = compared(&[pkg(NAME).with("pkg/mine", "")], &[published().with("pkg/theirs", "")]);
    assert_eq!(short(&found), [("SET104", Severity::Warning), ("SET105", Severity::Note)]);
    assert!(found[0].2.starts_with("pkg/theirs: ") && found[1].2.starts_with("pkg/mine: "));
    let noise: Vec<u8> =
        (0..40_000_u32).flat_map(|each| each.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = |fixture: Fixture| fixture.with("pkg/table", noise.clone());
    let found = compared(&[pkg(NAME).with("pkg/table", "")], &[large(published())]);
    assert_eq!(short(&found), [("SET109", Severity::Warning)]);
    let found = compared(&[large(pkg(NAME))], &[published().with("pkg/table", "")]);
    assert_eq!(short(&found), [("SET109", Severity::Warning)]);
}

#[test]
fn a_missing_or_non_executable_program_is_reported() {
    let tool = || published().with("pkg/scripts/tool", "");
    let gone = compared(&[pkg(NAME)], &[tool()]);
    assert_eq!(short(&gone), [("SET106", Severity::Warning)]);
    assert!(gone[0].2.starts_with("pkg/scripts/tool: "), "{}", gone[0].2);
    assert_eq!(compared(&[pkg(NAME).with("pkg/scripts/tool", "")], &[tool()]), []);
    let mut dull = pkg(NAME).with("pkg/scripts/tool", "");
    dull.programs = false;
    let found = compared(&[dull], &[tool()]);
    assert_eq!(short(&found), [("SET106", Severity::Warning)]);
    assert!(found[0].2.contains("executable"), "{}", found[0].2);
}

#[test]
fn entry_points_and_requirements_are_compared() {
    let points =
        |fixture: Fixture, text: &str| fixture.with("pkg-1.0.dist-info/entry_points.txt", text);
    let theirs = points(published(), "[console_scripts]\nrun = pkg:main\n");
    let found = compared(&[pkg(NAME)], &[theirs]);
    assert_eq!(short(&found), [("SET107", Severity::Warning)]);
    assert!(found[0].2.starts_with("console_scripts/run: "), "{}", found[0].2);
    let other = points(pkg(NAME), "[console_scripts]\nrun = pkg:other\nmore = pkg:more\n");
    let found = compared(&[other], &[points(published(), "[console_scripts]\nrun = pkg:main\n")]);
    assert_eq!(short(&found), [("SET107", Severity::Warning), ("SET107", Severity::Note)]);
    assert!(found[0].2.contains("`pkg:main`") && found[0].2.contains("`pkg:other`"));
    let head = "Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n";
    let with = |fixture: Fixture, line: &str| {
        fixture.with("pkg-1.0.dist-info/METADATA", format!("{head}{line}\n"))
    };
    let ours = with(pkg(NAME), "Requires-Dist: cffi >= 2");
    assert_eq!(compared(&[ours], &[with(published(), "Requires-Dist: CFFI>=2")]), []);
    let ours = with(pkg(NAME), "Requires-Python: >=3.9");
    let found = compared(&[ours], &[with(published(), "Requires-Python: >=3.11")]);
    assert_eq!(
        short(&found),
        [("SET108", Severity::Warning); 2],
        "a missing and an additional requirement"
    );
}

#[test]
fn the_most_similar_wheel_is_selected() {
    let decoy = |name: &str| Fixture::new(name).with("_decoy.abi3.so", PLAIN.clone());
    let theirs = [
        decoy("pkg-0.9-cp311-cp311-manylinux_2_36_x86_64.whl"),
        decoy("pkg-1.0-cp311-cp311-win_amd64.whl"),
        decoy("pkg-1.0-pp311-pypy311_pp73-manylinux_2_36_x86_64.whl"),
        decoy("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"),
        published(),
    ];
    let found = compared(&[pkg(NAME)], &theirs);
    assert_eq!(short(&found), [("SET110", Severity::Warning)], "all of them are covered, though");
    assert!(found[0].2.contains("pp311-pypy311_pp73 on glibc x86_64"), "{}", found[0].2);
}

#[test]
fn coverage_is_reported_once_per_project() {
    let ours = [pkg(NAME)];
    let older = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
        .with(MODULE, PLAIN.clone())
        .with("pkg/__init__.py", "");
    let found = compared(&ours, &[older]);
    assert_eq!(short(&found), [("SET111", Severity::Warning)]);
    assert!(found[0].2.contains("glibc x86_64 2.36 (published: 2.17)"), "{}", found[0].2);
    let newer = pkg("pkg-1.0-cp312-cp312-manylinux_2_36_x86_64.whl");
    let found = compared(&[pkg(NAME), newer], &[published()]);
    assert!(found.iter().any(|each| each.0 == "SET110" && each.1 == Severity::Note), "{found:?}");
}

#[test]
fn a_missing_counterpart_is_an_error_with_the_existing_projects() {
    let other = Fixture::new("other-1.0-py3-none-any.whl");
    let found = compared(&[pkg(NAME)], &[other]);
    assert_eq!(short(&found), [("SET101", Severity::Error)]);
    assert!(found[0].2.contains("`pkg`") && found[0].2.contains("`other`"));
    let folder = Folder::new();
    let (ours, broken) = (pkg(NAME).write(folder.path()), folder.path().join("x").join(NAME));
    fs_err::create_dir(folder.path().join("x")).unwrap();
    fs_err::write(&broken, "no archive").unwrap();
    let mut inputs = Inputs::find(&[ours]).unwrap();
    inputs.like = vec![broken];
    let report = audit_inputs(&inputs, &Expectations::default(), &Settings::default(), &|_| {});
    assert_eq!(differences(report).iter().map(|each| each.code).collect::<Vec<_>>(), ["SET101"]);
}

#[test]
fn interpreter_version_and_hash_in_names_are_no_difference() {
    let ours = Fixture::new("pkg-1.1-cp312-cp312-manylinux_2_36_x86_64.whl")
        .with("pkg/_pkg.cpython-312-x86_64-linux-gnu.so", PLAIN.clone())
        .with("pkg.libs/libz-1b7c5d3a.so.1.3.1", PLAIN.clone())
        .with("pkg-1.1.dist-info/licenses/LICENSE", "free")
        .with("pkg/data.txt", "");
    let theirs = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")
        .with("pkg/_pkg.cpython-311-x86_64-linux-gnu.so", PLAIN.clone())
        .with("pkg.libs/libz-0a0b0c0d.so.1.2.11", PLAIN.clone())
        .with("pkg-1.0.dist-info/licenses/LICENSE", "free")
        .with("pkg/", "")
        .with("pkg-1.0.data/platlib/pkg/data.txt", "");
    let codes: Vec<_> = compared(&[ours], &[theirs]).into_iter().map(|each| each.0).collect();
    assert_eq!(codes, ["SET110", "SET110"], "only the coverage differs");
}

#[test]
fn an_override_of_a_path_combines_with_one_of_a_code() {
    let folder = Folder::new();
    fs_err::create_dir(folder.path().join("published")).unwrap();
    let theirs = published()
        .with("pkg/scripts/tool", "")
        .with("pkg/scripts/other", "")
        .with("pkg-1.0.dist-info/entry_points.txt", "[console_scripts]\nrun = pkg:main\n")
        .write(&folder.path().join("published"));
    let ours = pkg(NAME).write(folder.path());
    let over = |rule: &str, path: Option<&str>, severity| Override {
        rule: rule.to_owned(),
        path: path.map(|path| glob::Pattern::new(path).unwrap()),
        severity,
        reason: "why".to_owned(),
    };
    let verdict = |accepted: &[(&str, &str)]| {
        let errors = ["SET106", "SET107"].map(|code| over(code, None, Severity::Error));
        let accepted =
            accepted.iter().map(|(code, path)| over(code, Some(path), Severity::Ignored));
        let overrides = errors.into_iter().chain(accepted).collect();
        let settings = Settings { overrides, ..Settings::default() };
        let mut audit = audit_wheel(&ours, &Expectations::default(), &settings).unwrap();
        assert_eq!(audit.verdict(), Verdict::Pass);
        audit.compare(&ours, &theirs, &settings);
        assert_eq!(audit.compared_with.as_deref(), theirs.file_name());
        audit.verdict()
    };
    let tool = ("SET106", "pkg/**/tool");
    let run = ("SET107", "console_scripts/run");
    assert_eq!(verdict(&[]), Verdict::Fail);
    assert_eq!(verdict(&[tool, run]), Verdict::Fail, "the other program");
    assert_eq!(verdict(&[tool, ("SET106", "pkg/scripts/other")]), Verdict::Fail, "the command");
    assert_eq!(verdict(&[("SET106", "pkg/scripts/*"), run]), Verdict::Pass);
}

#[test]
fn the_newest_installable_wheel_is_selected() {
    let libc = Libc::Glibc(LibcVersion::new(2, 36));
    let newest = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| format!("published/{name}").into()).collect();
        let chosen =
            newest_installable(NAME, &paths, "cp311".parse().unwrap(), (libc, Arch::X86_64));
        chosen.and_then(|path: Utf8PathBuf| path.file_name().map(str::to_owned))
    };
    let right = "pkg-1.10-cp311-cp311-manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl";
    let others = [
        "pkg-1.9-cp311-cp311-manylinux_2_28_x86_64.whl",
        "pkg-2.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        "pkg-2.0-cp311-cp311-manylinux_2_39_x86_64.whl",
        "pkg-2.0-cp311-cp311-manylinux_2_28_aarch64.whl",
        "pkg-2.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        "pkg-2.0-cp311-cp311-win_amd64.whl",
        "other-2.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "pkg-1.10-cp311-cp311-manylinux_2_9_x86_64.whl",
        "notes.txt",
    ];
    assert_eq!(newest(&[&others[..], &[right]].concat()).as_deref(), Some(right));
    assert_eq!(newest(&others[1..7]), None);
    // The order of preference is that of installers.
    for names in [
        ["pkg-1.9-cp311-cp311-manylinux_2_28_x86_64.whl", "pkg-2.0rc1-cp311-cp311-any.whl"],
        ["pkg-2.0rc2-py3-none-any.whl", "pkg-2.0.dev3-cp311-cp311-manylinux_2_28_x86_64.whl"],
        [
            "pkg-2.0-cp311-cp311-manylinux_2_17_x86_64.whl",
            "pkg-2.0-cp38-abi3-manylinux_2_28_x86_64.whl",
        ],
        [
            "pkg-2.0-cp38-abi3-manylinux_2_17_x86_64.whl",
            "pkg-2.0-py3-none-manylinux_2_28_x86_64.whl",
        ],
        ["pkg-2.0-py3-none-manylinux_2_17_x86_64.whl", "pkg-2.0-py3-none-any.whl"],
    ] {
        let [better, other] = names;
        assert_eq!(newest(&[better, other]).as_deref(), Some(better));
        assert_eq!(newest(&[other, better]).as_deref(), Some(better));
    }
}

#[test]
fn an_unneeded_library_of_the_published_wheel_is_a_note() {
    let theirs = published().with("pkg.libs/libdeep-1b7c5d3a.so.1", PLAIN.clone());
    assert_eq!(short(&compared(&[pkg(NAME)], &[theirs])), [("SET104", Severity::Note)]);
    let theirs = published().with("pkg/libs/table.txt", "1");
    assert_eq!(short(&compared(&[pkg(NAME)], &[theirs])), [("SET104", Severity::Warning)]);
}
