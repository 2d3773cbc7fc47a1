//! The package tests (`[test]`), with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Workspace;
use serde_json::Value;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
/// The smoke test and the package tests report success.
const PASS: &str = r#"mkdir -p "$dest"; case $target in
    smoke) smoke_passed ;;
    test) smoke_passed; tests_passed ;;
    *) cp "$FAKE"/export/* "$dest/" ;;
    esac"#;

/// Appends `table` to wheels.toml.
fn configure(w: &Workspace, table: &str) {
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    let own = toml.split("\n[test]").next().unwrap();
    fs_err::write(&path, format!("{own}\n[test]\n{table}\n")).unwrap();
}

/// The outcome of the tests in the manifest.
fn outcome(w: &Workspace) -> Value {
    let manifest = fs_err::read(w.root.join("dist/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let builds = files.iter().find_map(|file| file["builds"].as_array()).unwrap();
    builds[0]["tests"].clone()
}

#[test]
fn failing_tests_fail_the_job_with_their_last_lines() {
    let w = Workspace::new();
    configure(&w, "command = \"pytest {project}/tests\"");
    let fail = r#"case $target in
        test) emit "[test-run 1/1] RUN sh /xtask/test.sh" "a.py:1: error: no"
            emit "[test-run 1/1] RUN sh /xtask/test.sh" "sh: 1: pytest: not found"
            progress "[test-run 1/1] RUN sh /xtask/test.sh" "exit code: 127"; exit 1 ;;
        *) mkdir -p "$dest"; cp "$FAKE"/export/* "$dest/" ;;
        esac"#;
    w.on("bake", fail);
    let ran = w.run(&WHEELS).code(1);
    let ran = ran.reports(&["tests of `demo-1.0-py3-none-any.whl`", "exit code: 127", "a.py:1"]);
    assert!(ran.stderr.contains("pytest: not found\n") && ran.stderr.contains("`requires = "));
    assert!(w.dist().is_empty(), "{:?}", w.dist());
    w.on("bake", PASS);
    w.run(&WHEELS).code(0);
    assert_eq!((w.bakes("wheel-builder"), outcome(&w)), (1, "passed".into()));
}

#[test]
fn tests_that_fail_under_emulation_have_a_hint_that_skips_them() {
    let w = Workspace::new();
    let digest = "1".repeat(64);
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    w.on("imagetools", &format!("echo '{{\"digest\":\"sha256:{digest}\"}}'"));
    w.on("pull", "exit 0");
    w.on("inspect", "echo 'Platforms: linux/amd64, linux/386, linux/arm64*'");
    configure(&w, "command = \"pytest\"");
    let run = |platform: &str, output: &str| {
        let fail = format!(
            r#"case $target in
            test) emit "[test-run 1/1] RUN sh /xtask/test.sh" "{output}"
                progress "[test-run 1/1] RUN sh /xtask/test.sh" "exit code: 1"; exit 1 ;;
            *) mkdir -p "$dest"; cp "$FAKE"/export/* "$dest/" ;;
            esac"#
        );
        w.on("bake", &fail);
        let info = common::BUILD_INFO.replace("linux/amd64", platform);
        fs_err::write(w.fake.join("export/build-info.json"), info).unwrap();
        let ran = w.run(&["wheels", "debian:12", platform, "--json", "--force"]).code(1);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        report["jobs"][0]["hint"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(run("linux/amd64", "FAILED a.py"), "");
    assert_eq!(run("linux/386", "FAILED a.py"), "", "an amd64 machine runs it without emulation");
    assert!(!run("linux/arm64", "sh: 1: pytest: not found").contains("[[override]]"));
    let hint = run("linux/arm64", "FAILED a.py");
    let (_, lines) = hint.split_once('\n').unwrap();
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, format!("{toml}\n{lines}\n")).unwrap();
    w.on("bake", PASS);
    w.run(&["wheels", "debian:12", "linux/arm64"]).code(0);
    assert_eq!(outcome(&w), "skipped");
}

#[test]
fn a_changed_command_tests_the_built_wheel_again() {
    let w = Workspace::new();
    w.on("bake", PASS);
    w.run(&WHEELS).code(0);
    assert_eq!((w.bakes("smoke"), outcome(&w)), (1, Value::Null));
    for (table, tests, known) in [
        ("command = \"pytest\"", 1, "passed"),
        ("command = \"pytest -x\"", 2, "passed"),
        ("command = \"pytest -x\"\nskip = true", 2, "skipped"),
    ] {
        configure(&w, table);
        w.run(&WHEELS).code(0);
        assert_eq!((w.bakes("test"), outcome(&w)), (tests, known.into()), "{table}");
        w.run(&WHEELS).code(0);
        assert_eq!(w.bakes("test"), tests, "nothing has changed");
    }
    assert_eq!(w.bakes("wheel-builder"), 1);
    configure(&w, "command = \"pytest\"");
    w.run(&[&WHEELS[..], &["--no-smoke"]].concat()).code(0);
    assert_eq!((w.bakes("test"), outcome(&w)), (2, "skipped".into()));
}

#[test]
fn each_key_reaches_the_tests_and_nothing_else() {
    let w = Workspace::new();
    configure(
        &w,
        "command = [\"pytest {package}/tests\", \"python {project}/check.py\"]\n\
         requires = [\"pytest>=8\", \"mock; python_version < '3'\"]\nextras = [\"fast\"]\n\
         groups = [\"dev\"]\nsources = [\"tests\"]\nenv = { LEVEL = \"2\" }",
    );
    let plan = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0).stdout;
    for argument in [
        "TEST_COMMAND=pytest {package}/tests && python {project}/check.py",
        "TEST_REQUIRES=pytest>=8\nmock; python_version <",
        "TEST_EXTRAS=fast",
        "TEST_GROUPS=dev",
        "TEST_SOURCES=tests",
        "TEST_ENV=LEVEL=2",
        "SDIST=demo==1.0",
    ] {
        assert!(plan.contains(&format!("test.args.{argument}")), "{argument}: {plan}");
        assert!(
            !plan.contains(&format!("wheel-builder.args.{argument}"))
                || argument.starts_with("SDIST")
        );
    }
}

#[test]
fn test_sources_without_a_match_fail_before_the_build() {
    let w = Workspace::new();
    fs_err::create_dir_all(w.root.join("tests")).unwrap();
    fs_err::write(w.root.join("tests/test_a.py"), "").unwrap();
    fs_err::write(w.root.join("pyproject.toml"), "[project]\nname = \"demo\"\n").unwrap();
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    let lines = toml.lines().filter(|line| !line.starts_with("sha256"));
    let lines = lines.map(|line| if line.starts_with("sdist") { "path = \".\"" } else { line });
    fs_err::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    configure(&w, "command = \"pytest\"\nsources = [\"tests\", \"test\"]");
    let ran = w.run(&WHEELS).code(2).reports(&["`test`", "hint: "]);
    assert!(!ran.stderr.contains("`tests`") && w.bakes("wheel-builder-local") == 0);
    configure(&w, "command = \"pytest\"\nsources = [\"./tests/\", \"pyproject.toml\"]");
    let plan = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0).stdout;
    assert!(plan.trim_end().ends_with(" test-local"), "{plan}");
}

#[test]
fn keys_that_wait_for_a_command_are_reported() {
    let w = Workspace::new();
    let toml = || fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let reported = |ran: &common::Ran| {
        let lines = ran.stderr.lines().filter(|line| line.contains("`wheels.toml`, line "));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let found = |table: &str| {
        configure(&w, table);
        reported(&w.run(&["plan"]).code(0))
    };
    let place = |text: &str, key: &str| {
        let line = toml().lines().position(|line| line.starts_with(text)).unwrap() + 1;
        format!("`wheels.toml`, line {line}: `{key}`")
    };
    let keys = found("requires = [\"pytest\"]\nnetwork = true");
    assert_eq!(keys, [place("requires", "test.requires"), place("network", "test.network")]);
    let dry = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0);
    assert_eq!(reported(&dry), keys);
    for fine in [
        "command = \"pytest\"\nrequires = [\"pytest\"]",
        "ignore-requirements = [\"cffi\"]",
        "requires = [\"pytest\"]\n[[override]]\nselect = \"cp311-*\"\ntest.command = \"pytest\"",
    ] {
        assert_eq!(found(fine), Vec::<String>::new(), "{fine}");
    }
    let keys = found("[[override]]\nselect = \"cp311-*\"\ntest.sources = [\"tests\"]");
    assert_eq!(keys, [place("test.sources", "override[0].test.sources")]);
}
