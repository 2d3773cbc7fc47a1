//! `try`, with a fake engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Ran, Workspace};
use serde_json::Value;

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

/// A workspace with a wheel, whose engine reports `wheels` for each system.
fn workspace(wheels: &str) -> Workspace {
    let w = Workspace::new();
    fs_err::write(w.root.join(WHEEL), common::pure_wheel(WHEEL).1).unwrap();
    let report = format!(r#"{{"schema_version": 1, "unprivileged": true, "wheels": {wheels}}}"#);
    fs_err::write(w.fake.join("try.json"), report).unwrap();
    w.on(
        "bake",
        r#"mkdir -p "$dest" && cp "$FAKE/try.json" "$dest/" && progress "[try-run] RUN fake""#,
    );
    w
}

/// The container's report on the wheel: whether it installs, and one file.
fn observed(installs: &str, ok: &str, words: &str) -> String {
    format!(
        r#"{{"0": {{"installs": {installs}, "installer": "", "interpreter": "CPython 3.11.2", "problem": "",
        "files": [{{"path": "demo/_x.so", "how": "import demo._x", "ok": {ok}, "words": "{words}"}}]}}}}"#
    )
}

fn trials(ran: &Ran) -> Vec<Value> {
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    value["trials"].as_array().unwrap().clone()
}

fn log(w: &Workspace) -> String {
    fs_err::read_to_string(w.fake.join("log")).unwrap_or_default()
}

#[test]
fn a_correct_prediction_is_a_hit_with_exit_status_0() {
    let w = workspace(&observed("true", "true", ""));
    let ran = w.run(&["try", WHEEL, "--json"]).code(0);
    let trials = trials(&ran);
    assert_eq!(trials.len(), 1);
    let expected = [("system", "debian12"), ("predicted", "loads"), ("agreement", "hit")];
    for (key, value) in expected {
        assert_eq!(trials[0][key], value, "{trials:?}");
    }
    assert_eq!(trials[0]["observed"]["interpreter"], "CPython 3.11.2");
    let log = log(&w);
    let bake = log.lines().find(|line| line.starts_with("buildx bake")).unwrap();
    for part in ["try.args.TRY_PYTHONS= ", "try.args.TARGET_NAME=debian12", "try.contexts.wheel="] {
        assert!(bake.contains(part), "{part}: {bake}");
    }
}

#[test]
fn a_wrong_prediction_shows_the_loaders_error_and_exits_with_1() {
    let w = workspace(&observed("true", "false", "undefined symbol: nowhere"));
    let ran = w.run(&["try", WHEEL]).code(1);
    assert!(ran.stdout.contains("undefined symbol: nowhere"), "{}", ran.stdout);
    assert_eq!(trials(&w.run(&["try", WHEEL, "--json"]).code(1))[0]["agreement"], "miss");
    // An installer that rejects the wheel although the audit predicts that it installs is a failure, too.
    let w = workspace(&observed("false", "true", ""));
    w.run(&["try", WHEEL]).code(1);
}

#[test]
fn an_undecided_result_is_no_miss() {
    let w = workspace(&observed("true", "null", "libx.so: cannot open (it loads after libx.so)"));
    assert_eq!(trials(&w.run(&["try", WHEEL, "--json"]).code(0))[0]["agreement"], "undecided");
}

#[test]
fn an_unusable_system_is_exit_status_2_and_others_are_tried() {
    let w = workspace(&observed("true", "true", ""));
    w.on(
        "bake",
        r#"case "$*" in *TARGET_NAME=debian11*) progress "[try-system] RUN fake" "exit code: 100"; exit 1 ;; esac
        mkdir -p "$dest" && cp "$FAKE/try.json" "$dest/""#,
    );
    let ran = w.run(&["try", WHEEL, "--on", "debian:11,debian:12", "--json"]).code(2);
    let trials = trials(&ran);
    let agreements: Vec<_> = trials.iter().map(|trial| trial["agreement"].clone()).collect();
    assert_eq!(agreements, ["untried", "hit"]);
    assert!(trials[0]["error"].is_string(), "{trials:?}");
}

#[test]
fn a_report_without_the_wheel_leaves_it_untried() {
    let w = workspace("{}");
    assert_eq!(trials(&w.run(&["try", WHEEL, "--json"]).code(2))[0]["agreement"], "untried");
}

#[test]
fn each_wheel_has_the_result_of_its_own_folder() {
    let first = observed("true", "true", "");
    let second = observed("true", "false", "").replacen("\"0\"", "\"1\"", 1);
    let (first, second) = (first.trim_end_matches('}'), second.trim_start_matches('{'));
    let w = workspace(&format!("{first}}}, {second}"));
    let other = "other-1.0-py3-none-any.whl";
    fs_err::write(w.root.join(other), common::pure_wheel(other).1).unwrap();
    w.on(
        "bake",
        r#"folder=$(printf '%s\n' "$@" | sed -n 's/^try.contexts.wheel=//p'); ls "$folder/0" "$folder/1" >"$FAKE/laid"
        mkdir -p "$dest" && cp "$FAKE/try.json" "$dest/""#,
    );
    let trials = trials(&w.run(&["try", WHEEL, other, "--json"]).code(1));
    let seen: Vec<_> = trials.iter().map(|it| (&it["wheel"], &it["agreement"])).collect();
    let expected = [(WHEEL, "hit"), (other, "miss")].map(|(a, b)| (a.into(), b.into()));
    assert_eq!(seen, expected.each_ref().map(|(a, b): &(Value, Value)| (a, b)));
    let laid = fs_err::read_to_string(w.fake.join("laid")).unwrap();
    assert!(laid.find(WHEEL) < laid.find(other), "{laid}");
}

#[test]
fn a_dry_run_prints_the_calls_and_runs_none() {
    let w = workspace(&observed("true", "true", ""));
    let ran = w.run(&["try", WHEEL, "--dry-run", "--on", "debian:11,debian12"]).code(0);
    let calls: Vec<_> = ran.stdout.lines().filter(|line| line.contains("buildx bake")).collect();
    assert_eq!(calls.len(), 2, "{}", ran.stdout);
    assert!(ran.stdout.contains("demo-1.0-py3-none-any.whl: loads"), "{}", ran.stdout);
    assert!(!log(&w).contains("buildx bake"), "{}", log(&w));
}

#[test]
fn without_a_workspace_the_known_systems_are_tried() {
    let w = workspace(&observed("true", "true", ""));
    let elsewhere = w.fake.with_file_name("elsewhere");
    fs_err::create_dir(&elsewhere).unwrap();
    let wheel = w.root.join(WHEEL);
    let mut command = w.command(&["try", wheel.as_str(), "--json"]);
    command.current_dir(&elsewhere).env_remove("CARGO_MANIFEST_DIR");
    let ran = Ran::of(command.output().unwrap()).code(0);
    let systems: Vec<_> = trials(&ran).iter().map(|trial| trial["system"].clone()).collect();
    let expected =
        ["debian11", "debian12", "debian13", "ubuntu20.04", "ubuntu22.04", "ubuntu24.04"];
    assert_eq!(systems, expected);
    assert!(common::files(&elsewhere).is_empty());
}

#[test]
fn an_unknown_system_is_rejected() {
    let w = workspace(&observed("true", "true", ""));
    let ran = w.run(&["try", WHEEL, "--on", "nobody:1"]).code(2);
    ran.reports(&["nobody:1", "hint: "]);
    assert!(!log(&w).contains("buildx bake"));
}
