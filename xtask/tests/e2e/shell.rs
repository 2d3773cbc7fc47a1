//! A shell in the builder's environment, and in the state before a failed step.

use std::process::Stdio;

use crate::workspace::{Workspace, ran, sh};

/// Returns whether the image of the shell that the process `id` started exists. Other tests start shells, too.
fn has_image(id: u32) -> bool {
    let list = ["image", "ls", "--format", "{{.Tag}}", "xtask-wheels/shell"];
    sh("docker", &list).lines().any(|tag| tag.ends_with(&format!("-{id}")))
}

#[test]
fn a_shell_has_the_build_environment_and_leaves_no_image() {
    let w = Workspace::new(|toml| toml);
    // The shell has the environment of the build, its tools and the source, and the build succeeds in it.
    let script = "test -f pyproject.toml && test \"$AUTOBAHN_USE_NVX\" = 1 && just --version && \
        python --version && test -r /run/secrets/ca && exit 7";
    let args = ["shell", "debian:12", "linux/amd64", "--python", "cp311", "--", "sh", "-c", script];
    let mut command = w.command(&args);
    command.env("PIP_TRUSTED_HOST", "canary-shell-9e1f.example");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (stdout, stderr) = ran(&child.wait_with_output().unwrap(), 7);
    assert!(stdout.contains("just ") && stdout.contains("Python 3.11"), "{stdout}");
    assert!(stderr.contains("before `sh /xtask/build.sh`"), "{stderr}");
    assert!(!has_image(id), "the image of the shell is still there");
}

#[test]
fn after_a_failed_build_the_shell_opens_before_the_failed_step() {
    let w = Workspace::of_package(
        "sdist = \"markupsafe==3.0.2\"\n\
         sha256 = \"ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0\"",
        "",
    );
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    let toml = toml.replace("[check]", "env = { CC = \"/bin/false\", CFLAGS = \"-O1\" }\n[check]");
    fs_err::write(&path, toml).unwrap();
    let (_, stderr) = w.run(&["wheels", "debian:12", "linux/amd64"], 1);
    // Without its compiler, the package builds a wheel without code, which the audit rejects. A missing recipe fails
    // the step.
    assert!(stderr.contains("the audit rejected"), "{stderr}");
    let toml =
        fs_err::read_to_string(&path).unwrap().replace("[build]", "[build]\nrecipe = \"no\"");
    fs_err::write(&path, toml).unwrap();
    let (_, stderr) = w.run(&["wheels", "debian:12", "linux/amd64"], 1);
    assert!(stderr.contains("`[build] recipe`"), "{stderr}");
    let args = [
        "shell",
        "--last-failed",
        "--",
        "sh",
        "-c",
        "sh /xtask/build.sh 2>&1 || echo \"failed: $?\"",
    ];
    let (stdout, _) = w.run(&args, 0);
    assert!(stdout.contains("failed: 1"), "the step fails by hand as it did: {stdout}");
    assert!(stdout.contains("recipe `no`"), "for the same reason: {stdout}");
}

#[test]
fn after_a_failed_smoke_test_the_shell_has_the_wheel() {
    let w = Workspace::of_package(
        "sdist = \"markupsafe==3.0.2\"\n\
         sha256 = \"ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0\"",
        "imports = [\"markupsafe._speedups\"]\n\
         calls = { \"markupsafe._speedups\" = [\"m._escape_inner('<') == 'no'\"] }",
    );
    w.run(&["wheels", "debian:12", "linux/amd64"], 1);
    let script = "ls /wheel && sh /xtask/smoke.sh 2>&1 || echo \"failed: $?\"";
    let (stdout, _) = w.run(&["shell", "--last-failed", "--", "sh", "-c", script], 0);
    assert!(stdout.contains("arkup") && stdout.contains(".whl"), "{stdout}");
    assert!(stdout.contains("FAIL") && stdout.contains("failed: 1"), "{stdout}");
}

#[test]
fn a_shell_without_interpreter_names_the_setting() {
    // A package for this interpreter. The source is fetched in parallel, and must not be the failure.
    let w = Workspace::of_package(
        "sdist = \"markupsafe==3.0.2\"\n\
         sha256 = \"ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0\"",
        "",
    );
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    let pythons = "pythons = [\"cp310\"]\nproviders = [\"distro\"]";
    fs_err::write(&path, toml.replace("pythons = [\"cp311\"]", pythons)).unwrap();
    let (_, stderr) = w.run(&["shell", "debian:12", "linux/amd64", "--", "true"], 2);
    for text in ["no provider has cp310", "`--python`", "-shell.log"] {
        assert!(stderr.contains(text), "{text}: {stderr}");
    }
}
