//! `[check] like` and `commands`, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Workspace, wheel};

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const NAME: &str = "demo-1.0-py3-none-any.whl";

fn checked(check: &str) -> Workspace {
    let w = Workspace::new();
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, format!("{toml}\n[check]\n{check}")).unwrap();
    w
}

/// A published wheel with a file that the built one lacks.
fn published(folder: &camino::Utf8Path, name: &str) {
    fs_err::create_dir_all(folder).unwrap();
    let files: [(&str, &[u8]); 2] = [("demo/__init__.py", b""), ("demo/table.txt", b"1")];
    fs_err::write(folder.join(name), wheel(name, true, &files).1).unwrap();
}

/// Makes the index return a wheel of this name.
fn index_has(w: &Workspace, name: &str) {
    let folder = w.fake.join("published");
    published(&folder, name);
    let report = format!("{{\"file\": \"{name}\"}}");
    fs_err::write(folder.join("published.json"), report).unwrap();
}

/// The findings on the wheel in `audit.json`.
fn audit(w: &Workspace) -> serde_json::Value {
    let text = fs_err::read(w.root.join("dist/debian12-amd64/audit.json")).unwrap();
    let all: serde_json::Value = serde_json::from_slice(&text).unwrap();
    all["wheels"][0].clone()
}

fn severity(w: &Workspace, code: &str) -> Option<String> {
    let audit = audit(w);
    let found = audit["findings"].as_array().unwrap().iter().find(|each| each["code"] == code)?;
    Some(found["severity"].as_str().unwrap().to_owned())
}

#[test]
fn a_file_missing_from_our_wheel_is_a_warning() {
    let w = checked("like = \"index\"\n");
    index_has(&w, "demo-0.9-py3-none-any.whl");
    let ran = w.run(&WHEELS).code(0).reports(&["SET104", "demo/table.txt"]);
    assert!(ran.stdout.contains("1 warning"), "{}", ran.stdout);
    assert_eq!(severity(&w, "SET104").as_deref(), Some("warning"));
    assert_eq!(audit(&w)["compared_with"], "demo-0.9-py3-none-any.whl");
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let call = log.lines().find(|line| line.ends_with(" published")).unwrap();
    assert!(
        call.contains("args.LIKE_PROJECT=demo ") && call.contains("args.LIKE_DATE=20"),
        "{call}"
    );
    // A wheel that is in `dist/` already causes no request to the index.
    w.run(&WHEELS).code(0);
    assert_eq!(w.bakes("published"), 1);
}

#[test]
fn overrides_change_the_severity_and_accept_a_path() {
    let error =
        "[[check.override]]\ncode = \"SET104\"\nseverity = \"error\"\nreason = \"complete\"\n";
    let w = checked(&format!("like = \"index\"\n{error}"));
    index_has(&w, NAME);
    w.run(&WHEELS).code(1).reports(&["SET104", "demo/table.txt"]);
    assert!(w.dist().is_empty(), "{:?}", w.dist());
    let accepted = "[[check.override]]\ncode = \"SET104\"\npath = \"demo/*.txt\"\n\
        severity = \"ignored\"\nreason = \"made elsewhere\"\n";
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml + accepted).unwrap();
    w.run(&WHEELS).code(0);
    assert_eq!(severity(&w, "SET104").as_deref(), Some("ignored"));
    assert_eq!(w.bakes("wheel-builder"), 1, "judged again, not built again");
}

#[test]
fn a_missing_published_wheel_is_noted_but_an_index_error_fails() {
    let w = checked("like = \"index\"\n");
    w.run(&WHEELS).code(0).reports(&["not compared", "cp311", "debian:12"]);
    assert_eq!(severity(&w, "SET112").as_deref(), Some("note"));
    assert!(audit(&w).get("compared_with").is_none());
    let w = checked("like = \"index\"\n");
    w.on(
        "bake",
        r#"case $target in
        published) emit "[fetch-published] RUN y" "the index does not answer"
            progress "[fetch-published] RUN y" "exit code: 1"; exit 1 ;;
        *) mkdir -p "$dest"; cp "$FAKE"/export/* "$dest/" ;;
        esac"#,
    );
    w.run(&WHEELS).reports(&["published wheel", "the index does not answer"]).code(1);
    assert!(w.dist().is_empty(), "{:?}", w.dist());
}

#[test]
fn an_invalid_answer_of_the_index_fails_the_job() {
    for report in [
        "{\"file\": \"../../export/demo-1.0-py3-none-any.whl\"}",
        "{\"file\": \"absent-1.0-py3-none-any.whl\"}",
        "{\"file\": \"published.json\"}",
        "no report",
    ] {
        let w = checked("like = \"index\"\n");
        index_has(&w, NAME);
        fs_err::write(w.fake.join("published/published.json"), report).unwrap();
        w.run(&WHEELS).code(1);
        assert!(w.dist().is_empty(), "{report}: {:?}", w.dist());
    }
}

#[test]
fn a_folder_of_published_wheels_is_compared_and_in_the_key() {
    let w = checked("like = \"published\"\n");
    w.run(&WHEELS).code(2).reports(&["like = \"published\"", "hint: "]);
    published(&w.root.join("published"), "demo-0.8-py3-none-any.whl");
    published(&w.root.join("published"), "demo-2.0-cp313-cp313-manylinux_2_17_x86_64.whl");
    w.run(&WHEELS).code(0).reports(&["SET104"]);
    assert_eq!(audit(&w)["compared_with"], "demo-0.8-py3-none-any.whl");
    published(&w.root.join("published"), "demo-0.9-py3-none-any.whl");
    w.run(&WHEELS).code(0);
    assert_eq!(audit(&w)["compared_with"], "demo-0.9-py3-none-any.whl");
    assert_eq!((w.bakes("published"), w.bakes("wheel-builder")), (0, 1));
}

#[test]
fn a_dry_run_shows_the_comparison_and_the_commands() {
    let w = checked("like = \"index\"\ncommands = [\"demo --version\"]\n");
    let ran = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0);
    assert!(ran.stdout.contains("published.args.LIKE_PROJECT=demo"), "{}", ran.stdout);
    assert!(ran.stdout.contains("[\"demo --version\"]"), "{}", ran.stdout);
}

#[test]
fn a_skipped_entry_point_is_a_warning() {
    let w = Workspace::new();
    w.on(
        "bake",
        r#"mkdir -p "$dest"; case $target in
        smoke) smoke_passed '{"kind": "entry-point", "subject": "run = demo:main", "ok": true,
            "skipped": true, "detail": "no click"}' ;;
        *) cp "$FAKE"/export/* "$dest/" ;;
        esac"#,
    );
    w.run(&WHEELS).code(0).reports(&["warning: entry point `run = demo:main`", "no click"]);
}
