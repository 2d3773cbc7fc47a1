//! The systems of this repository's `wheels.toml`: the builds of each, without an engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../crates/wheel-build/tests/common/mod.rs"]
mod common;

use common::{Workspace, unfolded};

/// A workspace with the repository's own targets.
fn workspace() -> Workspace {
    let w = Workspace::new();
    let repository = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let toml = fs_err::read_to_string(repository.join("wheels.toml")).unwrap();
    let toml = toml.replace("requirements = \"docker/build-requirements.txt\"\n", "");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    w
}

#[test]
fn each_system_has_an_image_a_family_and_a_folder() {
    let w = workspace();
    w.on("image", "exit 1");
    let words = ["rocky:9", "alma:9", "ubuntu:noble", "alpine:3.22", "debian:bullseye"];
    let args = [&["wheels"], &words[..], &["--python", "cp312", "--dry-run", "--json"]].concat();
    let plan: serde_json::Value = serde_json::from_str(&w.run(&args).code(0).stdout).unwrap();
    let line = |job: &serde_json::Value| {
        let words = ["folder", "image", "platform", "interpreter"];
        words.map(|word| job[word].as_str().unwrap().to_owned()).join(" ")
    };
    let lines: Vec<_> = plan["jobs"].as_array().unwrap().iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    rocky9-amd64 rockylinux/rockylinux:9 linux/amd64 cp312
    rocky9-arm64 rockylinux/rockylinux:9 linux/arm64 cp312
    alma9-amd64 almalinux:9 linux/amd64 cp312
    alma9-arm64 almalinux:9 linux/arm64 cp312
    ubuntu24.04-amd64 ubuntu:24.04 linux/amd64 cp312
    ubuntu24.04-arm64 ubuntu:24.04 linux/arm64 cp312
    alpine3.22-amd64 alpine:3.22 linux/amd64 cp312
    alpine3.22-arm64 alpine:3.22 linux/arm64 cp312
    debian11-amd64 debian:11 linux/amd64 cp312
    debian11-arm64 debian:11 linux/arm64 cp312
    ");
}

#[test]
fn a_pinned_base_image_is_used_by_its_digest() {
    let w = workspace();
    w.on("image", "exit 1");
    let config = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let config: toml::Table = toml::from_str(&config).unwrap();
    for target in config["target"].as_array().unwrap() {
        let (name, image) = (target["name"].as_str().unwrap(), target["image"].as_str().unwrap());
        let Some(pins) = target.get("digest") else {
            assert_eq!(name, "debian11", "no public list has its digest");
            continue;
        };
        for platform in ["linux/amd64", "linux/arm64"] {
            let args = ["wheels", name, platform, "--python", "cp312", "--dry-run"];
            let plan = unfolded(&w.run(&args).code(0).stdout);
            let repository = image.split(':').next().unwrap();
            let pinned = format!("{repository}@{}", pins[platform].as_str().unwrap());
            assert!(
                plan.contains(&format!("docker pull --platform {platform} -- {pinned}")),
                "{plan}"
            );
            assert!(plan.contains(&format!(".args.BASE_IMAGE={pinned}")), "{plan}");
        }
    }
}

#[test]
fn pypy_is_tested_without_its_bundled_packages() {
    let w = workspace();
    let plan = |python: &str| {
        let args = ["wheels", "debian:13", "linux/amd64", "--python", python, "--dry-run"];
        w.run(&args).code(0).stdout
    };
    assert!(plan("pp311").contains("IGNORE_REQUIREMENTS=cffi"), "{}", plan("pp311"));
    assert!(!plan("cp313").contains("IGNORE_REQUIREMENTS"));
}
