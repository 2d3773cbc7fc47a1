//! Numbered defects (`defects.rs`) that concern the calls of the engine's client, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Workspace;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

#[test]
fn defect_09_a_failed_smoke_test_keeps_the_wheel_out_of_dist() {
    let w = Workspace::new();
    w.on(
        "bake",
        r#"case "$*" in
        *smoke) emit "[smoke-run] RUN y" "ImportError: no module named demo"
            progress "[smoke-run] RUN y" "exit code: 1"; exit 1 ;;
        *) mkdir -p "$dest"; cp "$FAKE"/export/* "$dest/" ;;
        esac"#,
    );
    w.run(&WHEELS).code(1).reports(&["smoke test of `demo-1.0-py3-none-any.whl`", "ImportError"]);
    assert!(w.dist().is_empty(), "{:?}", w.dist());
    w.as_usual("bake");
    w.run(&WHEELS).code(0);
    assert_eq!(w.bakes("wheel-builder"), 1, "the built wheel is taken up, not built again");
}

#[test]
fn defect_09_the_smoke_test_uses_the_wheels_name_and_platform() {
    for (platform, machine) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        let w = Workspace::new();
        let path = w.root.join("wheels.toml");
        let toml = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, toml.replace("linux/amd64", platform)).unwrap();
        let info = common::BUILD_INFO.replace("linux/amd64", platform);
        fs_err::write(w.fake.join("export/build-info.json"), info).unwrap();
        w.on(
            "image",
            &format!(
                r#"case "$*" in *xtask-base*) echo "Error: No such image" >&2; exit 1 ;; esac
                echo '{{"Architecture":"{machine}","Id":"sha256:1","RepoDigests":["debian@sha256:2"]}}'"#
            ),
        );
        w.on(
            "bake",
            r#"mkdir -p "$dest"; case $target in
            smoke) for word; do case $word in
                smoke.contexts.wheel=*) ls -A "${word#*=}" >"$FAKE/tested" ;;
                smoke.platform=*) echo "${word#*=}" >"$FAKE/platform" ;;
                esac; done; smoke_passed ;;
            *) cp "$FAKE"/export/* "$dest/" ;;
            esac"#,
        );
        w.run(&["wheels", "debian:12", platform]).code(0);
        let logged = |name: &str| fs_err::read_to_string(w.fake.join(name)).unwrap();
        assert_eq!(logged("tested"), "demo-1.0-py3-none-any.whl\n");
        assert_eq!(logged("platform"), format!("{platform}\n"));
    }
}

/// The files of the user's client, with their content.
fn client_settings(w: &Workspace) -> Vec<(String, Vec<u8>)> {
    let folder = w.fake.join(".docker");
    common::files(&folder)
        .into_iter()
        .map(|name| (name.clone(), fs_err::read(folder.join(name)).unwrap()))
        .collect()
}

/// The client's commands that xtask may run: queries, builds, and running and removing its own results.
const HARMLESS: [&str; 12] = [
    "version",
    "info",
    "buildx version",
    "buildx inspect",
    "buildx bake",
    "buildx du",
    "buildx imagetools inspect",
    "image inspect",
    "image ls",
    "image rm --force xtask-",
    "run",
    "exec",
];

#[test]
fn defect_21_no_command_changes_global_state() {
    let commands: [&[&str]; 8] = [
        &WHEELS,
        &["wheels", "debian:12", "linux/amd64", "--builder", "mine", "--force"],
        &["base-image", "build", "debian:12", "linux/amd64"],
        &["build-info", "debian:12", "linux/amd64"],
        &["shell", "debian:12", "--", "true"],
        &["doctor"],
        &["setup", "--dry-run"],
        &["clean", "--dry-run"],
    ];
    for command in commands {
        let w = Workspace::new();
        for (name, text) in
            [("config.json", "{\"auths\":{}}"), ("buildx/current", "{\"Name\":\"mine\"}")]
        {
            let path = w.fake.join(".docker").join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let before = client_settings(&w);
        let ran = w.run(command);
        assert_eq!(client_settings(&w), before, "{command:?}");
        let log = fs_err::read_to_string(w.fake.join("log")).unwrap_or_default();
        let uses_engine = !["doctor", "setup", "clean"].contains(&command[0]);
        assert!(!uses_engine || log.lines().count() > 1, "{command:?}: {log}{}", ran.stderr);
        for call in log.lines() {
            let is_harmless = HARMLESS.iter().any(|start| {
                call == *start
                    || call.starts_with(&format!("{start} "))
                    || (start.ends_with('-') && call.starts_with(start))
            });
            assert!(is_harmless, "{command:?}: {call}");
            let words: Vec<_> = call.split(' ').collect();
            let switches = ["--use", "--push", "--privileged"];
            assert!(!words.iter().any(|word| switches.contains(word)), "{command:?}: {call}");
            let tags = words.iter().filter_map(|word| word.split_once(".tags="));
            let mut tags = tags.map(|(_, tag)| tag);
            assert!(tags.all(|tag| tag.starts_with("xtask-")), "{command:?}: {call}");
        }
    }
}
