//! `shell` and `clean`, with a fake engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::process::Stdio;

use common::Workspace;

/// The only call of the engine that begins with `start`.
fn call(w: &Workspace, start: &str) -> String {
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let calls: Vec<_> = log.lines().filter(|line| line.starts_with(start)).collect();
    assert_eq!(calls.len(), 1, "{start}: {log}");
    calls[0].to_owned()
}

#[test]
fn a_shell_opens_before_the_build_and_returns_the_exit_status() {
    let w = Workspace::new();
    // A container that starts after a while, and continues when it has its secrets.
    w.on(
        "run",
        r#"sleep 0.3; touch "$FAKE/runs"; n=0
        until [ -e "$FAKE/secret-.complete" ] || [ $n -gt 100 ]; do n=$((n + 1)); sleep 0.1; done; exit 7"#,
    );
    w.on(
        "exec",
        r#"[ -e "$FAKE/runs" ] || { echo "Error: No such container" >&2; exit 1; }
        for word; do case $word in /run/secrets/*) cat >"$FAKE/secret-${word##*/}" ;; esac; done"#,
    );
    let mut command = w.command(&["shell", "debian:12", "--", "sh", "-c", "exit 7"]);
    command.env("PIP_INDEX_URL", "https://me:hunter2x@index.example/simple");
    let ran = common::Ran::of(command.output().unwrap()).code(7);
    assert!(ran.stderr.contains("debian12-amd64 cp311, before `sh /xtask/build.sh`"));
    let bake = call(&w, "buildx bake");
    for part in [
        "shell.args.SHELL_PARENT=build-environment",
        "shell.args.SHELL_FILES=files-build",
        "shell.args.SOURCE_KIND=sdist",
        "shell.args.PYTHONS=cp311",
        "shell.output=type=docker ",
        "shell.tags=xtask-wheels/shell:debian12-amd64-cp311-",
    ] {
        assert!(bake.contains(part), "{part}: {bake}");
    }
    let run = call(&w, "run --rm --interactive --name ");
    assert!(run.ends_with(" sh -c exit 7") && run.contains(" --tmpfs /run/secrets:"), "{run}");
    assert!(
        !run.contains("--mount") && !run.contains("--volume"),
        "nothing of this machine: {run}"
    );
    let settings = fs_err::read_to_string(w.fake.join("secret-settings")).unwrap();
    assert!(settings.contains("PIP_INDEX_URL=https://me:hunter2x@index.example/simple"));
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let container = run.split("--name ").nth(1).unwrap().split(' ').next().unwrap();
    let puts: Vec<_> = log.lines().filter(|line| line.starts_with("exec ")).collect();
    assert!(puts.iter().all(|put| put.contains(container)), "{puts:?}");
    assert!(puts.last().unwrap().contains("/run/secrets/.complete"), "the mark comes last");
    let image = run.split(' ').find(|word| word.starts_with("xtask-wheels/shell:")).unwrap();
    assert_eq!(call(&w, "image rm"), format!("image rm --force {image}"));
    for text in [ran.stdout, ran.stderr, fs_err::read_to_string(w.fake.join("log")).unwrap()] {
        assert!(!text.contains("hunter2x"), "{text}");
    }
}

#[test]
fn a_container_without_secrets_is_an_error() {
    let w = Workspace::new();
    w.on("run", "sleep 0.3; exit 120");
    w.on("exec", "echo 'Error: exec is not allowed' >&2; exit 1");
    let shell = |variable: &str| {
        let mut command = w.command(&["shell", "debian:12"]);
        command.env(variable, "https://index.example/simple");
        common::Ran::of(command.output().unwrap())
    };
    shell("PIP_INDEX_URL").code(2).reports(&["exec is not allowed"]);
    w.as_usual("exec");
    w.on("run", "exit 3");
    shell("PIP_INDEX_URL").code(3);
}

#[test]
fn after_a_failure_a_shell_opens_before_the_failed_step() {
    let w = Workspace::new();
    let args = ["shell", "--last-failed", "--", "true"];
    w.run(&args).code(2).reports(&["no failed build step", "--last-failed"]);
    w.on(
        "bake",
        r#"emit "[base 1/1] RUN x" "boom"; progress "[base 1/1] RUN x" "exit code: 1"; exit 1"#,
    );
    let wheels = ["wheels", "debian:12", "linux/amd64", "--python", "cp313"];
    w.run(&wheels).code(1).reports(&["`cargo xtask shell --last-failed`"]);
    w.as_usual("bake");
    fs_err::remove_file(w.fake.join("log")).unwrap();
    w.run(&args).code(0).reports(&["debian12-amd64 cp313, before `sh /xtask/toolchain.sh`"]);
    let bake = call(&w, "buildx bake");
    assert!(bake.contains("SHELL_PARENT=system ") && bake.contains("PYTHONS=cp313 "), "{bake}");
    assert!(!bake.contains("SOURCE_KIND"), "what failed is needed for it: {bake}");
    // No job of another platform failed, and a successful job clears its failure.
    let other = ["shell", "linux/arm64", "--last-failed"];
    w.run(&other).code(2).reports(&["no failed build step", "--last-failed"]);
    w.run(&wheels).code(0);
    w.run(&args).code(2).reports(&["no failed build step", "--last-failed"]);
}

#[test]
fn a_shell_requires_one_target() {
    let w = Workspace::new();
    w.run(&["shell", "debian:12", "debian:13"])
        .code(2)
        .reports(&["these are 2", "name one target"]);
    w.on("inspect", "echo 'Platforms: linux/amd64'");
    for command in [&["shell"][..], &["build-info"], &["base-image", "build"], &["wheels"]] {
        let ran = w.run(&[command, &["debian:12", "linux/arm64"]].concat()).code(2);
        ran.reports(&["cannot run linux/arm64", "hint: `cargo xtask binfmt install arm64`"]);
    }
    assert_eq!(w.bakes(""), 0, "nothing is begun");
    let ran = w.run(&["shell", "debian:12", "true"]).code(2);
    ran.reports(&["`true` is neither", "`cargo xtask shell debian:12 -- true`"]);
}

#[test]
fn clean_removes_and_lists_only_our_files() {
    let w = Workspace::new();
    w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    fs_err::write(w.root.join("dist/debian12-amd64/notes.txt"), "mine").unwrap();
    fs_err::create_dir_all(w.root.join("target/xtask/engine")).unwrap();
    w.on("images", "printf 'debian:12\\t117MB\\nxtask-wheels/os:x\\t164MB\\n'");
    w.on(
        "du",
        r#"printf 'ID:\t\taaa\nReclaimable:\ttrue\nSize:\t\t5MB\nDescription:\tlocal source for context\n\n'
        record() { printf "ID:\t\t$1\nReclaimable:\ttrue\nSize:\t\t7MB\nDescription:\tmount / from exec /bin/sh -c sh /xtask/build.sh\n\n"; }
        [ -e "$FAKE/pruned-twice" ] || record bbb
        [ -e "$FAKE/pruned" ] || record ccc"#,
    );
    // The second image is based on the first, which is removed after it.
    w.on(
        "prune",
        "[ ! -e \"$FAKE/pruned\" ] || touch \"$FAKE/pruned-twice\"; touch \"$FAKE/pruned\"",
    );
    let before = common::files(&w.root);
    let ran = w.run(&["clean", "--all", "--everywhere", "--dry-run"]).code(0);
    assert_eq!(common::files(&w.root), before, "a dry run removes nothing");
    for word in [
        "/jobs (",
        "/logs (",
        "8 files of ",
        "image xtask-wheels/os:x (164MB)",
        "2 times: mount / from",
    ] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("debian:12") && !ran.stdout.contains("5MB"), "{}", ran.stdout);
    let ran =
        w.run(&["clean", "--all", "--everywhere"]).code(1).reports(&["kept `", "did not write"]);
    assert!(ran.stdout.contains("removed image xtask-wheels/os:x"), "{}", ran.stdout);
    assert_eq!(w.dist(), ["debian12-amd64/notes.txt"]);
    assert_eq!(common::files(&w.root.join("target/xtask")), ["lock"]);
    assert!(
        w.root.join("target/xtask/engine").is_dir(),
        "an engine's own files are no work of ours"
    );
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let calls: Vec<_> = log.lines().filter(|l| l.contains("prune") || l.contains("rm ")).collect();
    let prune = "buildx prune --force --filter";
    let (both, one) = (format!("{prune} id=(bbb|ccc)"), format!("{prune} id=(bbb)"));
    assert_eq!(calls, ["image rm xtask-wheels/os:x", &both, &one]);
}

#[test]
fn clean_keeps_shared_files_without_everywhere() {
    let w = Workspace::new();
    w.on("images", "printf 'xtask-wheels/os:x\\t164MB\\n'");
    w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    let log = || fs_err::read_to_string(w.fake.join("log")).unwrap();
    let before = log();
    for switches in [&["--images"][..], &["--cache", "--dist"], &["--everywhere"]] {
        w.run(&[&["clean"][..], switches].concat()).code(2);
        assert_eq!(w.dist().len(), 8, "{switches:?}");
    }
    for switches in [&["--all", "--dry-run"][..], &["--all"]] {
        let ran = w.run(&[&["clean"][..], switches].concat()).code(0).reports(&["`--everywhere`"]);
        assert!(!ran.stdout.contains("image "), "{}", ran.stdout);
    }
    assert_eq!(log(), before, "no call of the engine");
    assert!(w.dist().is_empty());
    let ran = w.run(&["clean", "--images", "--everywhere"]).code(0);
    assert_eq!(ran.stdout.lines().next(), Some("removed image xtask-wheels/os:x (164MB)"));
}

#[test]
fn clean_without_options_keeps_dist_and_starts_no_engine() {
    let w = Workspace::new();
    w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    let calls = fs_err::read_to_string(w.fake.join("log")).unwrap();
    w.run(&["clean"]).code(0);
    assert_eq!(fs_err::read_to_string(w.fake.join("log")).unwrap(), calls);
    assert_eq!(w.dist().len(), 8);
    let ran = w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    assert!(ran.stdout.contains("unchanged"), "{}", ran.stdout);
}

#[test]
fn clean_removes_nothing_during_another_run() {
    let w = Workspace::new();
    w.on("bake", "echo $$ >\"$FAKE/pid\"; exec sleep 60");
    let mut command = w.command(&["wheels", "debian:12", "linux/amd64"]);
    let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..200 {
        if w.fake.join("pid").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ran = w.run(&["clean", "--all"]).code(2);
    ran.reports(&["another run", &format!("(process {}", first.id())]);
    assert!(w.root.join("target/xtask/jobs").is_dir());
    let status =
        std::process::Command::new("kill").args(["-s", "INT", &first.id().to_string()]).status();
    assert!(status.unwrap().success());
    first.wait().unwrap();
}
