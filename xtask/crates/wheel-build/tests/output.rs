//! The output formats of a report.
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
fn report_files_are_written_in_addition_to_the_output() {
    let workspace = with_wheel();
    for command in ["verify", "check-glibc"] {
        let files = ["--html", "report.html", "--sarif", "report.sarif"];
        let wheel = "demo-1.0-py3-none-any.whl";
        let ran = workspace.run(&[&[command, wheel, "--markdown"], &files[..]].concat()).code(0);
        assert!(ran.stdout.starts_with("### ✓ 1 file: 1 good"), "{}", ran.stdout);
        let page = fs_err::read_to_string(workspace.root.join("report.html")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains(wheel));
        let log = fs_err::read(workspace.root.join("report.sarif")).unwrap();
        let log: serde_json::Value = serde_json::from_slice(&log).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let ran = workspace.run(&[&[command, wheel, "--json"], &files[..]].concat()).code(0);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["wheels"][0]["path"], wheel);
    }
}

#[test]
fn only_one_report_is_printed_and_a_failed_write_is_an_error() {
    let workspace = with_wheel();
    let wheel = "demo-1.0-py3-none-any.whl";
    workspace.run(&["verify", wheel, "--json", "--markdown"]).code(2).reports(&["--markdown"]);
    let ran = workspace.run(&["verify", wheel, "--html", "no/such/folder.html"]).code(2);
    ran.reports(&["HTML", "no/such/folder.html"]);
}

#[test]
fn an_argument_that_is_no_path_has_a_hint() {
    let w = Workspace::new();
    w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    for path in ["debian:12", "nope.whl"] {
        let ran = w.run(&["verify", path]).code(2);
        ran.reports(&[&format!("error: `{path}`"), "hint: ", "--only"]);
    }
    for only in ["debian12", "debian12-adm64"] {
        let ran = w.run(&["verify", "--only", only]).code(2);
        ran.reports(&["`--only debian12-amd64`?"]);
    }
}

#[test]
fn secrets_and_certificates_are_printed_by_name() {
    let w = Workspace::new();
    let bundle = w.fake.join("bundle.pem");
    fs_err::write(&bundle, "a certificate").unwrap();
    let mut command = w.command(&["host-settings", "ca"]);
    command.env("SSL_CERT_FILE", bundle.as_str());
    let ran = common::Ran::of(command.output().unwrap()).code(0);
    assert_eq!(ran.stdout, "a certificate");
    // A step receives every byte of it.
    let netrc = "machine a.example\r\n\tlogin me password \u{1}\r\n";
    fs_err::write(w.fake.join(".netrc"), netrc).unwrap();
    assert_eq!(w.run(&["host-settings", "netrc"]).code(0).stdout, netrc);
    w.run(&["host-settings", "nosuch"]).code(2);
}

#[test]
fn unreadable_settings_are_reported_without_blocking() {
    let w = Workspace::new();
    let folder = w.fake.join(".config/pip");
    fs_err::create_dir_all(&folder).unwrap();
    let fifo = folder.join("pip.conf");
    let made = std::process::Command::new("mkfifo").arg(fifo.as_str()).status().unwrap();
    assert!(made.success());
    let expected = format!("`{fifo}` is not inherited: it is not a regular file");
    w.run(&["wheels", "debian:12", "linux/amd64", "--dry-run"]).code(0).reports(&[&expected]);
    assert!(w.run(&["doctor"]).stdout.contains("inherited settings"));
    // A value that is too large for a variable is an error that names the secret.
    fs_err::write(w.fake.join(".netrc"), "machine a.example\n".repeat(10_000)).unwrap();
    let ran = w.run(&["wheels", "debian:12", "linux/amd64"]).code(2);
    ran.reports(&["`netrc`", "180000 bytes", "hint: "]);
}
