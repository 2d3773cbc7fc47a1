//! The main job.

use wheel_audit::dist::documents_of;

use crate::workspace::{Workspace, ran};

const WHEELS: [&str; 5] = ["wheels", "debian:12", "linux/amd64", "--python", "cp311"];

#[test]
fn autobahn_is_built_in_debian_12_and_a_second_run_does_nothing() {
    let w = Workspace::new(|toml| toml);
    let (stdout, _) = w.run(&WHEELS, 0);
    assert!(stdout.contains("passed"), "{stdout}");
    let folder = w.dist().join("debian12-amd64");
    let wheel = "autobahn-26.10.2-cp311-cp311-manylinux_2_36_x86_64.whl";
    assert_eq!(w.wheels("debian12-amd64"), [wheel]);
    let sums = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .unwrap();
    ran(&sums, 0);
    let info = w.json("debian12-amd64/build-info.json");
    assert_eq!(info["libc"]["version"], "2.36");
    assert_eq!(info["interpreters"][0]["id"], "cp311");
    assert_eq!(info["interpreters"][0]["provider"], "distro");
    assert!(info["image"]["digest"].as_str().unwrap().starts_with("sha256:"));
    let hash = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e";
    assert_eq!(info["source"]["sha256"], hash, "defect 20: one source, its hash in the metadata");
    assert!(!info["date"].as_str().unwrap().is_empty());
    let text = fs_err::read_to_string(folder.join("build-info.txt")).unwrap();
    assert!(text.lines().all(|line| !line.trim_end().ends_with("digest:")), "{text}");
    let manifest = w.json("manifest.json");
    let paths: Vec<_> =
        manifest["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    let [bom, provenance] = documents_of(wheel);
    let names =
        ["SHA256SUMS", "audit.json", wheel, &bom, &provenance, "build-info.json", "build-info.txt"];
    assert_eq!(paths, names.map(|name| format!("debian12-amd64/{name}")), "defect 12");
    // Defect 1: the export contains only the wheel and metadata.
    let built = w.root.join("target/xtask/jobs/debian12-amd64-cp311/built");
    let mut exported: Vec<_> = fs_err::read_dir(built)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    exported.sort();
    let raw = "autobahn-26.10.2-cp311-cp311-linux_x86_64.whl";
    let reports = ["build-info.json", "build-info.txt", "recipe.json"];
    let fetched = ["requirements-build.json", "requirements-crates.json"];
    assert_eq!(exported, [&[raw][..], &reports, &fetched].concat());
    let (stdout, _) = w.run(&WHEELS, 0);
    assert!(stdout.contains("unchanged"), "{stdout}");
}

#[test]
fn the_environment_of_a_target_is_printed() {
    let w = Workspace::new(|toml| toml);
    let (stdout, _) = w.run(&["build-info", "debian:12", "--json"], 0);
    let info: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(info[0]["libc"]["family"], "glibc");
    let tools = info[0].to_string();
    for tool in ["gcc", "just", "uv", "rust", "python"] {
        assert!(tools.contains(tool), "{tool} is not in {tools}");
    }
}

#[test]
fn the_tag_policies_floor_and_linux_are_applied() {
    for (policy, tag) in [("floor", "manylinux_2_5_x86_64"), ("linux", "linux_x86_64")] {
        let w =
            Workspace::new(|toml| toml.replace("tag = \"target\"", &format!("tag = \"{policy}\"")));
        w.run(&WHEELS, 0);
        let name = &w.wheels("debian12-amd64")[0];
        assert!(name.ends_with(&format!("-{tag}.whl")), "{policy}: {name}");
    }
}
