//! Base images in the engine's store.

use crate::workspace::Workspace;

pub(crate) const CP311: [&str; 5] = ["wheels", "debian:12", "linux/amd64", "--python", "cp311"];

pub(crate) fn build_log(w: &Workspace) -> String {
    fs_err::read_to_string(w.root.join("target/xtask/logs/debian12-amd64-cp311.log")).unwrap()
}

#[test]
fn a_base_image_in_the_engine_replaces_its_stages() {
    let w = Workspace::new(|toml| toml);
    let args = ["base-image", "build", "debian:12", "linux/amd64", "--python", "cp311", "--json"];
    let (stdout, _) = w.run(&args, 0);
    let made: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let reference = made[0]["reference"].as_str().unwrap();
    let (_, stderr) = w.run(&CP311, 0);
    assert!(stderr.contains(&format!("using the base image {reference}")), "{stderr}");
    let log = build_log(&w);
    assert!(!log.contains("system-packages.sh"), "the stages were built all the same:\n{log}");
    let info = w.json("debian12-amd64/build-info.json");
    assert!(info["image"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(!info["image"]["origin"].as_str().unwrap().is_empty());
    let noted = info["interpreters"][0]["base_image"].as_str().unwrap();
    assert!(noted.starts_with(reference), "{noted}");
    let (stdout, _) = w.run(&["base-image", "list", "--json"], 0);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    let line = listed.iter().find(|line| line["reference"] == reference).unwrap();
    assert_eq!(line["current"], true, "{line}");
}
