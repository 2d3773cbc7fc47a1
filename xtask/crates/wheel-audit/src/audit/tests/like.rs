//! Wheels held against published ones.

use super::*;

const NAME: &str = "pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";

/// Findings of `ours`, held against `theirs`: code, severity, message.
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
    let report = judge(&inputs, &Expectations::default(), &settings, &|_| {});
    report.findings.into_iter().map(|each| (each.code, each.severity, each.message)).collect()
}

fn short(found: &[(&'static str, Severity, String)]) -> Vec<(&'static str, Severity)> {
    found.iter().map(|(code, severity, _)| (*code, *severity)).collect()
}

fn pkg(name: &str) -> Fixture {
    Fixture::new(name).with(MODULE, PLAIN.clone()).with("pkg/__init__.py", "")
}

/// The same wheel as the index has it: for another system and with what differs in any case.
fn published() -> Fixture {
    Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl")
        .with("_pkg.cpython-311-x86_64-linux-gnu.so", PLAIN.clone())
        .with("pkg/__init__.py", "")
        .with("pkg-1.0.dist-info/top_level.txt", "pkg")
}

#[test]
fn a_wheel_like_the_published_one_is_good() {
    assert_eq!(compared(&[pkg(NAME)], &[published()]), []);
}

#[test]
fn a_module_that_the_published_wheel_has_is_an_error() {
    let more = published().with("pkg/_fast.cpython-311-x86_64-linux-gnu.so", PLAIN.clone());
    let found = compared(&[pkg(NAME)], &[more]);
    assert_eq!(short(&found), [("SET102", Severity::Error)]);
    assert!(found[0].2.contains("`pkg/_fast`") && found[0].2.contains(NAME), "{}", found[0].2);
    let older = Fixture::new("pkg-0.9-cp311-cp311-manylinux_2_36_x86_64.whl")
        .with(MODULE, PLAIN.clone())
        .with("_old.abi3.so", PLAIN.clone())
        .with("pkg/__init__.py", "");
    assert_eq!(short(&compared(&[pkg(NAME)], &[older])), [("SET102", Severity::Warning)]);
    let ours = pkg(NAME).with("_new.abi3.so", PLAIN.clone());
    assert_eq!(short(&compared(&[ours], &[published()])), [("SET103", Severity::Note)]);
}

#[test]
fn files_programs_and_sizes_are_compared_both_ways() {
    let found = compared(&[pkg(NAME).with("pkg/mine", "")], &[published().with("pkg/theirs", "")]);
    assert_eq!(short(&found), [("SET104", Severity::Warning), ("SET105", Severity::Note)]);
    assert!(found[0].2.contains("`pkg/theirs`") && found[1].2.contains("`pkg/mine`"));
    let noise: Vec<u8> =
        (0..40_000_u32).flat_map(|each| each.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = |fixture: Fixture| fixture.with("pkg/table", noise.clone());
    let found = compared(&[pkg(NAME).with("pkg/table", "")], &[large(published())]);
    assert_eq!(short(&found), [("SET109", Severity::Warning)]);
    let found = compared(&[large(pkg(NAME))], &[published().with("pkg/table", "")]);
    assert_eq!(short(&found), [("SET109", Severity::Warning)]);
}

#[test]
fn a_program_that_is_gone_or_cannot_be_run_is_told() {
    let tool = || published().with("pkg/scripts/tool", "");
    let gone = compared(&[pkg(NAME)], &[tool()]);
    assert_eq!(short(&gone), [("SET106", Severity::Warning)]);
    assert!(gone[0].2.contains("`pkg/scripts/tool`"), "{}", gone[0].2);
    assert_eq!(compared(&[pkg(NAME).with("pkg/scripts/tool", "")], &[tool()]), []);
    let mut dull = pkg(NAME).with("pkg/scripts/tool", "");
    dull.programs = false;
    let found = compared(&[dull], &[tool()]);
    assert_eq!(short(&found), [("SET106", Severity::Warning)]);
    assert!(found[0].2.contains("can be run"), "{}", found[0].2);
}

#[test]
fn entry_points_and_requirements_are_compared() {
    let points =
        |fixture: Fixture, text: &str| fixture.with("pkg-1.0.dist-info/entry_points.txt", text);
    let theirs = points(published(), "[console_scripts]\nrun = pkg:main\n");
    let found = compared(&[pkg(NAME)], &[theirs]);
    assert_eq!(short(&found), [("SET107", Severity::Warning)]);
    assert!(found[0].2.contains("console_scripts: run = pkg:main"), "{}", found[0].2);
    let head = "Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n";
    let with = |fixture: Fixture, line: &str| {
        fixture.with("pkg-1.0.dist-info/METADATA", format!("{head}{line}\n"))
    };
    let ours = with(pkg(NAME), "Requires-Dist: cffi >= 2");
    assert_eq!(compared(&[ours], &[with(published(), "Requires-Dist: CFFI>=2")]), []);
    let ours = with(pkg(NAME), "Requires-Python: >=3.9");
    let found = compared(&[ours], &[with(published(), "Requires-Python: >=3.11")]);
    assert_eq!(short(&found), [("SET108", Severity::Warning); 2], "what it lacks, and what it has");
}

#[test]
fn the_most_alike_is_chosen() {
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
fn who_is_covered_is_told_once_a_project() {
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
fn nothing_to_compare_with_is_said_with_what_there_is() {
    let other = Fixture::new("other-1.0-py3-none-any.whl");
    let found = compared(&[pkg(NAME)], &[other]);
    assert_eq!(short(&found), [("SET101", Severity::Error)]);
    assert!(found[0].2.contains("no wheel of `pkg`") && found[0].2.contains("`other`"));
    let folder = Folder::new();
    let (ours, broken) = (pkg(NAME).write(folder.path()), folder.path().join("x").join(NAME));
    fs_err::create_dir(folder.path().join("x")).unwrap();
    fs_err::write(&broken, "no archive").unwrap();
    let mut inputs = Inputs::find(&[ours]).unwrap();
    inputs.like = vec![broken];
    let report = judge(&inputs, &Expectations::default(), &Settings::default(), &|_| {});
    assert_eq!(report.findings.iter().map(|each| each.code).collect::<Vec<_>>(), ["SET101"]);
}
