//! Deliberate failures of the machine and of hosts, with a fake engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::BufRead as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use common::Workspace;
use common::skip::unless_skipped;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

/// A small temporary file system, unmounted at the end.
struct Small(Utf8PathBuf);

impl Small {
    /// `None` if the user cannot mount.
    fn mount(folder: &Utf8Path) -> Option<Self> {
        fs_err::create_dir_all(folder).unwrap();
        let options = "size=64k,mode=777";
        let mounted = as_root(&["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder.as_str()]);
        unless_skipped(mounted, "neither root nor `sudo` mounts a small file system")
            .then(|| Self(folder.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        as_root(&["umount", self.0.as_str()]);
    }
}

/// Returns whether this user is root, or `sudo` works without a password.
fn as_root(words: &[&str]) -> bool {
    let sudo: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "-n"] };
    let words = [sudo, words].concat();
    Command::new(words[0]).args(&words[1..]).output().is_ok_and(|ran| ran.status.success())
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_full_disk_leaves_dist_whole_and_the_next_run_succeeds() {
    for place in ["dist", "target/xtask"] {
        let w = Workspace::new();
        w.export(&common::wheel(
            "demo-1.0-py3-none-any.whl",
            true,
            &[("demo/__init__.py", b""), ("demo/data.bin", &noise(300_000))],
        ));
        let Some(small) = Small::mount(&w.root.join(place)) else { return };
        let ran = w.run(&WHEELS).code(2);
        assert!(ran.stderr.to_lowercase().contains("no space left on"), "{place}: {}", ran.stderr);
        assert!(!w.dist().iter().any(|name| name.contains(".whl")), "{place}: {:?}", w.dist());
        drop(small);
        w.run(&WHEELS).code(0);
        assert_eq!(w.dist().len(), 8, "{place}");
    }
}

#[test]
fn a_rate_limited_registry_is_reported_with_its_answer() {
    for answer in ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"]
    {
        let w = Workspace::new();
        w.on("image", "echo 'Error: No such image' >&2; exit 1");
        w.on(
            "imagetools",
            &format!("echo 'ERROR: unexpected status from HEAD request: {answer}' >&2; exit 1"),
        );
        w.run(&WHEELS)
            .code(2)
            .reports(&[&format!("registry: unexpected status from HEAD request: {answer}")]);
        assert_eq!(w.bakes("wheel-builder"), 0);
    }
}

#[test]
fn a_killed_engine_does_not_remove_existing_wheels() {
    let w = Workspace::new();
    let both = [&WHEELS[..], &["--python", "cp311,cp313", "--jobs", "1"]].concat();
    let export = r#"mkdir -p "$dest"; case $target in
        smoke) smoke_passed ;; *) cp "$FAKE"/export/* "$dest/" ;; esac"#;
    w.on(
        "bake",
        &format!(
            "case \"$*\" in *PYTHONS=cp313*) progress '[x]' 'error reading from server: EOF'
             echo 'ERROR: error reading from server: EOF' >&2; exit 1 ;; esac; {export}"
        ),
    );
    let ran = w.run(&both).code(2).reports(&["the container engine does not answer"]);
    assert!(ran.stdout.contains("1 of 2 wheels"), "{}", ran.stdout);
    w.as_usual("bake");
    let ran = w.run(&both).code(0);
    assert!(ran.stdout.contains("unchanged") && ran.stdout.contains("built"), "{}", ran.stdout);
}

#[test]
fn a_second_run_waits_for_the_first_and_uses_its_wheels() {
    let w = Workspace::new();
    // The first run builds until the second one waits.
    let slow = r#"touch "$FAKE/began"; n=0
        until [ -e "$FAKE/waits" ] || [ $n -gt 600 ]; do n=$((n + 1)); sleep 0.1; done; mkdir -p "$dest"; case $target in
        smoke) smoke_passed ;; *) cp "$FAKE"/export/* "$dest/" ;; esac"#;
    w.on("bake", slow);
    let first = w.command(&WHEELS).stdout(std::process::Stdio::null()).spawn().unwrap();
    for _ in 0..200 {
        if w.fake.join("began").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pipe = std::process::Stdio::piped;
    let mut second = w.command(&WHEELS).stdout(pipe()).stderr(pipe()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(second.stderr.take().unwrap()).lines();
    let waiting = format!("waiting for another run (process {}", first.id());
    assert!(lines.any(|line| line.unwrap().contains(&waiting)));
    fs_err::write(w.fake.join("waits"), "").unwrap();
    lines.for_each(drop);
    let ran = common::Ran::of(second.wait_with_output().unwrap()).code(0);
    assert!(ran.stdout.contains("unchanged"), "{}", ran.stdout);
    assert!(first.wait_with_output().unwrap().status.success());
    assert_eq!(w.bakes("wheel-builder"), 1);
}

#[test]
fn a_replaced_build_file_is_reported_and_causes_a_build() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    // The package's own files with these names are not build files.
    for name in ["docker/Dockerfile.wheels", "scripts/build.sh"] {
        fs_err::create_dir_all(w.root.join(name).parent().unwrap()).unwrap();
        fs_err::write(w.root.join(name), "evil").unwrap();
    }
    assert!(w.run(&WHEELS).code(0).stdout.contains("unchanged"));
    w.replace("scripts/build.sh", "true\n");
    let ran = w.run(&WHEELS).code(0).reports(&["xtask/assets/scripts/build.sh"]);
    assert!(ran.stdout.contains("built"), "{}", ran.stdout);
    w.replace("scripts/biuld.sh", "true\n");
    w.run(&WHEELS).code(2).reports(&["scripts/biuld.sh", "`scripts/build.sh`"]);
}

#[test]
fn a_kept_wheel_of_an_earlier_build_is_reported() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    let before = w.dist();
    w.replace("scripts/build.sh", "false\n");
    w.on("bake", "emit \"[wheel-builder 1/1] RUN sh\" 'error: no'; exit 1");
    let ran = w.run(&WHEELS).code(1);
    ran.reports(&["debian12-amd64/demo-1.0-py3-none-any.whl` is the wheel of an earlier build"]);
    assert_eq!(w.dist(), before, "nothing is lost");
}

/// Replaces `path` by something that is not a regular file.
fn spoil(path: &Utf8Path, with: &str) {
    let _ = fs_err::remove_file(path);
    if with == "fifo" {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    } else {
        std::os::unix::fs::symlink(with, path).unwrap();
    }
}

/// Runs the program with limits of a minute and 2 GB; returns its exit status. It never exits with 124 or 134 itself.
fn bounded(w: &Workspace, args: &[&str]) -> Option<i32> {
    let program = w.command(args);
    let mut command = Command::new("/usr/bin/prlimit");
    command.args(["--as=2000000000", "--", "timeout", "60"]).arg(program.get_program());
    command.args(program.get_args()).current_dir(&w.root).env_clear();
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap());
    }
    command.output().unwrap().status.code()
}

#[test]
fn lists_that_are_links_or_fifos_are_rejected_in_bounded_time() {
    for with in ["fifo", "/dev/zero"] {
        for name in ["dist/manifest.json", "target/xtask/journal.json"] {
            let w = Workspace::new();
            w.run(&WHEELS).code(0);
            spoil(&w.root.join(name), with);
            let codes = [&WHEELS[..], &["clean", "--dist"], &["collect", "dist"]];
            for args in codes {
                let code = bounded(&w, args);
                assert!(matches!(code, Some(1 | 2)), "{with} {name} {args:?}: {code:?}");
            }
        }
        for name in ["audit.json", "build-info.json"] {
            let w = Workspace::new();
            w.run(&WHEELS).code(0);
            spoil(&w.root.join("dist/debian12-amd64").join(name), with);
            for args in [&["verify"][..], &["index", "out"], &["collect", "dist"]] {
                let code = bounded(&w, args);
                assert!(matches!(code, Some(1 | 2)), "{with} {name} {args:?}: {code:?}");
            }
            // A new build replaces it by a whole file.
            let code = bounded(&w, &[&WHEELS[..], &["--force"]].concat());
            assert!(matches!(code, Some(0..=2)), "{with} {name}: {code:?}");
        }
        let w = Workspace::new();
        w.run(&WHEELS).code(0);
        let jobs = fs_err::read_dir(w.root.join("target/xtask/jobs")).unwrap();
        let job = Utf8PathBuf::try_from(jobs.map(Result::unwrap).next().unwrap().path()).unwrap();
        spoil(&job.join("built.json"), with);
        fs_err::remove_dir_all(w.root.join("dist")).unwrap();
        assert_eq!(bounded(&w, &WHEELS), Some(0), "{with}");
        spoil(&job.join("failed.json"), with);
        let code = bounded(&w, &["shell", "--last-failed"]);
        assert!(matches!(code, Some(1 | 2)), "{with}: {code:?}");
    }
}

#[test]
fn a_report_of_an_environment_overwrites_no_linked_file() {
    let w = Workspace::new();
    let folder = w.root.join("target/xtask/build-info/debian12-amd64");
    fs_err::create_dir_all(&folder).unwrap();
    let other = w.root.join("other");
    fs_err::write(&other, "other").unwrap();
    std::os::unix::fs::symlink(&other, folder.join("build-info.json")).unwrap();
    w.run(&["build-info", "debian:12", "linux/amd64"]).code(0);
    assert_eq!(fs_err::read_to_string(&other).unwrap(), "other");
}

/// Makes the build fail like a step that cannot reach `deb.example`.
fn without_network(w: &Workspace) {
    let line = "E: Failed to fetch http://deb.example/InRelease  Could not resolve 'deb.example'";
    w.on(
        "bake",
        &format!(
            "s='[system 1/1] RUN sh /xtask/system-packages.sh'; emit \"$s\" \"{line}\"
             progress \"$s\" 'exit code: 100'
             echo 'ERROR: failed to solve' >&2; exit 1"
        ),
    );
}

#[test]
fn an_unreachable_source_is_named_in_every_output() {
    let w = Workspace::new();
    without_network(&w);
    let mut command = w.command(&[&WHEELS[..], &["--json"]].concat());
    let ran = common::Ran::of(command.env("GITHUB_ACTIONS", "true").output().unwrap()).code(1);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let job = &json["jobs"][0];
    assert_eq!((&job["reason"], &job["source"]), (&"network".into(), &"deb.example".into()));
    assert!(job["hint"].as_str().unwrap().contains("gh run rerun"), "{job}");
    let log = fs_err::read_to_string(job["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("\nreason: network (deb.example)\n"), "{log}");
    let annotations: Vec<_> = ran.stderr.lines().filter(|it| it.starts_with("::error ")).collect();
    assert_eq!(annotations.len(), 1, "{}", ran.stderr);
    assert!(annotations[0].contains("deb.example"), "{annotations:?}");
    // The failure of a package's build step is no network failure.
    w.on("bake", "s='[wheel-builder 1/1] RUN x'; emit \"$s\" 'a.c:1: error: x'; progress \"$s\" 'exit code: 1'; exit 1");
    let ran = w.run(&[&WHEELS[..], &["--json"]].concat()).code(1);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["jobs"][0]["reason"], "step");
    assert!(json["jobs"][0].get("source").is_none(), "{json}");
    assert!(!ran.stderr.contains("::error"), "not in GitHub Actions");
}

#[test]
fn the_job_summary_lists_each_build_and_the_cause_of_failure() {
    let w = Workspace::new();
    let markdown = |w: &Workspace| {
        let mut command = w.command(&[&WHEELS[..], &["--markdown"]].concat());
        command.env("GITHUB_SERVER_URL", "https://forge.example").env("GITHUB_RUN_ID", "42");
        common::Ran::of(command.env("GITHUB_REPOSITORY", "own/repo").output().unwrap())
    };
    without_network(&w);
    let page = markdown(&w).code(1).stdout;
    assert!(page.starts_with("### ✗ 0 of 1 wheel "), "{page}");
    assert!(page.contains("| cp311-debian12\\_x86\\_64 | - | - |"), "{page}");
    assert!(page.contains("deb.example") && page.contains("*Hint*: "), "{page}");
    assert!(page.contains("(https://forge.example/own/repo/actions/runs/42#artifacts)"), "{page}");
    w.as_usual("bake");
    let page = markdown(&w).code(0).stdout;
    assert!(
        page.starts_with("### ✓ 1 of 1 wheel ") && page.contains("| passed | none |"),
        "{page}"
    );
}
