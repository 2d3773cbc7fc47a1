//! The reports of a run and of `source` on the files that the build receives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use common::Workspace;
use serde_json::Value;

/// A workspace whose source is its own folder, in a git repository.
fn workspace() -> Workspace {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let rest = toml.split_once("[build]").unwrap().1;
    let toml = format!("[source]\npath = \".\"\nexclude = [\"docs/**\"]\n[build]{rest}");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    for (name, text) in [
        ("pyproject.toml", "[project]\nname = \"demo\"\nversion = \"1.0\"\n"),
        ("demo.py", "a = 1\n"),
        ("docs/a.md", "a\n"),
        (".gitignore", "*.log\n/target/\n/dist/\n"),
        ("x.log", "ignored\n"),
    ] {
        fs_err::create_dir_all(w.root.join(name).parent().unwrap()).unwrap();
        fs_err::write(w.root.join(name), text).unwrap();
    }
    git(&w, &["init", "--quiet"]);
    git(&w, &["add", "--all"]);
    git(&w, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "a"]);
    fs_err::write(w.root.join("demo.py"), "a = 2\n").unwrap();
    w
}

fn git(w: &Workspace, args: &[&str]) {
    let status = Command::new("git").args(args).current_dir(&w.root).status().unwrap();
    assert!(status.success(), "{args:?}");
}

fn json(w: &Workspace, args: &[&str], status: i32) -> Value {
    let output = w.command(args).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn each_file_is_listed_with_its_reason() {
    let w = workspace();
    let found = json(&w, &["source", "--json"], 0);
    let list = found["list"].as_array().unwrap();
    let line = |path: &str| {
        let line = list.iter().find(|line| line["path"] == path).unwrap();
        (line["in"].as_bool().unwrap(), line["reason"].as_str().unwrap().to_owned())
    };
    for (path, is_in, reason) in [
        ("pyproject.toml", true, "tracked"),
        ("demo.py", true, "changed"),
        ("docs/a.md", false, "excluded"),
        ("wheels.toml", false, "tool"),
        ("x.log", false, "ignored"),
    ] {
        assert_eq!(line(path), (is_in, reason.to_owned()), "{path}");
    }
    assert_eq!((&found["files"], &found["changed"]), (&3.into(), &1.into()));
    let output = w.command(&["source", "--list"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), list.len() + 1);
}

#[test]
fn an_invalid_source_is_listed_and_fails() {
    let w = workspace();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\
                   4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 9\n";
    fs_err::write(w.root.join("demo.py"), pointer).unwrap();
    let found = json(&w, &["source", "--json"], 1);
    assert!(found["error"].as_str().unwrap().contains("demo.py"), "{found}");
    let output = w.command(&["wheels", "debian:12"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("git lfs pull"));
}

#[test]
fn a_run_reports_its_source() {
    let w = workspace();
    let wheels = ["wheels", "debian:12", "linux/amd64", "--no-smoke"];
    let output = w.command(&[&wheels[..], &["--json"]].concat()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(report["source"]["files"], 3, "{report}");
    assert_eq!(report["source"]["changed"], 1);
    assert!(stderr.lines().any(|line| line.starts_with("source: 3 files")), "{stderr}");
    let alone = w.command(&["source"]).output().unwrap();
    assert_eq!(String::from_utf8(alone.stdout).unwrap().lines().count(), 1);
    // Commands that show nothing else still print a warning.
    let other = w.root.join("other");
    fs_err::create_dir(&other).unwrap();
    assert!(Command::new("git").arg("init").arg("--quiet").arg(other).status().unwrap().success());
    let quiet = w.command(&[&wheels[..], &["--quiet"]].concat()).output().unwrap();
    let stderr = String::from_utf8(quiet.stderr).unwrap();
    assert!(stderr.contains("`other/`") && !stderr.contains("source: 3 files"), "{stderr}");
}

#[test]
fn a_source_archive_from_the_index_has_no_list() {
    let output = Workspace::new().command(&["source"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("demo==1.0"));
}

#[test]
fn every_command_that_plans_rejects_an_interpreter_that_the_package_excludes() {
    let w = workspace();
    let text = "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.12\"\n";
    fs_err::write(w.root.join("pyproject.toml"), text).unwrap();
    for words in [
        &["plan"][..],
        &["wheels", "--print-build-identifiers"],
        &["wheels", "debian:12", "--dry-run"],
        &["matrix"],
    ] {
        w.run(words).code(2).reports(&["`cp311`", "requires-python"]);
    }
    w.run(&["plan", "--python", "cp312"]).code(0);
}
