//! The ways of telling a report, side by side.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Workspace, pure_wheel};

fn with_wheel() -> Workspace {
    let workspace = Workspace::new();
    let (name, bytes) = pure_wheel("demo-1.0-py3-none-any.whl");
    fs_err::write(workspace.root.join(name), bytes).unwrap();
    workspace
}

#[test]
fn files_are_written_beside_what_is_printed() {
    let workspace = with_wheel();
    for command in ["verify", "check-glibc"] {
        let files = ["--html", "report.html", "--sarif", "report.sarif"];
        let wheel = "demo-1.0-py3-none-any.whl";
        let ran = workspace.run(&[&[command, wheel, "--markdown"], &files[..]].concat()).code(0);
        assert!(ran.stdout.starts_with("### ✓ 1 file: 1 good"), "{}", ran.stdout);
        let page = fs_err::read_to_string(workspace.root.join("report.html")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("load everywhere"));
        let log = fs_err::read(workspace.root.join("report.sarif")).unwrap();
        let log: serde_json::Value = serde_json::from_slice(&log).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let ran = workspace.run(&[&[command, wheel, "--json"], &files[..]].concat()).code(0);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["wheels"][0]["path"], wheel);
    }
}

#[test]
fn one_thing_is_printed_and_what_cannot_be_written_is_an_error() {
    let workspace = with_wheel();
    let wheel = "demo-1.0-py3-none-any.whl";
    workspace.run(&["verify", wheel, "--json", "--markdown"]).code(2).says(&["--markdown"]);
    let ran = workspace.run(&["verify", wheel, "--html", "no/such/folder.html"]).code(2);
    ran.says(&["the page cannot be written", "no/such/folder.html"]);
}
