//! Several targets, platforms and interpreters in one run, with a fake engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::Workspace;

/// A second target, whose base image exists, too.
const DEBIAN_13: &str = "[[target]]\nname = \"debian13\"\nimage = \"debian:13\"\nfamily = \"apt\"\n\
    glibc = \"2.36\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n";

/// The default answer to each bake call.
const ANSWER: &str = r#"mkdir -p "$dest"; case $target in
    smoke) smoke_passed ;;
    *) cp "$FAKE"/export/* "$dest/" ;;
    esac"#;

fn two_targets() -> Workspace {
    let w = Workspace::new();
    add(&w, DEBIAN_13);
    w
}

fn add(w: &Workspace, target: &str) {
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, toml + target).unwrap();
}

/// A script for a bake call that succeeds only if the call for the word `other` has begun.
fn meets(own: &str, other: &str) -> String {
    format!(
        "case \"$*\" in *TARGET_NAME={own}*) touch \"$FAKE/{own}\"
        n=0; until [ -e \"$FAKE/{other}\" ]; do
            n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05
        done ;; esac\n"
    )
}

#[test]
fn jobs_of_several_targets_run_at_the_same_time() {
    let w = two_targets();
    w.on("bake", &(meets("debian12", "debian13") + &meets("debian13", "debian12") + ANSWER));
    let ran = w.run(&["wheels", "debian:13", "debian:12", "linux/amd64", "--jobs", "2"]).code(0);
    let rows: Vec<_> = ran.stdout.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(rows[..3], ["folder", "debian13-amd64", "debian12-amd64"], "{}", ran.stdout);
    assert!(ran.stdout.contains("2 of 2 wheels"), "{}", ran.stdout);
    assert!(ran.stdout.lines().nth(1).unwrap().ends_with("built"), "{}", ran.stdout);
}

#[test]
fn at_most_the_requested_number_of_jobs_run() {
    let w = two_targets();
    let alone = "mkdir \"$FAKE/alone\" || exit 1; sleep 0.2; rmdir \"$FAKE/alone\"\n";
    w.on("bake", &(alone.to_owned() + ANSWER));
    w.run(&["wheels", "debian:12", "debian:13", "linux/amd64", "--jobs", "1"]).code(0);
}

#[test]
fn a_slow_base_image_delays_no_other_target() {
    let w = two_targets();
    // The image of one target is ready only after the build of the other's wheel began.
    w.on(
        "image",
        r#"case "$*" in *debian:12*) n=0; until [ -e "$FAKE/built" ]; do
            n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05
        done ;; esac
        echo '{"Architecture":"amd64","Id":"sha256:1","RepoDigests":["debian@sha256:2"]}'"#,
    );
    w.on("bake", &("touch \"$FAKE/built\"\n".to_owned() + ANSWER));
    w.run(&["wheels", "debian:12", "debian:13", "linux/amd64", "--jobs", "1"]).code(0);
}

#[test]
fn fail_fast_stops_running_jobs_and_starts_no_other() {
    let w = two_targets();
    w.on(
        "bake",
        r#"case "$*" in
        *TARGET_NAME=debian13*) echo $$ >"$FAKE/pid"; exec sleep 60 ;;
        *) n=0; until [ -e "$FAKE/pid" ]; do
               n=$((n + 1)); [ $n -lt 200 ] || break; sleep 0.05
           done
           emit "[x] RUN y" "boom"; progress "[x] RUN y" "exit code: 1"; exit 1 ;;
        esac"#,
    );
    let args = ["wheels", "debian:12", "debian:13", "linux/amd64", "--fail-fast", "--jobs"];
    let started = std::time::Instant::now();
    let ran = w.run(&[&args[..], &["2"]].concat()).code(1);
    assert!(started.elapsed().as_secs() < 30, "the running job was waited for");
    let pid = fs_err::read_to_string(w.fake.join("pid")).unwrap();
    assert!(!camino::Utf8Path::new("/proc").join(pid.trim()).exists(), "the client is still there");
    let ran = ran.reports(&["debian13 linux/amd64 cp311: stopped: an earlier failure"]);
    let last = ran.stderr.rsplit("\nerror: ").next().unwrap();
    assert!(last.contains("debian12 linux/amd64 cp311") && last.contains("boom"), "{}", ran.stderr);
    w.on("bake", r#"emit "[x] RUN y" "boom"; progress "[x] RUN y" "exit code: 1"; exit 1"#);
    w.run(&[&args[..], &["1"]].concat())
        .code(1)
        .reports(&["linux/amd64 cp311: not started", "boom"]);
}

#[test]
fn all_builds_runnable_platforms_and_names_the_others() {
    let w = two_targets();
    w.on("inspect", "echo 'Platforms: linux/amd64, linux/386'");
    let ran = w.run(&["wheels", "--all"]).code(1);
    assert!(ran.stdout.contains("2 of 3 wheels"), "{}", ran.stdout);
    let ran = ran.reports(&["debian13 linux/arm64 cp311: ", "binfmt install arm64"]);
    assert_eq!(ran.stderr.matches("\nerror: ").count(), 1, "{}", ran.stderr);
    // A named platform is rejected before anything begins.
    let ran = w.run(&["wheels", "debian:13", "--force"]).code(2);
    ran.reports(&["cannot run linux/arm64", "binfmt install arm64", "name only `linux/amd64`"]);
    // An existing wheel requires no emulator.
    w.run(&["wheels", "debian:13", "linux/amd64"]).code(0);
}

#[test]
fn an_unchanged_run_inspects_each_image_once() {
    let w = Workspace::new();
    let target = |n| {
        format!(
            "[[target]]\nname = \"t{n}\"\nimage = \"t:{n}\"\nglibc = \"2.36\"\n\
             platforms = [\"linux/amd64\"]\n"
        )
    };
    let targets: Vec<String> = (0..12).map(target).collect();
    add(&w, &targets.concat());
    let args = ["wheels", "--all", "--python", "cp311,cp312,cp313,cp314"];
    w.run(&args).code(0);
    let calls = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let ran = w.run(&args).code(0);
    assert_eq!(ran.stdout.matches("unchanged").count(), 13 * 4, "{}", ran.stdout);
    // An image without a pinned digest may have been rebuilt: the engine is queried once for each.
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let (queries, other): (Vec<_>, Vec<_>) =
        log[calls.len()..].lines().partition(|call| call.starts_with("image inspect "));
    assert_eq!((queries.len(), other), (13, vec![]));
}

#[test]
fn each_configuration_has_its_own_wheels() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels-core.toml"), toml).unwrap();
    let local = "[build]\nrecipe = \"other\"\n";
    fs_err::write(w.root.join("wheels-core.local.toml"), local).unwrap();
    w.run(&["wheels", "debian:12"]).code(0);
    let core = ["--config", "wheels-core.toml"];
    let ran = w.run(&[&["wheels", "debian:12"], &core[..]].concat()).code(0);
    assert!(ran.stderr.contains("wheels-core.local.toml"), "{}", ran.stderr);
    assert_eq!(w.bakes("wheel-builder"), 2, "each built its own");
    assert_eq!(common::files(&w.root.join("dist-core")), w.dist());
    // Nothing remains of the one, and everything of the other.
    w.run(&[&["clean", "--dist"], &core[..]].concat()).code(0);
    assert!(!w.root.join("dist-core").exists());
    w.run(&["verify"]).code(0);
    w.run(&[&["verify"], &core[..]].concat()).code(2);
    w.run(&["wheels", "debian:12", "--config", "wheels-none.toml"]).code(2);
    w.run(&["wheels", "debian:12", "--config", "core.toml"]).code(2);
}

#[test]
fn matrix_rejects_an_interpreter_without_a_hint_at_options_of_other_commands() {
    let w = Workspace::new();
    fs_err::write(
        w.root.join("wheels.toml"),
        "[source]\npath = \".\"\n[build]\npythons = [\"cp39\"]\n[[target]]\nname = \"debian12\"\n\
         image = \"debian:12\"\nfamily = \"apt\"\nglibc = \"2.36\"\nplatforms = [\"linux/amd64\"]\n",
    )
    .unwrap();
    fs_err::write(
        w.root.join("pyproject.toml"),
        "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\n",
    )
    .unwrap();
    // `run` compares each hint with the options of its command.
    let matrix = w.run(&["matrix"]).code(2).reports(&["`cp39`", "hint: ", "`pythons`"]);
    assert!(!matrix.stderr.contains("`--"), "{}", matrix.stderr);
    w.run(&["plan"]).code(2).reports(&["`cp39`", "`--python`", "`--only`"]);
    let alpine = "[source]\nsdist = \"demo==1.0\"\nsha256 = \"6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e\"\n\
        [build]\npythons = [\"pp311\"]\n[[target]]\nname = \"alpine\"\nimage = \"alpine:3.22\"\nfamily = \"apk\"\n\
        musl = \"1.2\"\nplatforms = [\"linux/amd64\"]\n";
    fs_err::write(w.root.join("wheels.toml"), alpine).unwrap();
    w.run(&["matrix"]).code(2).reports(&["`pp311`", "hint: "]);
    w.run(&["plan"]).code(2).reports(&["`pp311`", "`--skip`"]);
}
