//! `docs/security.md` names a test for each protection; steps that run code of a package have neither network nor secrets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all functions of the workspace's Rust files.
fn functions(root: &Path) -> BTreeSet<String> {
    let folders = ["xtask/src", "xtask/tests", "xtask/crates"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(walkdir::WalkDir::new).map(Result::unwrap);
    let files = files.filter(|file| file.path().extension().is_some_and(|it| it == "rs"));
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs_err::read_to_string(file.path()).unwrap();
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        names.extend(lines.filter_map(|rest| rest.strip_suffix("() {")).map(str::to_owned));
    }
    names
}

#[test]
fn each_protection_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let functions = functions(root);
    let page = fs_err::read_to_string(root.join("docs/security.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    let mut tests = 0;
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let named: Vec<_> = cell.split(", ").map(|name| name.trim_matches('`')).collect();
        for name in &named {
            assert!(functions.contains(*name), "no test is called `{name}`: {row}");
        }
        tests += named.len();
    }
    assert!(tests > 25, "the tables were read: {tests}");
}

/// Steps with a network. They run no code of a package, or `network = true` requests it.
const CONNECTED: [&str; 18] = [
    "base",
    "before-run-online",
    "build-info-run",
    "fetch-auditwheel",
    "fetch-build",
    "fetch-crates",
    "fetch-published",
    "fetch-sdist",
    "interpreter",
    "native-build",
    "pyproject-run",
    "smoke-fetch",
    "smoke-system",
    "system",
    "test-fetch",
    "try-pythons-run",
    "try-system",
    "try-tools",
];

#[test]
fn only_listed_steps_have_network_or_secrets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs_err::read_to_string(root.join("docker/Dockerfile.wheels")).unwrap();
    let joined = text.replace("\\\n", " ");
    let (mut stage, mut connected) = ("", BTreeSet::new());
    for line in joined.lines() {
        if let Some((_, name)) = line.strip_prefix("FROM ").and_then(|it| it.split_once(" AS ")) {
            stage = name;
        }
        let is_offline = line.contains("--network=none");
        if line.starts_with("RUN ") && is_offline {
            let secrets = line.matches("type=secret").count();
            let cores = line.matches("type=secret,id=cores").count();
            assert_eq!(secrets, cores, "{stage} mounts a secret");
        } else if line.starts_with("RUN ") {
            connected.insert(stage);
        }
    }
    let expected = CONNECTED.into_iter().chain(["test-run-online", "wheel-builder-online"]);
    assert_eq!(connected, expected.collect::<BTreeSet<_>>());
}
