//! Compares the files that hosted services read with the files whose values they repeat.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

const RUST: &str = "xtask/crates/wheel-build/src/ship/workflow/rust.txt";

fn text(name: &str) -> String {
    fs_err::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn all_workflows_use_one_supported_rust_version() {
    let rust = text(RUST);
    for name in ["ci.yml", "scheduled.yml", "wheels-docker.yml"] {
        let workflow = text(&format!(".github/workflows/{name}"));
        let set = format!("  RUSTUP_TOOLCHAIN: \"{}\"\n", rust.trim());
        assert_eq!(workflow.matches("RUSTUP_TOOLCHAIN: ").count(), 1, "{name}");
        assert!(workflow.contains(&set), "{name}: {set}");
        let jobs = workflow.matches("cargo xtask").count();
        let installs = workflow.matches("rustup toolchain install \"$RUSTUP_TOOLCHAIN\" ").count();
        assert!(installs > 0 && installs <= jobs, "{name}");
    }
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).unwrap();
    let least = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let numbers = |version: &str| -> Vec<u32> {
        version.trim().split('.').map(|part| part.parse().unwrap()).collect()
    };
    assert!(numbers(&rust) >= numbers(least), "{rust} < {least}");
}

#[test]
fn each_digest_is_next_to_the_name_of_its_image() {
    let wheels = text("wheels.toml");
    let config: toml::Table = toml::from_str(&wheels).unwrap();
    let mut expected = Vec::new();
    for target in config["target"].as_array().unwrap() {
        for digest in target.get("digest").and_then(toml::Value::as_table).into_iter().flatten() {
            let (digest, image) = (digest.1.as_str().unwrap(), target["image"].as_str().unwrap());
            expected.push(format!("\"{digest}\" # {image}"));
        }
    }
    let lines = wheels.lines().filter_map(|line| line.strip_prefix("digest.")?.split_once(" = "));
    let found: Vec<_> = lines.map(|(_, value)| value).collect();
    assert_eq!(found, expected);
    let debian = format!("container: debian:12@{}\n", &found[0][1..72]);
    assert!(text(".github/workflows/scheduled.yml").contains(&debian), "{debian}");
}

/// The cells of each row of the table with this head.
fn rows(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = text(document);
    let (_, table) = text.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect();
    rows.map(cells).collect()
}

#[test]
fn each_shipped_wheel_has_a_row_with_its_proof() {
    let config: toml::Table = toml::from_str(&text("wheels.toml")).unwrap();
    let words = |value: &toml::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let providers = rows("docs/interpreters.md", "| Target | Interpreter | Providers |");
    let mut expected = Vec::new();
    for name in words(&config["ci"]["targets"]) {
        let targets = config["target"].as_array().unwrap();
        let target = targets.iter().find(|it| it["name"].as_str() == Some(&name)).unwrap();
        for platform in words(&target["platforms"]) {
            for python in words(&config["build"]["pythons"]) {
                let row = providers.iter().find(|row| row[..2] == [name.clone(), python.clone()]);
                let first = row.unwrap()[2].split(", ").next().unwrap().to_owned();
                expected.push([name.clone(), platform.clone(), python, first]);
            }
        }
    }
    let listed = rows("docs/hosted-ci.md", "| Target | Platform | Interpreter | From | Seen |");
    let wheels: Vec<_> = listed.iter().map(|row| &row[..4]).collect();
    assert_eq!(wheels, expected);
    let replayed: Vec<_> = listed.iter().filter(|row| row[4].contains("replayed")).collect();
    assert_eq!(replayed.len(), 1, "the replay builds one wheel");
    assert_eq!(replayed[0][..3], ["debian12", "linux/amd64", "cp311"]);
    for row in &listed {
        let how = row[4].split(", ").next().unwrap();
        assert!(["`ci`", "`ci --full`", "by hand", "never run"].contains(&how), "{row:?}");
        // The workflow uses native machines, so that no build is emulated.
        let is_foreign = row[1] != "linux/amd64" && how != "never run";
        assert_eq!(row[4].contains("emulated"), is_foreign, "{row:?}");
    }
}

#[test]
fn the_data_of_system_packages_can_be_checked_without_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let indexes = folder.path().join("Contents-amd64");
    fs_err::write(&indexes, "usr/include/none.h libdevel/none-dev\n").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/system-packages/refresh.py");
    let data = "xtask/crates/wheel-build/src/pipeline/missing/packages.toml";
    let before = text(data);
    let ran = Command::new("python3").args(["-B", script, "--check"]).arg(indexes).output();
    let ran = ran.unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(text(data), before);
}

#[test]
fn the_tables_of_exports_agree_with_the_loader_of_this_machine() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/exports");
    let ran = Command::new("python3").args(["-B", "-m", "unittest"]).current_dir(folder).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
