//! `reproduce`, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

mod common;

use common::{Workspace, wheel};
use serde_json::Value;

const NAME: &str = "demo-1.0-py3-none-any.whl";
const REPRODUCE: [&str; 5] = ["reproduce", "debian:12", "linux/amd64", "--json", "--quiet"];
const WHEELS: [&str; 4] = ["wheels", "debian:12", "linux/amd64", "--quiet"];

fn made(text: &str) -> Vec<u8> {
    wheel(NAME, true, &[("demo/__init__.py", b""), ("demo/stamp.txt", text.as_bytes())]).1
}

/// A workspace whose plain build exports a wheel with the stamp `plain`, and whose varied build exports another.
fn workspace(plain: &str, varied: &str) -> Workspace {
    let w = Workspace::new();
    w.export(&(NAME.to_owned(), made(plain)));
    fs_err::write(w.fake.join("varied.whl"), made(varied)).unwrap();
    let script = format!(
        "mkdir -p \"$dest\"\ncase $target in\n\
         smoke) smoke_passed ;;\n\
         *) cp \"$FAKE\"/export/* \"$dest/\"\n\
         case \"$*\" in *args.VARY=*) cp \"$FAKE/varied.whl\" \"$dest/{NAME}\" ;; esac ;;\nesac\n\
         progress \"[$target] RUN fake\"\n"
    );
    w.on("bake", &script);
    w
}

/// Runs the command; returns its exit status and the report of its only job.
fn reproduced(w: &Workspace, more: &[&str]) -> (i32, Value) {
    let output = w.command(&[&REPRODUCE[..], more].concat()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), report["jobs"][0].clone())
}

/// The manifest's entry of the wheel.
fn noted(w: &Workspace) -> Value {
    let text = fs_err::read(w.root.join("dist/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let wheel = files.iter().find(|it| it["kind"] == "wheel").unwrap();
    wheel["builds"][0]["reproduced"].clone()
}

#[test]
fn two_builds_with_the_same_bytes_are_identical() {
    let w = workspace("same", "same");
    let (status, job) = reproduced(&w, &[]);
    assert_eq!((status, &job["outcome"], &job["in_dist"]), (0, &"identical".into(), &false.into()));
    let varied = job["varied"].as_array().unwrap();
    assert!(varied.contains(&"clock".into()) && varied.contains(&"workspace path".into()));
    // Neither build has a compiler cache; the second one is varied.
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let calls: Vec<&str> = log.lines().filter(|line| line.starts_with("buildx bake")).collect();
    let is_varied: Vec<bool> = calls.iter().map(|call| call.contains("args.VARY=")).collect();
    assert_eq!(is_varied, [false, true]);
    assert!(calls.iter().all(|call| !call.contains("COMPILER_CACHE")));
    assert!(!w.root.join("dist").exists(), "nothing enters dist/");
}

#[test]
fn different_bytes_are_explained_with_exit_status_1() {
    let w = workspace("built on buildkitsandbox\n", "built on xtask-varied-host\n");
    let (status, job) = reproduced(&w, &[]);
    assert_eq!((status, &job["outcome"]), (1, &"different".into()));
    let difference = &job["differences"][0];
    assert_eq!(difference["member"], "demo/stamp.txt");
    assert_eq!(difference["cause"], "host");
    assert_ne!(job["first"]["sha256"], job["second"]["sha256"]);
}

#[test]
fn the_wheel_in_dist_is_compared_and_the_result_recorded() {
    let w = workspace("same", "same");
    assert!(w.command(&WHEELS).status().unwrap().success());
    assert_eq!(noted(&w), Value::Null);
    let (status, job) = reproduced(&w, &[]);
    assert_eq!((status, &job["in_dist"]), (0, &true.into()));
    assert_eq!(noted(&w), "identical");
    let table = w.command(&WHEELS).output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&table).contains("unchanged, reproduced"));
    // Both builds are identical, but differ from the existing wheel.
    w.export(&(NAME.to_owned(), made("other")));
    fs_err::write(w.fake.join("varied.whl"), made("other")).unwrap();
    let (status, job) = reproduced(&w, &[]);
    assert_eq!((status, &job["outcome"]), (1, &"different".into()));
    assert_eq!(noted(&w), "different");
    // A rebuilt wheel has not been reproduced yet.
    assert!(w.command(&[&WHEELS[..], &["--force"]].concat()).status().unwrap().success());
    assert_eq!(noted(&w), Value::Null);
}

#[test]
fn a_wheel_of_another_machine_is_compared() {
    let w = workspace("same", "same");
    assert!(w.command(&WHEELS).status().unwrap().success());
    let theirs = w.root.join("theirs");
    let ours = w.root.join("dist/debian12-amd64").join(NAME);
    for place in [theirs.join("debian12-amd64"), theirs.clone()] {
        let _ = fs_err::remove_dir_all(&theirs);
        fs_err::create_dir_all(&place).unwrap();
        fs_err::copy(&ours, place.join(NAME)).unwrap();
        assert_eq!(reproduced(&w, &["--against", theirs.as_str()]).0, 0, "{place}");
    }
    let wheel = theirs.join(NAME);
    assert_eq!(reproduced(&w, &["--against", wheel.as_str()]).0, 0);
    fs_err::write(&wheel, made("other")).unwrap();
    let (status, job) = reproduced(&w, &["--against", wheel.as_str()]);
    assert_eq!((status, &job["differences"][0]["member"]), (1, &"demo/stamp.txt".into()));
}

#[test]
fn a_missing_or_failed_build_is_exit_status_2() {
    let w = workspace("same", "same");
    let (status, job) = reproduced(&w, &["--against", "nowhere"]);
    assert_eq!((status, &job["outcome"]), (2, &"failed".into()));
    w.on("bake", "progress '[wheel-builder 1/1] RUN sh /xtask/build.sh' 'exit code: 1'\nexit 1\n");
    let (status, job) = reproduced(&w, &[]);
    assert_eq!((status, &job["reason"]), (2, &"step".into()));
}
