//! buildx reads the bake file, without an engine.

use std::process::Command;

use serde_json::Value;

use crate::workspace::{ran, repository};

fn print(target: &str, env: &[(&str, &str)]) -> Value {
    let output = Command::new("docker")
        .args(["buildx", "bake", "--file", "docker/docker-bake.hcl", "--print", target])
        .envs(env.iter().copied())
        .current_dir(repository())
        .output()
        .unwrap();
    let (stdout, _) = ran(&output, 0);
    let whole: Value = serde_json::from_str(&stdout).unwrap();
    whole["target"][target].clone()
}

#[test]
fn defect_01_every_target_exports_its_own_stage() {
    let stages = [
        ("wheel-builder", "output"),
        ("wheel-builder-local", "output"),
        ("build-info", "build-info"),
        ("published", "published"),
        ("smoke", "smoke"),
    ];
    for (target, stage) in stages {
        let printed = print(target, &[]);
        assert_eq!(printed["target"], stage, "{target}");
        assert_eq!(printed["output"][0], "type=local,dest=target/xtask/output", "{target}");
        assert!(printed["tags"].is_null() && printed["cache-to"].is_null(), "{target}");
    }
}

#[test]
fn podman_builds_the_same_stages_with_the_same_arguments() {
    for (target, stage, source) in wheel_build::testing::PODMAN_TARGETS {
        let printed = print(target, &[]);
        assert_eq!(printed["target"], stage, "{target}");
        let fixed = printed["args"]["SOURCE_KIND"].as_str();
        assert_eq!(fixed, source, "{target}");
    }
}

#[test]
fn the_host_network_overlay_changes_only_the_network() {
    let text = fs_err::read_to_string(repository().join("docker/docker-bake.hcl")).unwrap();
    let laid_over = fs_err::read_to_string(repository().join("docker/host-network.yaml")).unwrap();
    let targets = text.lines().filter_map(|line| line.strip_prefix("target \"")?.split('"').next());
    for target in targets.filter(|name| !name.starts_with('_')) {
        assert!(laid_over.contains(&format!("\n  {target}: ")), "{target}");
        let output = Command::new("docker")
            .args(["buildx", "bake", "--file", "docker/docker-bake.hcl"])
            .args(["--file", "docker/host-network.yaml", "--print", target])
            .current_dir(repository())
            .output()
            .unwrap();
        let whole: Value = serde_json::from_str(&ran(&output, 0).0).unwrap();
        let mut with = whole["target"][target].clone();
        // Newer clients print it.
        with.as_object_mut().unwrap().remove("network");
        assert_eq!(with, print(target, &[]), "{target}");
    }
}

#[test]
fn defect_04_every_variable_can_be_set_from_the_environment() {
    let text = fs_err::read_to_string(repository().join("docker/docker-bake.hcl")).unwrap();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("variable \"")?.split('"').next())
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        print("wheel-builder", &[(name, "linux/arm64")]);
    }
    let printed = print("wheel-builder", &[("PLATFORMS", "linux/arm64,linux/amd64")]);
    assert_eq!(printed["platforms"], serde_json::json!(["linux/arm64", "linux/amd64"]));
    let printed = print("smoke", &[("XTASK_NO_CACHE", "smoke-system,smoke-run")]);
    assert_eq!(printed["no-cache-filter"], serde_json::json!(["smoke-system", "smoke-run"]));
    let printed = print("wheel-builder", &[("QEMU_CPU", "x")]);
    assert_eq!(printed["args"].get("QEMU_CPU"), None, "the emulator's own variable is not meant");
    let printed = print("wheel-builder", &[("PYTHONS", "cp311,cp313")]);
    assert_eq!(printed["args"]["PYTHONS"], "cp311 cp313");
}

#[test]
fn defect_15_the_context_contains_only_the_build_files() {
    for name in [".dockerignore", "docker/Dockerfile.wheels.dockerignore"] {
        let text = fs_err::read_to_string(repository().join(name)).unwrap();
        let rules: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(rules.first(), Some(&"*"), "{name}");
        let let_in = rules.iter().filter(|rule| rule.starts_with('!'));
        let roots: std::collections::BTreeSet<_> =
            let_in.filter_map(|rule| rule[1..].split('/').next()).collect();
        assert_eq!(roots, std::collections::BTreeSet::from(["docker", "scripts"]), "{name}");
    }
}
