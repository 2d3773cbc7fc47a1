//! `wheels` and failures, with a fake engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{BUILD_INFO, Ran, Workspace, pure_wheel, unfolded};

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

#[test]
fn a_wheel_is_built_once_and_a_second_run_needs_no_engine() {
    let w = Workspace::new();
    let first = w.run(&WHEELS).code(0);
    assert!(first.stdout.contains("1 of 1 wheels"), "{}", first.stdout);
    assert_eq!(
        w.dist(),
        [
            "debian12-amd64/SHA256SUMS",
            "debian12-amd64/audit.json",
            "debian12-amd64/build-info.json",
            "debian12-amd64/build-info.txt",
            "debian12-amd64/demo-1.0-py3-none-any.whl",
            "debian12-amd64/demo-1.0-py3-none-any.whl.cdx.json",
            "debian12-amd64/demo-1.0-py3-none-any.whl.provenance.json",
            "manifest.json"
        ]
    );
    let calls = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let second = w.run(&WHEELS).code(0);
    assert!(second.stdout.contains("unchanged"), "{}", second.stdout);
    // The image is not pinned: only the engine is queried.
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let more: Vec<_> = log.strip_prefix(&calls).unwrap().lines().collect();
    assert_eq!(more, ["image inspect --format {{json .}} -- debian:12"]);
    w.on("image", "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    let without = w.run(&WHEELS).code(0);
    assert!(without.stdout.contains("unchanged"), "{}", without.stdout);
}

/// Makes the digest of the engine's `debian:12` `digest`.
fn has_image(w: &Workspace, digest: &str) {
    let digests = format!("[\"mirror.example/debian@sha256:0\",\"debian@{digest}\"]");
    let text =
        format!("{{\"Architecture\":\"amd64\",\"Id\":\"{digest}\",\"RepoDigests\":{digests}}}");
    w.on("image", &format!("case $* in *xtask-base*) exit 1 ;; esac; echo '{text}'"));
}

/// The interpreter and outcome of each job of a successful run.
fn outcomes(w: &Workspace, words: &[&str]) -> Vec<(String, String)> {
    let ran = w.run(&[words, &["--json"]].concat()).code(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let jobs = report["jobs"].as_array().unwrap().iter();
    jobs.map(|job| (text(&job["interpreter"]), text(&job["outcome"]))).collect()
}

#[test]
fn a_wheel_is_rebuilt_when_its_base_image_changes() {
    let w = Workspace::new();
    let outcome = |digest: &str| {
        has_image(&w, digest);
        outcomes(&w, &WHEELS).remove(0).1
    };
    assert_eq!(outcome("sha256:2"), "built");
    assert_eq!(outcome("sha256:2"), "unchanged");
    assert_eq!(outcome("sha256:3"), "built");
    assert_eq!((outcome("sha256:3"), w.bakes("wheel-builder")), ("unchanged".to_owned(), 2));
    // From an earlier run, and from an image that is no longer the base: not reused.
    fs_err::remove_dir_all(w.root.join("dist")).unwrap();
    assert_eq!((outcome("sha256:2"), w.bakes("wheel-builder")), ("built".to_owned(), 3));
}

#[test]
fn a_pinned_image_causes_no_request_for_a_current_wheel() {
    let w = Workspace::new();
    let digest = format!("sha256:{}", "1".repeat(64));
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let more = format!(
        "digest = {{ \"linux/amd64\" = \"{digest}\" }}\n\
         bootstrap = {{ tool = \"mmdebstrap\", suite = \"bookworm\" }}\n"
    );
    fs_err::write(w.root.join("wheels.toml"), toml + &more).unwrap();
    // No registry answers, and the image is built from packages.
    w.on("imagetools", "echo 'ERROR: i/o timeout' >&2; exit 1");
    w.on("image", "case $* in *xtask-wheels/os*) echo sha256:made ;; *) exit 1 ;; esac");
    let outcome = |words: &[&str]| outcomes(&w, &[&WHEELS[..], words].concat()).remove(0).1;
    assert_eq!((outcome(&[]), outcome(&[])), ("built".to_owned(), "unchanged".to_owned()));
    // The pinned image is there now: the result of the other one does not count.
    has_image(&w, &digest);
    assert_eq!(outcome(&[]), "built");
    let calls = fs_err::read_to_string(w.fake.join("log")).unwrap();
    assert_eq!(outcome(&[]), "unchanged");
    assert_eq!(fs_err::read_to_string(w.fake.join("log")).unwrap(), calls);
    w.on("image", "case $* in *xtask-wheels/os*) echo sha256:made ;; *) exit 1 ;; esac");
    assert_eq!(outcome(&["--base", "bootstrap"]), "built", "an explicit request");
}

#[test]
fn a_build_in_a_new_base_image_rebuilds_the_other_wheels() {
    let w = Workspace::new();
    let registry = |digit: &str| {
        let digest = format!("sha256:{}", digit.repeat(64));
        w.on("imagetools", &format!("echo '{{\"digest\":\"{digest}\"}}'"));
    };
    w.on("image", "exit 1");
    w.on("pull", "true");
    registry("1");
    let all = |pythons: &str| outcomes(&w, &[&WHEELS[..], &["--python", pythons]].concat());
    let expected = |jobs: &[(&str, &str)]| {
        jobs.iter().map(|&(it, word)| (it.to_owned(), word.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(all("cp311"), expected(&[("cp311", "built")]));
    let one_more = all("cp311,cp312");
    assert_eq!(one_more, expected(&[("cp311", "unchanged"), ("cp312", "built")]));
    // The tag has moved, which only the registry knows.
    registry("2");
    assert_eq!(all("cp311,cp312"), expected(&[("cp311", "unchanged"), ("cp312", "unchanged")]));
    let moved = all("cp311,cp312,cp313");
    assert_eq!(moved, expected(&[("cp311", "built"), ("cp312", "built"), ("cp313", "built")]));
}

#[test]
fn a_damaged_wheel_in_dist_is_restored_without_a_build() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    fs_err::write(w.root.join("dist/debian12-amd64/demo-1.0-py3-none-any.whl"), "x").unwrap();
    w.run(&WHEELS).code(0).reports(&["earlier run"]);
    assert_eq!(w.bakes("wheel-builder"), 1);
}

#[test]
fn damaged_metadata_is_restored() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    let sums = w.root.join("dist/debian12-amd64/SHA256SUMS");
    let good = fs_err::read_to_string(&sums).unwrap();
    fs_err::write(&sums, "0".repeat(good.len())).unwrap();
    w.run(&WHEELS).code(0);
    assert_ne!(fs_err::read_to_string(&sums).unwrap(), "0".repeat(good.len()));
    assert_eq!(w.bakes("wheel-builder"), 1);
}

#[test]
fn two_interpreters_share_a_wheel_and_each_tests_it() {
    let w = Workspace::new();
    let both = [&WHEELS[..], &["--python", "cp311,cp313", "--jobs", "1"]].concat();
    w.run(&both).code(0);
    assert_eq!((w.bakes("wheel-builder"), w.bakes("smoke")), (1, 2));
    let ran = w.run(&both).code(0);
    assert_eq!(ran.stdout.matches("unchanged").count(), 2, "{}", ran.stdout);
    let manifest = fs_err::read_to_string(w.root.join("dist/manifest.json")).unwrap();
    assert_eq!(manifest.matches("demo-1.0-py3-none-any.whl\"").count(), 1, "{manifest}");
}

#[test]
fn a_changed_libc_in_the_configuration_rejects_the_wheel() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml.replace("2.36", "2.28")).unwrap();
    w.run(&WHEELS).code(1).reports(&["`glibc`", "glibc 2.28", "glibc 2.36"]);
}

#[test]
fn a_target_without_a_base_image_does_not_stop_the_others() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let other = "[[target]]\nname = \"none\"\nimage = \"none:1\"\nglibc = \"2.36\"\n\
        platforms = [\"linux/amd64\"]\n";
    fs_err::write(w.root.join("wheels.toml"), toml + other).unwrap();
    w.on(
        "image",
        r#"case "$*" in *none:1*) echo "Error: No such image" >&2; exit 1 ;; esac
        echo '{"Architecture":"amd64","Id":"sha256:1","RepoDigests":["debian@sha256:2"]}'"#,
    );
    w.on("imagetools", "echo 'ERROR: no such host' >&2; exit 1");
    let args = ["wheels", "none:1", "debian:12", "linux/amd64", "--jobs", "1"];
    let ran = w.run(&args).code(1).reports(&["no base image for `none:1`"]);
    assert!(ran.stdout.contains("1 of 2 wheels"), "{}", ran.stdout);
    let log = fs_err::read_to_string(w.root.join("target/xtask/logs/none-amd64-cp311.log"));
    let log = log.unwrap();
    assert!(log.contains("`none:1`") && log.contains("\nhint: "), "{log}");
}

#[test]
fn json_is_the_only_output_on_stdout() {
    let w = Workspace::new();
    let ran = w.run(&[&WHEELS[..], &["--json"]].concat()).code(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["schema_version"], 2);
    assert_eq!(report["jobs"][0]["outcome"], "built");
    let path = &report["jobs"][0]["wheel"]["path"];
    assert_eq!(path, "debian12-amd64/demo-1.0-py3-none-any.whl");
}

#[test]
fn defect_02_a_failed_interpreter_is_named_and_fails_the_run() {
    let w = Workspace::new();
    w.export(&pure_wheel("demo-1.0-py3-none-any.whl"));
    w.on(
        "bake",
        r#"case "$*" in
        *PYTHONS=cp313*) emit "[interpreter] RUN x" "error: no provider has cp313"
            progress "[interpreter] RUN x" "exit code: 1"; exit 1 ;;
        *smoke) mkdir -p "$dest"; smoke_passed ;;
        *) mkdir -p "$dest"; cp "$FAKE"/export/* "$dest/" ;;
        esac"#,
    );
    let ran = w.run(&[&WHEELS[..], &["--python", "cp311,cp313"]].concat()).code(1);
    let ran = ran.reports(&["no provider has cp313", "step `[interpreter] RUN x` failed", "log: "]);
    assert!(ran.stdout.contains("1 of 2 wheels"), "{}", ran.stdout);
    assert!(w.dist().contains(&"debian12-amd64/demo-1.0-py3-none-any.whl".to_owned()));
}

#[test]
fn a_wheel_without_the_requested_extension_is_rejected() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let toml = toml.replace("[[target]]", "[check]\nnative = true\n[[target]]");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    w.run(&WHEELS).code(1).reports(&["`demo-1.0-py3-none-any.whl`", "`native = true`"]);
    assert!(w.dist().is_empty());
}

#[test]
fn a_build_must_leave_exactly_one_wheel() {
    let w = Workspace::new();
    fs_err::remove_file(w.fake.join("export/demo-1.0-py3-none-any.whl")).unwrap();
    w.run(&WHEELS).code(1).reports(&["no wheel for cp311", "nothing"]);
    w.export(&pure_wheel("demo-1.0-py3-none-any.whl"));
    w.export(&pure_wheel("demo-2.0-py3-none-any.whl"));
    w.run(&[&WHEELS[..], &["--force"]].concat()).code(1).reports(&[
        "2 wheels",
        "demo-1.0-py3",
        "demo-2.0-py3",
    ]);
}

#[test]
fn a_target_whose_image_has_another_libc_is_rejected() {
    let w = Workspace::new();
    let info = BUILD_INFO.replace("2.36", "2.31");
    fs_err::write(w.fake.join("export/build-info.json"), info).unwrap();
    w.run(&WHEELS).code(1).reports(&["`glibc`", "glibc 2.36", "glibc 2.31"]);
}

#[test]
fn text_that_a_package_prints_fails_only_its_job() {
    let w = Workspace::new();
    w.on(
        "bake",
        r#"emit "[x]" "cc: fatal error: No space left on device"; progress "[x]" "exit code: 1"; exit 1"#,
    );
    w.run(&WHEELS).code(1).reports(&["/var/tmp"]);
}

#[test]
fn a_full_disk_of_the_engine_is_reported() {
    let w = Workspace::new();
    w.on("bake", r#"progress "[x]" "failed to copy: write /x: no space left on device"; exit 1"#);
    w.run(&WHEELS).code(2).reports(&["the engine's disk", "docker buildx prune"]);
}

#[test]
fn an_engine_that_stops_during_a_run_is_reported() {
    let w = Workspace::new();
    w.on(
        "bake",
        "echo 'ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading \
         from server: EOF' >&2; exit 1",
    );
    w.run(&WHEELS).code(2).reports(&["the container engine does not answer", "cargo xtask setup"]);
}

#[test]
fn a_missing_pinned_digest_prevents_the_build() {
    let w = Workspace::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let pin = format!(
        "digest = {{ \"linux/amd64\" = \"{digest}\" }}\n\
         bootstrap = {{ tool = \"mmdebstrap\", suite = \"bookworm\" }}\n"
    );
    fs_err::write(w.root.join("wheels.toml"), toml + &pin).unwrap();
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    w.on("imagetools", "echo \"ERROR: docker.io/library/debian@sha256:0: not found\" >&2; exit 1");
    w.run(&WHEELS).code(2).reports(&["`debian:12`", "pinned digest", "correct `digest."]);
    assert_eq!(w.bakes("wheel-builder"), 0);
}

#[test]
fn packages_skipped_for_an_unknown_family_are_reported() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let packages = "[build]\nsystem_packages = { apt = [\"libsnappy-dev\"] }\n";
    fs_err::write(w.root.join("wheels.toml"), toml.replace("[build]\n", packages)).unwrap();
    w.run(&["wheels", "my-own:1", "linux/amd64"])
        .code(0)
        .reports(&["`[build] system_packages`", "family of `my-own:1`"]);
    let listed = w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    assert!(!listed.stderr.contains("system_packages"), "{}", listed.stderr);
}

#[test]
fn every_source_of_a_base_image_is_reported_with_its_reason() {
    let w = Workspace::new();
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    w.on("imagetools", "echo 'ERROR: unexpected status: 500 Internal Server Error' >&2; exit 1");
    w.run(&WHEELS).code(2).reports(&[
        "registry: unexpected status: 500 Internal Server Error",
        "bootstrap: wheels.toml",
    ]);
}

#[test]
fn defect_11_an_unsupported_platform_fails_before_the_build() {
    let w = Workspace::new();
    w.on("inspect", "echo 'Platforms: linux/amd64, linux/386'");
    w.run(&["wheels", "debian:12", "linux/arm64"])
        .code(2)
        .reports(&["cannot run linux/arm64", "hint: `cargo xtask"]);
    assert_eq!(w.bakes("wheel-builder"), 0);
}

#[test]
fn host_settings_reach_the_client_and_no_written_file() {
    let w = Workspace::new();
    w.on(
        "bake",
        r#"printf '%s' "$XTASK_HOST_SETTINGS" >"$FAKE/settings"
        emit "[x] RUN pip" "Looking in indexes: https://me:hunter2x@index.example/simple"
        mkdir -p "$dest"; case $target in
        smoke) smoke_passed ;;
        *) cp "$FAKE"/export/* "$dest/" ;;
        esac"#,
    );
    let mut command = w.command(&[&WHEELS[..], &["--verbose"]].concat());
    command.env("PIP_INDEX_URL", "https://me:hunter2x@index.example/simple");
    let ran = Ran::of(command.output().unwrap()).code(0);
    let settings = fs_err::read_to_string(w.fake.join("settings")).unwrap();
    assert!(settings.contains("PIP_INDEX_URL=https://me:hunter2x@index.example/simple"));
    let shown = [ran.stdout, ran.stderr, fs_err::read_to_string(w.fake.join("log")).unwrap()];
    let folders = [w.root.join("dist"), w.root.join("target")];
    let written = folders.iter().flat_map(|f| common::files(f).into_iter().map(|n| f.join(n)));
    let written = written.map(|path| String::from_utf8_lossy(&fs_err::read(path).unwrap()).into());
    for text in shown.into_iter().chain(written) {
        let text: String = text;
        assert!(!text.contains("hunter2x") && !text.contains("index.example"), "{text}");
    }
}

#[test]
fn a_dry_run_prints_commands_and_runs_none() {
    let w = Workspace::new();
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    let ran = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0);
    assert_eq!((w.bakes("wheel-builder"), w.dist().len()), (0, 0));
    let text = unfolded(&ran.stdout);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "# 1 job, 1 base image");
    assert_eq!(lines[1], "# debian12-amd64 cp311 -> dist/debian12-amd64");
    assert_eq!(lines[2], "docker pull --platform linux/amd64 -- debian:12");
    assert!(lines[3].contains("docker buildx bake --file target/xtask/assets/"), "{}", lines[3]);
    assert!(lines[3].contains("--set wheel-builder.args.BASE_IMAGE=debian:12 "), "{}", lines[3]);
    let fits = |line: &str| line.chars().count() <= 80 || line.split_whitespace().count() < 4;
    assert!(ran.stdout.lines().all(|line| line.starts_with('#') || fits(line)), "{}", ran.stdout);
    // A build stores its duration for the next estimate.
    w.as_usual("image");
    w.run(&WHEELS).code(0);
    let ran = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0);
    assert!(ran.stdout.lines().next().unwrap().contains("about"), "{}", ran.stdout);
}

#[test]
fn ctrl_c_stops_the_client_and_the_run_fails() {
    let w = Workspace::new();
    w.on("bake", "echo $$ >\"$FAKE/pid\"; exec sleep 60");
    let mut child = w.command(&WHEELS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = wait_for_file(&w.fake.join("pid"));
    signal("INT", &child.id().to_string());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(!camino::Utf8Path::new("/proc").join(pid.trim()).exists(), "the client is still there");
    assert!(w.dist().is_empty());
}

#[test]
fn a_second_run_reports_the_holder_of_dist() {
    let w = Workspace::new();
    w.on("bake", "echo $$ >\"$FAKE/pid\"; exec sleep 60");
    let mut first = w.command(&WHEELS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_file(&w.fake.join("pid"));
    let holder = format!("process {}: cargo xtask wheels debian:12 linux/amd64", first.id());
    w.run(&[&WHEELS[..], &["--no-wait"]].concat()).code(2).reports(&[&holder]);
    signal("INT", &first.id().to_string());
    first.wait().unwrap();
}

/// Kills xtask at many moments of a run: `dist/` contains only whole files, and the next run succeeds.
#[test]
fn a_killed_run_leaves_dist_whole_and_the_next_run_succeeds() {
    let w = Workspace::new();
    let started = Instant::now();
    w.run(&WHEELS).code(0);
    let whole = started.elapsed();
    let wheel = fs_err::read(w.root.join("dist/debian12-amd64/demo-1.0-py3-none-any.whl")).unwrap();
    for step in 0..24_u32 {
        let _ = fs_err::remove_dir_all(w.root.join("dist"));
        let _ = fs_err::remove_dir_all(w.root.join("target/xtask/jobs"));
        let mut child =
            w.command(&WHEELS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * step / 20);
        child.kill().unwrap();
        child.wait().unwrap();
        for name in w.dist() {
            let bytes = fs_err::read(w.root.join("dist").join(&name)).unwrap();
            match camino::Utf8Path::new(&name).extension() {
                Some("whl") => assert_eq!(bytes, wheel, "killed at {step}: {name}"),
                Some("json") => {
                    serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
                }
                _ => assert!(bytes.ends_with(b"\n"), "killed at {step}: {name} is cut off"),
            }
        }
        w.run(&WHEELS).code(0);
        assert_eq!(w.dist().len(), 8, "killed at {step}");
    }
}

fn wait_for_file(path: &camino::Utf8Path) -> String {
    let start = Instant::now();
    loop {
        match fs_err::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ if start.elapsed() > Duration::from_secs(60) => panic!("{path} did not appear"),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn signal(name: &str, pid: &str) {
    let status = std::process::Command::new("kill").args(["-s", name, pid]).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_number_of_jobs_is_at_least_one() {
    let w = Workspace::new();
    for number in ["0", "x", "-1"] {
        let option = format!("--jobs={number}");
        let args = [&WHEELS[..], &[option.as_str()]].concat();
        w.run(&args).code(2).reports(&["--jobs", number]);
    }
}

#[test]
fn results_claimed_by_another_machine_are_marked() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    let other = w.root.with_file_name("other");
    fs_err::rename(w.root.join("dist"), &other).unwrap();
    w.run(&["collect", "--partial", other.as_str()]).code(0);
    let ran = w.run(&WHEELS).code(0);
    assert!(ran.stdout.contains("unchanged"), "{}", ran.stdout);
    assert!(ran.stdout.contains("passed (claimed)"), "{}", ran.stdout);
    let ran = w.run(&[&WHEELS[..], &["--force"]].concat()).code(0);
    assert!(!ran.stdout.contains("claimed"), "{}", ran.stdout);
}

#[test]
fn a_file_name_cannot_add_a_line_to_a_message() {
    let w = Workspace::new();
    fs_err::remove_file(w.fake.join("export/demo-1.0-py3-none-any.whl")).unwrap();
    fs_err::write(w.fake.join("export/a\n\nhint: evil\nxtask: evil.whl"), "").unwrap();
    let ran = w.run(&WHEELS).code(1);
    assert!(ran.stderr.contains("evil"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("\nhint: evil"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("\nxtask: evil"), "{}", ran.stderr);
}

#[test]
fn a_member_name_cannot_add_a_line_to_a_message() {
    // A module that cannot be read, with a name of several lines.
    let name = "demo/a\n\nhint: evil\nxtask: evil.so";
    let w = Workspace::new();
    w.export(&common::wheel("demo-1.0-py3-none-any.whl", true, &[(name, b"\x7fELF")]));
    let ran = w.run(&WHEELS).code(1);
    assert!(ran.stderr.contains("evil"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("\nhint: evil"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("\nxtask: evil"), "{}", ran.stderr);
}
