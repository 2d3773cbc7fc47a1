//! From `dist/` to releases and indexes, with a fake `gh`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{Ran, Workspace, files, machine, wheel};

const TOML: &str = r#"
[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311"]
[ci]
targets = ["debian12", "rocky9"]
[publish]
environment = "index"
[[target]]
name = "debian12"
image = "debian:12"
glibc = "2.36"
platforms = ["linux/amd64"]
[[target]]
name = "rocky9"
image = "rockylinux:9"
glibc = "2.34"
platforms = ["linux/amd64"]
"#;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const DEBIAN: &str = "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
const ROCKY: &str = "demo-1.0-cp311-cp311-manylinux_2_34_x86_64.whl";

/// Logs its calls. A test chooses whether a release exists.
const GH: &str = r#"#!/bin/sh
echo "$*" >>"$FAKE/gh.log"
case "$1 $2" in
"release view")
    [ -e "$FAKE/gh.view" ] || { echo "release not found" >&2; exit 1; }
    cat "$FAKE/gh.view" ;;
"api repos/{owner}/{repo}/commits/tags/"*)
    cat "$FAKE/gh.sha" ;;
"release list")
    [ ! -e "$FAKE/gh.fails" ] || { echo "HTTP 401" >&2; exit 1; }
    cat "$FAKE/gh.list" ;;
"release upload") [ ! -e "$FAKE/gh.fails" ] || { echo "HTTP 502" >&2; exit 1; } ;;
esac
"#;

/// A workspace whose `dist/` has a wheel for each of two targets.
fn released() -> Workspace {
    let w = Workspace::new();
    fs_err::write(w.root.join("wheels.toml"), TOML).unwrap();
    for (target, name) in [("debian12", DEBIAN), ("rocky9", ROCKY)] {
        let requires = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.11\n";
        let files: [(&str, &[u8]); 2] =
            [("demo/__init__.py", target.as_bytes()), ("demo/notes.txt", requires.as_bytes())];
        machine::add(&w.root.join("dist"), target, &["cp311"], &wheel(name, false, &files));
    }
    let gh = w.fake.with_file_name("bin").join("gh");
    fs_err::write(&gh, GH).unwrap();
    fs_err::write(w.fake.join("gh.sha"), format!("{COMMIT}\n")).unwrap();
    fs_err::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
    w
}

fn release(w: &Workspace, reference: &str) -> Ran {
    w.run(&["release", reference, "--commit", COMMIT])
}

#[test]
fn without_wheels_the_error_names_the_build_command() {
    let w = released();
    fs_err::remove_dir_all(w.root.join("dist")).unwrap();
    for command in [&["index", "out"][..], &["release-notes"]] {
        w.run(command).code(2).reports(&["no wheels", "`cargo xtask wheels"]);
    }
    release(&w, "refs/heads/main").code(2).reports(&["no wheels"]);
    // The arguments are verified before anything else.
    let short = w.run(&["release", "refs/heads/main", "--commit", "0123abc"]).code(2);
    short.reports(&["`0123abc`", "git rev-parse HEAD"]);
}

fn calls(w: &Workspace) -> String {
    let log = fs_err::read_to_string(w.fake.join("gh.log")).unwrap_or_default();
    log.replace(w.root.as_str(), "")
}

#[test]
fn defect_14_release_notes_match_the_manifest() {
    let w = released();
    let ran = w.run(&["release-notes"]).code(0);
    let sha = |target: &str, name: &str| {
        let path = w.root.join("dist").join(format!("{target}-amd64")).join(name);
        wheel_audit::digest::of_file(&path).unwrap()
    };
    let text = ran.stdout.replace(&sha("debian12", DEBIAN), "DEBIAN");
    let text = text.replace(&sha("rocky9", ROCKY), "ROCKY");
    insta::assert_snapshot!(text, @r"
    2 wheels of demo 1.0.

    | built in | platform | C library | interpreters | smoke test | tests | installers use it on |
    |---|---|---|---|---|---|---|
    | debian12 | linux/amd64 | glibc 2.36 | cp311 | passed | none | Debian 12, 13; Ubuntu 24.04, 25.10, 26.04; Enterprise Linux 10; Fedora 42, 43, 44; openSUSE 15.6, 16.0 |
    | rocky9 | linux/amd64 | glibc 2.34 | cp311 | passed | none | Ubuntu 22.04; Enterprise Linux 9; Amazon Linux 2023 |

    | file | size | SHA-256 |
    |---|---|---|
    | <code>demo-1.0-cp311-cp311-manylinux\_2\_36\_x86\_64.whl</code> | 1.1 kB | <code>DEBIAN</code> |
    | <code>demo-1.0-cp311-cp311-manylinux\_2\_34\_x86\_64.whl</code> | 1.1 kB | <code>ROCKY</code> |
    ");
    assert!(!ran.stdout.contains('$') && !ran.stdout.contains("date"), "{}", ran.stdout);
    assert_eq!(
        w.run(&["release-notes"]).code(0).stdout,
        ran.stdout,
        "no clock, no order of chance"
    );
}

/// The notes on a wheel with floor 2.36 match the table of systems.
#[test]
fn defect_18_the_notes_name_only_compatible_systems() {
    let w = released();
    fs_err::write(w.root.join("wheels.toml"), TOML.replace(", \"rocky9\"]", "]")).unwrap();
    let notes = w.run(&["release-notes"]).code(0).stdout;
    let row = notes.lines().find(|line| line.starts_with("| debian12 ")).unwrap();
    for system in wheel_audit::policy::distributions().iter().filter(|it| it.name == "Ubuntu") {
        let has = system.has_glibc(wheel_audit::policy::LibcVersion::new(2, 36));
        let ubuntu = row.split(';').find(|part| part.contains("Ubuntu")).unwrap();
        assert_eq!(ubuntu.contains(&system.version), has, "{system}: {row}");
    }
}

#[test]
fn a_tag_becomes_a_release_with_every_file_and_its_checksum() {
    let w = released();
    let ran = release(&w, "refs/tags/v1.0").code(0);
    assert!(ran.stdout.contains("12 files") && ran.stdout.contains("`v1.0`"), "{}", ran.stdout);
    let out = w.root.join("target/xtask/release/files");
    assert_eq!(
        files(&out),
        [
            "SHA256SUMS",
            "audit-debian12-amd64.json",
            "audit-rocky9-amd64.json",
            "build-info-debian12-amd64.json",
            "build-info-rocky9-amd64.json",
            ROCKY,
            &format!("{ROCKY}.cdx.json"),
            &format!("{ROCKY}.provenance.json"),
            DEBIAN,
            &format!("{DEBIAN}.cdx.json"),
            &format!("{DEBIAN}.provenance.json"),
            "manifest.json",
        ]
    );
    let sums = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&out)
        .output()
        .unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let calls = calls(&w);
    assert!(calls.contains("release create v1.0 --verify-tag --title demo 1.0 --notes-file"));
    assert!(calls.contains(&format!("/target/xtask/release/files/{DEBIAN}")), "{calls}");
    let notes = fs_err::read_to_string(w.root.join("target/xtask/release/notes.md")).unwrap();
    assert_eq!(notes.trim_end(), w.run(&["release-notes"]).stdout.trim_end());
}

#[test]
fn the_pre_release_is_updated_in_place() {
    let w = released();
    let old = format!("{{\"assets\":[{{\"name\":\"{DEBIAN}\"}},{{\"name\":\"demo-0.9.whl\"}}]}}");
    fs_err::write(w.fake.join("gh.view"), old).unwrap();
    release(&w, "refs/heads/main").code(0);
    let calls = calls(&w);
    let verbs: Vec<_> = calls.lines().map(|l| l.split(' ').take(2).collect::<Vec<_>>()).collect();
    assert_eq!(
        verbs.concat().join(" "),
        "release view release upload release delete-asset api --method release edit",
        "{calls}"
    );
    assert!(calls.contains("delete-asset --yes -- wheels-latest demo-0.9.whl"), "{calls}");
    assert!(calls.contains(&format!("sha={COMMIT}")), "{calls}");
    // A failure changes nothing, and names the next command.
    fs_err::write(w.fake.join("gh.fails"), "").unwrap();
    release(&w, "refs/heads/main").code(2).reports(&["HTTP 502", "gh auth status"]);
    assert_eq!(self::calls(&w).matches("delete-asset").count(), 1, "{}", self::calls(&w));
}

#[test]
fn an_invalid_release_is_rejected_before_any_change() {
    let w = released();
    release(&w, "refs/tags/v1.1").code(2).reports(&["`v1.1`", "1.0"]);
    release(&w, "refs/heads/topic").code(2).reports(&["`refs/heads/topic`", "`main`"]);
    release(&w, "v1.0").code(2).reports(&["refs/tags/v1.0"]);
    w.run(&["release", "refs/tags/v1.0", "--commit", "main"])
        .code(2)
        .reports(&["`main`", "git rev-parse HEAD"]);
    let dry = ["release", "refs/tags/v1.0", "--commit", COMMIT, "--dry-run"];
    let ran = w.run(&dry).code(0);
    assert!(!ran.stderr.contains("wheel for"), "{}", ran.stderr);
    let toml = w.root.join("wheels.toml");
    fs_err::write(&toml, TOML.replace("pythons = [", "pythons = [\"cp312\", ")).unwrap();
    let lacks = "missing wheel for rocky9 linux/amd64: cp312";
    w.run(&dry).code(1).reports(&[&format!("error: {lacks}"), "nothing was released"]);
    w.run(&[&dry[..], &["--partial"]].concat()).code(0).reports(&[&format!("warning: {lacks}")]);
    fs_err::write(&toml, TOML).unwrap();
    assert!(ran.stdout.contains("gh release create v1.0 --verify-tag"), "{}", ran.stdout);
    fs_err::write(w.root.join("dist/debian12-amd64").join(DEBIAN), "x").unwrap();
    release(&w, "refs/tags/v1.0").code(2).reports(&[DEBIAN, "cargo xtask verify"]);
    let made = calls(&w).lines().filter(|line| !line.contains("release view")).count();
    assert_eq!(made, 0, "{}", calls(&w));
}

#[test]
fn a_tag_that_is_no_version_releases_nothing_and_succeeds() {
    let w = released();
    for tag in ["refs/tags/spring", "refs/tags/other-1.0"] {
        let run = ["release", tag, "--commit", COMMIT, "--github"];
        assert_eq!(w.run(&run).code(0).stdout, "publish=false\nreleased=false\n");
        let notes = w.run(&["release-notes", "--for", tag]).code(0).stdout;
        assert!(!notes.contains('|') && notes.lines().count() == 1, "{notes}");
    }
    let dry = ["release", "refs/tags/v1.0", "--commit", COMMIT, "--github", "--dry-run"];
    assert_eq!(w.run(&dry).code(0).stdout, "publish=true\nreleased=false\n");
    assert_eq!(calls(&w), "", "no call of gh");
    let run =
        |reference| w.run(&["release", reference, "--commit", COMMIT, "--github"]).code(0).stdout;
    assert_eq!(run("refs/heads/main"), "publish=false\nreleased=true\n");
    assert_eq!(run("refs/tags/demo-1.0"), "publish=true\nreleased=true\n");
    assert!(calls(&w).contains("release create demo-1.0 --verify-tag"), "{}", calls(&w));
    w.run(&["release-notes", "--for", "refs/tags/v1.1"]).code(2);
}

#[test]
fn a_moved_tag_is_not_released() {
    let w = released();
    let moved = "f".repeat(40);
    fs_err::write(w.fake.join("gh.sha"), &moved).unwrap();
    release(&w, "refs/tags/v1.0").code(2).reports(&[&moved, COMMIT]);
    assert_eq!(calls(&w), "api repos/{owner}/{repo}/commits/tags/v1.0 --jq .sha\n");
    // The release itself moves the tag of the pre-release.
    release(&w, "refs/heads/main").code(0);
}

/// [`released`], with a second interpreter that no release requires, and without its wheel.
fn partly_required() -> Workspace {
    let w = released();
    let toml = TOML.replace("[\"cp311\"]", "[\"cp311\", \"cp313\"]");
    let toml = toml.replace("[ci]\n", "[ci]\nrequired = [\"cp311-*\"]\n");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    w
}

#[test]
fn an_optional_wheel_may_be_missing_with_a_warning() {
    let w = partly_required();
    let lacks = "warning: missing wheel for debian12 linux/amd64: cp313";
    w.run(&["index", "up", "--flat", "--publish"]).code(0).reports(&[lacks]);
    release(&w, "refs/tags/v1.0").code(0).reports(&[lacks]);
    let notes = w.run(&["release-notes"]).code(0).stdout;
    assert!(notes.contains("\n- debian12 linux/amd64: cp313\n"), "{notes}");
    let verify = w.run(&["verify", "--publish", "--json"]).code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&verify).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let missing = findings.iter().filter(|it| it["code"] == "SET001");
    assert_eq!(missing.map(|it| &it["severity"]).collect::<Vec<_>>(), ["warning"; 2]);
    // The same wheels, if a release requires them.
    let toml = w.root.join("wheels.toml");
    let text = fs_err::read_to_string(&toml).unwrap();
    fs_err::write(&toml, text.replace("\"cp311-*\"]", "\"cp311-*\", \"cp313-rocky9_*\"]")).unwrap();
    let error = "error: missing wheel for rocky9 linux/amd64: cp313";
    w.run(&["index", "up2", "--flat", "--publish"]).code(1).reports(&[lacks, error]);
    release(&w, "refs/tags/v1.0").code(1).reports(&[lacks, error]);
    w.run(&["verify", "--publish"]).code(1);
    // A typing error in the pattern would let a release do without.
    fs_err::write(&toml, text.replace("\"cp311-*\"]", "\"cp331-*\"]")).unwrap();
    release(&w, "refs/tags/v1.0").code(2).reports(&["cp331-*"]);
    w.run(&["index", "up2", "--flat", "--publish"]).code(2);
}

#[test]
fn an_index_has_each_wheel_once_and_pages_that_pip_reads() {
    let w = released();
    let flat = w.root.join("flat");
    w.run(&["index", flat.as_str(), "--flat"]).code(0);
    assert_eq!(files(&flat), [ROCKY, DEBIAN]);
    w.run(&["index", flat.as_str(), "--flat"]).code(0);
    let whole = w.root.join("whole");
    w.run(&["index", whole.as_str()]).code(0);
    assert_eq!(files(&whole), [ROCKY, DEBIAN, "simple/demo/index.html", "simple/index.html"]);
    let page = fs_err::read_to_string(whole.join("simple/demo/index.html")).unwrap();
    let sha = wheel_audit::digest::of_file(&whole.join(DEBIAN)).unwrap();
    assert!(page.contains(&format!("<a href=\"../../{DEBIAN}#sha256={sha}\"")), "{page}");
    // Existing files in the folder would be published, too.
    fs_err::write(flat.join("old-1.0-py3-none-any.whl"), "").unwrap();
    w.run(&["index", flat.as_str(), "--flat"])
        .code(2)
        .reports(&["`old-1.0", "hint: name an empty"]);
    w.run(&["index", ""]).code(2).reports(&["folder", "empty name"]);
    assert!(!w.root.join("simple").exists());
}

#[test]
fn defect_13_wheels_that_an_index_rejects_are_not_published() {
    let w = released();
    let up = w.root.join("up");
    let publish = ["index", up.as_str(), "--flat", "--publish"];
    w.run(&publish).code(0);
    fs_err::remove_dir_all(&up).unwrap();
    let linux = "demo-1.0-cp311-cp311-linux_x86_64.whl";
    let files: [(&str, &[u8]); 1] = [("demo/__init__.py", b"")];
    machine::add(&w.root.join("dist"), "rocky9", &["cp311"], &wheel(linux, false, &files));
    w.run(&publish).code(1).reports(&[linux, "nothing was written"]);
    assert!(!up.exists());
    // A missing wheel blocks publishing: indexes accept no more files for an old version.
    let lacking = released();
    let toml = TOML.replace("[\"cp311\"]", "[\"cp311\", \"cp313\"]");
    fs_err::write(lacking.root.join("wheels.toml"), toml).unwrap();
    let ran = lacking.run(&["index", "up", "--flat", "--publish"]).code(1);
    ran.reports(&["missing wheel for debian12 linux/amd64: cp313"]);
    // Nor one that was not tested.
    let untested = released();
    let manifest = untested.root.join("dist/manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    fs_err::write(&manifest, text.replacen("\"passed\"", "\"skipped\"", 1)).unwrap();
    untested.run(&["index", "up", "--publish"]).code(1).reports(&["was not smoke-tested"]);
    let is_there = |name: &str| untested.root.join(name).exists();
    assert!(!is_there("up"));
    // If no release requires it, the others are published.
    let json: serde_json::Value =
        serde_json::from_slice(&fs_err::read(&manifest).unwrap()).unwrap();
    let files = json["files"].as_array().unwrap();
    let skipped = files.iter().find(|it| it["builds"][0]["smoke"] == "skipped").unwrap();
    let (folder, file) = skipped["path"].as_str().unwrap().split_once('/').unwrap();
    let optional = |required: &str| {
        let toml = TOML.replace("[ci]\n", &format!("[ci]\nrequired = [\"{required}\"]\n"));
        fs_err::write(untested.root.join("wheels.toml"), toml).unwrap();
    };
    let target = folder.split('-').next().unwrap();
    let other = if target == "debian12" { "rocky9" } else { "debian12" };
    optional(&format!("*-{target}_*"));
    untested.run(&["index", "up", "--flat", "--publish"]).code(1);
    optional(&format!("*-{other}_*"));
    untested.run(&["index", "up", "--flat", "--publish"]).code(0).reports(&["is skipped"]);
    assert!(is_there("up") && !is_there(&format!("up/{file}")), "{file}");
    let wheels = fs_err::read_dir(untested.root.join("up")).unwrap().count();
    assert_eq!(wheels, files.iter().filter(|it| it["builds"].is_array()).count() - 1);
}

#[test]
fn a_different_workflow_is_reported_and_written() {
    let w = released();
    w.run(&["workflow", "check"]).code(1).reports(&["is missing", "cargo xtask workflow write"]);
    w.run(&["workflow", "write"]).code(0);
    w.run(&["workflow", "check"]).code(0);
    let path = w.root.join(".github/workflows/wheels-docker.yml");
    let text = fs_err::read_to_string(&path).unwrap();
    assert_eq!(w.run(&["workflow", "write", "--dry-run"]).code(0).stdout, text);
    // The overrides of one machine do not count.
    fs_err::write(w.root.join("wheels.local.toml"), "[publish]\nenvironment = \"mine\"\n").unwrap();
    w.run(&["workflow", "check"]).code(0);
    fs_err::write(&path, text.replacen("fail-fast: false", "fail-fast: true", 1)).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("fail-fast")).unwrap();
    w.run(&["workflow", "check"]).code(1).reports(&[&format!("line {line}")]);
}

#[test]
fn an_unmatched_required_pattern_fails_before_the_build() {
    let w = released();
    let toml = TOML.replace("[ci]\n", "[ci]\nrequired = [\"cp39-*\"]\n");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    for words in [&["matrix", "--github"][..], &["workflow", "write"], &["workflow", "check"]] {
        w.run(words).code(2).reports(&["`cp39-*`"]);
    }
}

#[test]
fn each_job_of_the_matrix_builds_its_own_target() {
    let w = released();
    let again =
        "[[target]]\nname = \"again\"\nimage = \"debian:12\"\nplatforms = [\"linux/amd64\"]\n";
    let toml = TOML.replace("\"rocky9\"]", "\"again\"]") + again;
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    let text = w.run(&["workflow", "write", "--dry-run"]).code(0).stdout;
    let key = text.split("TARGET: ${{ matrix.").nth(1).unwrap().split(' ').next().unwrap();
    let matrix = w.run(&["matrix", "again", "debian12", "linux/amd64", "--json"]).code(0).stdout;
    let matrix: serde_json::Value = serde_json::from_str(&matrix).unwrap();
    assert_eq!(matrix.as_array().unwrap().len(), 2);
    for job in matrix.as_array().unwrap() {
        let words = [job[key].as_str().unwrap(), job["platform"].as_str().unwrap()];
        let list =
            w.run(&["wheels", words[0], words[1], "--print-build-identifiers"]).code(0).stdout;
        let name = format!("-{}_", job["target"].as_str().unwrap());
        assert!(list.lines().all(|line| line.contains(&name)), "{name}: {list}");
    }
    let text = w.run(&["workflow", "write", "--host", "gitlab", "--dry-run"]).code(0).stdout;
    assert!(
        text.contains("TARGET: \"again\"") && text.contains("xtask wheels \"$TARGET\""),
        "{text}"
    );
}

#[test]
fn a_pipeline_of_gitlab_is_checked_if_the_repository_has_one() {
    let w = released();
    let write = ["workflow", "write", "--host", "gitlab"];
    w.run(&write).code(0);
    let path = w.root.join(".gitlab/wheels.yml");
    let text = fs_err::read_to_string(&path).unwrap();
    assert_eq!(w.run(&[&write[..], &["--dry-run"]].concat()).code(0).stdout, text);
    // A repository on GitLab requires no workflow of GitHub.
    assert!(!w.root.join(".github").exists());
    w.run(&["workflow", "check"]).code(0);
    w.run(&["workflow", "write"]).code(0);
    w.run(&["workflow", "check"]).code(0);
    fs_err::write(&path, text.replacen("timeout: 3h", "timeout: 4h", 1)).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("timeout: 3h")).unwrap();
    let words = [".gitlab/wheels.yml", "--host gitlab", &format!("line {line}")];
    w.run(&["workflow", "check"]).code(1).reports(&words);
    // Current files are reported as current next to it.
    w.run(&write).code(0);
    w.run(&["workflow", "check"]).code(0);
}

#[test]
fn verify_can_be_limited_to_one_folder() {
    let w = released();
    fs_err::remove_dir_all(w.root.join("dist")).unwrap();
    let files: [(&str, &[u8]); 1] = [("demo/__init__.py", b"")];
    machine::add(&w.root.join("dist"), "rocky9", &["cp311"], &wheel(ROCKY, false, &files));
    let all = w.run(&["verify"]).code(0);
    assert!(all.stdout.contains("SET002"), "{}", all.stdout);
    let one = w.run(&["verify", "--only", "rocky9-amd64"]).code(0);
    assert!(!one.stdout.contains("SET0"), "{}", one.stdout);
    // A check without anything to check must fail.
    w.run(&["verify", "--only", "debian12-amd64"]).code(2);
    w.run(&["verify", "--only", "rocky8"]).code(2).reports(&["`--only rocky8`"]);
}

#[test]
fn the_last_release_is_downloaded_if_there_is_one() {
    let w = released();
    let list = |json: &str| fs_err::write(w.fake.join("gh.list"), json).unwrap();
    let run = || w.run(&["last-release", "target/last", "--not", "v2.0"]).code(0);
    list("[]");
    run();
    assert_eq!(calls(&w).matches("release download").count(), 0, "{}", calls(&w));
    // A run of the tag's own workflow is not compared with itself.
    list(r#"[{"tagName":"v2.0"},{"tagName":"v1.9"},{"tagName":"v1.8"}]"#);
    run();
    let download = "release download --clobber --dir /target/last --pattern *.whl --pattern manifest.json -- v1.9";
    assert!(calls(&w).ends_with(&format!("{download}\n")), "{}", calls(&w));
    assert!(calls(&w).contains("--exclude-drafts --exclude-pre-releases"));
    fs_err::write(w.fake.join("gh.fails"), "").unwrap();
    run().reports(&["warning: ", "HTTP 401"]);
}
