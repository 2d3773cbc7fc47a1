//! The workflows hold no logic of their own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;

fn workflows() -> Vec<(String, String)> {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let names = ["ci.yml", "wheels-docker.yml"];
    let text = |name: &str| fs_err::read_to_string(root.join(".github/workflows").join(name));
    names.iter().map(|&name| (name.to_owned(), text(name).unwrap())).collect()
}

/// The values of all lines `key: value` of a workflow, also of those that begin a list item.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let line = |line: &'a str| line.trim_start().trim_start_matches("- ").strip_prefix(key);
    text.lines().filter_map(line).map(str::trim).collect()
}

#[test]
fn each_step_is_one_call_of_xtask() {
    for (name, text) in workflows() {
        let runs = values(&text, "run:");
        assert!(!runs.is_empty(), "{name} runs nothing");
        assert!(runs.iter().all(|run| run.starts_with("cargo xtask ")), "{name}: {runs:?}");
        let injected = runs.iter().filter(|run| run.contains("${{"));
        assert_eq!(injected.count(), 0, "{name}: an expression in a command is an injection");
    }
}

#[test]
fn actions_are_pinned_by_commit_and_permissions_are_least() {
    for (name, text) in workflows() {
        for action in values(&text, "uses:") {
            let (_, pin) = action.split_once('@').unwrap();
            let commit = pin.split(' ').next().unwrap();
            let is_hash = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_hash && pin.contains(" # v"), "{name}: `{action}` is not pinned");
        }
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{name}");
        assert!(text.contains("persist-credentials: false"), "{name}");
    }
}

#[test]
fn defect_19_no_workflow_counts_on_a_cache_that_may_silently_be_off() {
    for (name, text) in workflows() {
        assert!(!text.contains("type=gha"), "{name}");
    }
}

#[test]
fn ci_runs_what_the_readme_says() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let run = fs_err::read_to_string(root.join(".ci/run")).unwrap();
    assert!(run.ends_with("exec cargo xtask ci --setup\n"));
    let readme = fs_err::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("\ncargo xtask ci --setup\n"));
}
