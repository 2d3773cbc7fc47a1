//! podman instead of docker, with a fake podman.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::Workspace;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

const PODMAN: &str = r#"#!/bin/sh
echo "$*" >>"$FAKE/podman-log"
case "$1" in
version) echo "${VERSION:-4.3.1}" ;;
info) echo amd64 ;;
image) echo '{"Architecture":"amd64","Id":"1","RepoDigests":["docker.io/library/debian@sha256:2"]}' ;;
build)
	for arg; do
		case $arg in
		type=local,dest=*) dest=${arg#*dest=} ;;
		--target=*) target=${arg#*=} ;;
		esac
	done
	if [ -e "$FAKE/fail" ]; then
		echo '[2/3] STEP 2/2: RUN sh /xtask/build.sh'
		echo 'cc: no such file'
		echo 'Error: building at STEP "RUN sh /xtask/build.sh": while running runtime: exit status 1' >&2
		exit 1
	fi
	echo "[1/1] STEP 1/1: RUN fake"
	mkdir -p "$dest"
	case $target in
	smoke) echo '{"schema_version": 2, "unprivileged": true, "checks": []}' >"$dest/smoke.json" ;;
	*) cp "$FAKE"/export/* "$dest/" ;;
	esac
	;;
*) echo "Error: unrecognized command $*" >&2 && exit 125 ;;
esac
"#;

/// A machine with podman, and without docker unless it is kept.
fn workspace(keep_docker: bool) -> Workspace {
    let w = Workspace::new();
    let bin = w.fake.with_file_name("bin");
    fs_err::write(bin.join("podman"), PODMAN).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(bin.join("podman"), mode).unwrap();
    if !keep_docker {
        fs_err::remove_file(bin.join("docker")).unwrap();
    }
    w
}

fn run(w: &Workspace, switches: &[&str]) -> common::Ran {
    let mut command = w.command(&[&WHEELS[..], switches].concat());
    // Only the fakes and their programs, because this machine may have docker.
    let bin = w.fake.with_file_name("bin");
    for tool in ["sh", "mkdir", "cp", "cat", "git"] {
        let path = ["/usr/bin", "/bin"].map(|dir| camino::Utf8PathBuf::from(dir).join(tool));
        if let Some(path) = path.into_iter().find(|path| path.exists()) {
            let _ = std::os::unix::fs::symlink(path, bin.join(tool));
        }
    }
    command.env("PATH", bin.as_str());
    common::Ran::of(command.output().unwrap())
}

fn builds(w: &Workspace) -> Vec<String> {
    let log = fs_err::read_to_string(w.fake.join("podman-log")).unwrap_or_default();
    log.lines().filter(|line| line.starts_with("build ")).map(str::to_owned).collect()
}

#[test]
fn podman_builds_the_wheel_without_docker() {
    let w = workspace(false);
    let ran = run(&w, &[]).code(0).reports(&["engine: podman"]);
    assert!(ran.stdout.contains("1 of 1 wheels"), "{}", ran.stdout);
    let builds = builds(&w);
    assert_eq!(builds.len(), 2, "the build and the smoke test: {builds:?}");
    for (build, words) in builds.iter().zip([
        ["--target=output", "--build-arg SOURCE_KIND=sdist", "--build-arg ACCELERATE=off"],
        ["--target=smoke", "--build-context wheel=", "--build-arg BASE_DIGEST=sha256:2"],
    ]) {
        for word in words {
            assert!(build.contains(word), "{word} in {build}");
        }
    }
}

#[test]
fn docker_builds_unless_podman_is_requested() {
    let w = workspace(true);
    run(&w, &["--engine", "podman"]).code(0);
    assert_eq!((builds(&w).len(), w.bakes("wheel-builder")), (2, 0));
    run(&w, &["--force"]).code(0);
    assert_eq!((builds(&w).len(), w.bakes("wheel-builder")), (2, 1));
}

#[test]
fn options_that_podman_lacks_fail_before_the_build() {
    let w = workspace(false);
    for (switches, word) in [
        (["--cache-to", "r.example/c"], "`--cache-to`"),
        (["--cache-from", "r.example/c"], "`--cache-from`"),
        (["--builder", "b"], "`--builder`"),
        (["--engine-host", "ssh://me@box"], "`CONTAINER_HOST`"),
    ] {
        run(&w, &switches).code(2).reports(&["podman", word]);
    }
    assert!(builds(&w).is_empty());
    let old = PODMAN.replace("4.3.1", "3.0.1");
    fs_err::write(w.fake.with_file_name("bin/podman"), old).unwrap();
    run(&w, &[]).code(2).reports(&["podman 3.0.1", "4.2.0"]);
}

#[test]
fn podman_reports_a_failed_step_like_docker() {
    let w = workspace(false);
    fs_err::write(w.fake.join("fail"), "").unwrap();
    run(&w, &[]).code(1).reports(&[
        "step `[2/3] RUN sh /xtask/build.sh` failed: exit status 1",
        "cc: no such file",
    ]);
}

#[test]
fn a_missing_podman_is_reported_with_a_hint() {
    let w = workspace(true);
    fs_err::remove_file(w.fake.with_file_name("bin").join("podman")).unwrap();
    let ran = run(&w, &["--engine", "podman"]).code(2);
    ran.reports(&["`podman` is not installed", "hint: install podman"]);
}
