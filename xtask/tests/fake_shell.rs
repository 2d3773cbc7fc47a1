//! `shell` and `clean`, with a script in the engine's place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::Workspace;

/// The one call of the engine that begins with `start`.
fn call(w: &Workspace, start: &str) -> String {
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let calls: Vec<_> = log.lines().filter(|line| line.starts_with(start)).collect();
    assert_eq!(calls.len(), 1, "{start}: {log}");
    calls[0].to_owned()
}

#[test]
fn a_shell_stands_before_the_build_and_passes_the_exit_status_on() {
    let w = Workspace::new();
    w.on("run", "ls -l \"$FAKE\" >/dev/null; exit 7");
    let mut command = w.command(&["shell", "debian:12", "--", "sh", "-c", "exit 7"]);
    command.env("PIP_INDEX_URL", "https://me:hunter2x@index.example/simple");
    let ran = common::Ran::of(command.output().unwrap()).code(7);
    assert!(ran.stderr.contains("this is debian12-amd64 cp311, before `sh /xtask/build.sh`"));
    let bake = call(&w, "buildx bake");
    for part in [
        "shell.args.SHELL_PARENT=interpreter",
        "shell.args.SHELL_FILES=files-build",
        "shell.args.SOURCE_KIND=sdist",
        "shell.args.PYTHONS=cp311",
        "shell.output=type=docker ",
        "shell.tags=xtask-wheels/shell:debian12-amd64-cp311-",
    ] {
        assert!(bake.contains(part), "{part}: {bake}");
    }
    let run = call(&w, "run --rm --interactive --platform linux/amd64");
    assert!(
        run.ends_with(" sh -c exit 7") && run.contains("target=/run/secrets,readonly"),
        "{run}"
    );
    let image = run.split(' ').find(|word| word.starts_with("xtask-wheels/shell:")).unwrap();
    assert_eq!(call(&w, "image rm"), format!("image rm --force {image}"));
    // The secrets were files while it ran, in a folder of their own, and are so no more.
    let folder = run.split("source=").nth(1).unwrap().split(',').next().unwrap();
    assert!(!camino::Utf8Path::new(folder).exists(), "{folder}");
    for text in [ran.stdout, ran.stderr, fs_err::read_to_string(w.fake.join("log")).unwrap()] {
        assert!(!text.contains("hunter2x"), "{text}");
    }
}

#[test]
fn after_a_failure_a_shell_stands_before_the_step_that_failed() {
    let w = Workspace::new();
    let args = ["shell", "--last-failed", "--", "true"];
    w.run(&args).code(2).says(&["no build step has failed"]);
    w.on(
        "bake",
        r#"say "[base 1/1] RUN x" "boom"; progress "[base 1/1] RUN x" "exit code: 1"; exit 1"#,
    );
    let wheels = ["wheels", "debian:12", "linux/amd64", "--python", "cp313"];
    w.run(&wheels).code(1).says(&["`cargo xtask shell --last-failed`"]);
    w.as_usual("bake");
    fs_err::remove_file(w.fake.join("log")).unwrap();
    w.run(&args).code(0).says(&["debian12-amd64 cp313, before `sh /xtask/toolchain.sh`"]);
    let bake = call(&w, "buildx bake");
    assert!(bake.contains("SHELL_PARENT=system ") && bake.contains("PYTHONS=cp313 "), "{bake}");
    assert!(!bake.contains("SOURCE_KIND"), "what failed is needed for it: {bake}");
    // Of another platform nothing has failed; and a job that ends well is no failure any more.
    let other = ["shell", "linux/arm64", "--last-failed"];
    w.run(&other).code(2).says(&["no build step has failed"]);
    w.run(&wheels).code(0);
    w.run(&args).code(2).says(&["no build step has failed"]);
}

#[test]
fn a_shell_is_opened_in_one_place() {
    let w = Workspace::new();
    w.run(&["shell", "debian:12", "debian:13"]).code(2).says(&["these are 2", "name one target"]);
    w.on("inspect", "echo 'Platforms: linux/amd64'");
    w.run(&["shell", "debian:12", "linux/arm64"]).code(2).says(&["nothing here runs linux/arm64"]);
}
