//! Runs the commands of GitLab's pipeline in a shell, like its runner.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use common::{PROGRAM, Ran, Workspace, files, machine, wheel};

const TOML: &str = r#"
[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311"]
[publish]
environment = "index"
[[target]]
name = "debian12"
image = "debian:12"
glibc = "2.36"
platforms = ["linux/amd64"]
[[target]]
name = "rocky9"
image = "rockylinux:9"
glibc = "2.34"
platforms = ["linux/amd64"]
"#;

const DEBIAN: &str = "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
const ROCKY: &str = "demo-1.0-cp311-cp311-manylinux_2_34_x86_64.whl";

/// The commands of `job` below `key`.
fn commands(pipeline: &str, job: &str, key: &str) -> Vec<String> {
    let (_, rest) = pipeline.split_once(&format!("\n{job}:\n")).unwrap();
    let job = rest.split("\n\n").next().unwrap();
    let (_, lines) = job.split_once(&format!("\n  {key}:\n")).unwrap();
    let lines = lines.lines().take_while(|line| line.starts_with("    "));
    lines.filter_map(|line| line.strip_prefix("    - ")).map(str::to_owned).collect()
}

/// Runs the commands in one shell that stops at the first failure.
fn run(w: &Workspace, commands: &[String], env: &[(&str, &str)]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &commands.join("\n")]).current_dir(&w.root).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("HOME", w.fake.as_str());
    command.envs(env.iter().copied());
    Ran::of(command.output().unwrap())
}

#[test]
fn the_gitlab_pipeline_collects_and_verifies_the_tag() {
    let w = Workspace::new();
    fs_err::write(w.root.join("wheels.toml"), TOML).unwrap();
    w.run(&["workflow", "write", "--host", "gitlab"]).code(0);
    let pipeline = fs_err::read_to_string(w.root.join(".gitlab/wheels.yml")).unwrap();
    let tool = w.root.join("target/machines/amd64/xtask");
    fs_err::create_dir_all(tool.parent().unwrap()).unwrap();
    fs_err::create_dir_all(w.root.join("target/xtask")).unwrap();
    std::os::unix::fs::symlink(PROGRAM, &tool).unwrap();
    for (target, name) in [("debian12", DEBIAN), ("rocky9", ROCKY)] {
        let files: [(&str, &[u8]); 1] = [("demo/__init__.py", target.as_bytes())];
        machine::add(&w.root.join("dist"), target, &["cp311"], &wheel(name, false, &files));
        let name = format!("{target}-amd64");
        let env = [("MACHINE", "amd64"), ("NAME", &*name)];
        run(&w, &commands(&pipeline, "wheels-build", "after_script"), &env).code(0);
        let report = fs_err::read_to_string(w.root.join(format!("target/xtask/{name}.md")));
        assert!(!report.unwrap().is_empty());
    }
    run(&w, &commands(&pipeline, "wheels-collect", "script"), &[]).code(0);
    assert_eq!(files(&w.root.join("target/upload")), [ROCKY, DEBIAN]);
    let version = commands(&pipeline, "wheels-version", "script");
    let tagged = |tag: &str| {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        run(&w, &version, &[("CI_COMMIT_TAG", tag), ("CI_COMMIT_SHA", commit)])
    };
    tagged("v1.0").code(0);
    // Not a version of the project, then another version.
    tagged("v1.0-wheels-test").code(1);
    assert_ne!(tagged("v2.0").code, Some(0));
}
