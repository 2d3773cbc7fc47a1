//! Wheels that no release requires (`[ci] required`).

use camino::Utf8PathBuf;

use super::*;

/// Makes only the wheels of these patterns required for a release.
pub(crate) fn require(bench: &Bench, patterns: &str) {
    let toml = TARGETS.replace("[ci]\n", &format!("[ci]\nrequired = {patterns}\n"));
    fs_err::write(bench.workspace.root.join("wheels.toml"), toml).unwrap();
}

#[test]
fn an_optional_wheel_may_be_missing() {
    let bench = bench();
    require(&bench, "[\"cp311-*\"]");
    bench.machine("one", "debian12", "cp311", "a");
    bench.collect(&[]).code(1).reports(&["error: missing wheel for rocky9 linux/amd64: cp311"]);
    bench.machine("two", "rocky9", "cp311", "a");
    let warning = "warning: missing wheel for rocky9 linux/amd64: cp313";
    bench.collect(&[]).code(0).reports(&[warning]);
    let json: serde_json::Value =
        serde_json::from_str(&bench.collect(&["--json"]).code(0).stdout).unwrap();
    let required: Vec<_> =
        json["missing"].as_array().unwrap().iter().map(|it| &it["required"]).collect();
    assert_eq!(required, [false, false]);
    let page = bench.collect(&["--markdown"]).code(0).stdout;
    assert!(
        page.starts_with("### ✓") && page.contains("- missing, not required: rocky9"),
        "{page}"
    );
    require(&bench, "[\"cp311-nosuch_*\"]");
    bench.collect(&[]).code(2).reports(&["cp311-nosuch_*"]);
}

/// A machine's folder with a good wheel, and one for cp313 that an index rejects.
fn with_a_bad_wheel(bench: &Bench) -> Utf8PathBuf {
    for target in ["debian12", "rocky9"] {
        bench.machine("one", target, "cp311", "a");
    }
    let name = "demo-1.0-cp313-cp313-manylinux_2_36_x86_64.whl";
    let bad = wheel(name, false, &[("demo/__init__.py", b"a"), ("../evil.py", b"")]);
    machine::add(&bench.incoming.join("one"), "debian12", &["cp313"], &bad);
    bench.incoming.join("one")
}

#[test]
fn a_failing_wheel_stops_collect_only_if_it_is_required() {
    let bench = bench();
    with_a_bad_wheel(&bench);
    bench.collect(&["--partial"]).code(1).reports(&["nothing was merged"]);
    assert_eq!(bench.workspace.dist(), [""; 0]);
    require(&bench, "[\"cp311-*\"]");
    let json: serde_json::Value =
        serde_json::from_str(&bench.collect(&["--json"]).code(0).stdout).unwrap();
    let left_out = json["left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 1, "{json}");
    assert!(left_out[0]["path"].as_str().unwrap().contains("cp313"));
    assert!(!left_out[0]["reasons"][0].as_str().unwrap().is_empty());
    assert_eq!(json["missing"][0]["interpreters"], serde_json::json!(["cp313"]));
    assert!(!bench.workspace.dist().iter().any(|path| path.contains("cp313")));
    bench.workspace.run(&["verify", "--publish"]).code(0);
    bench.workspace.run(&["index", "up", "--flat", "--publish"]).code(0);
}

/// A wheel for cp313 that fails only next to the good one for cp311.
fn with_a_wheel_that_differs(name: &str, target: &str) -> Bench {
    let bench = bench();
    for target in ["debian12", "rocky9"] {
        bench.machine("one", target, "cp311", "a");
    }
    let other = wheel(name, false, &[("demo/__init__.py", b"other")]);
    machine::add(&bench.incoming.join("one"), target, &["cp313"], &other);
    bench
}

#[test]
fn an_optional_wheel_of_another_version_is_omitted() {
    let name = "demo-1.1-cp313-cp313-manylinux_2_36_x86_64.whl";
    let required = with_a_wheel_that_differs(name, "debian12");
    let json: serde_json::Value =
        serde_json::from_str(&required.collect(&["--partial", "--json"]).code(1).stdout).unwrap();
    let findings = json["verify"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|it| it["code"] == "SET004" && it["severity"] == "error"));
    let bench = with_a_wheel_that_differs(name, "debian12");
    require(&bench, "[\"cp311-*\"]");
    let json: serde_json::Value =
        serde_json::from_str(&bench.collect(&["--json"]).code(0).stdout).unwrap();
    let left_out = json["left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 1, "{json}");
    assert_eq!(left_out[0]["path"], format!("debian12-amd64/{name}"));
    assert!(left_out[0]["reasons"][0].as_str().unwrap().starts_with("SET004"), "{json}");
    bench.workspace.run(&["verify", "--publish"]).code(0);
}

#[test]
fn an_optional_wheel_with_a_duplicate_name_is_omitted() {
    // Both targets have this C library, so that their wheels have the same name.
    let twins = |bench: &Bench, required: &str, machine: &str| {
        let toml = TARGETS.replace("[ci]\n", &format!("[ci]\nrequired = {required}\n"));
        let toml = toml.replace("\"rocky9\"]", "\"rocky9\", \"alma9\"]");
        let toml = toml.replace("[\"cp311\", \"cp313\"]", "[\"cp311\"]");
        fs_err::write(bench.workspace.root.join("wheels.toml"), toml).unwrap();
        bench.machine("one", "debian12", "cp311", "a");
        bench.machine("two", "rocky9", "cp311", "a");
        bench.machine(machine, "alma9", "cp311", "b");
    };
    let both = bench();
    twins(&both, "[\"*\"]", "three");
    both.collect(&[]).code(1).reports(&["same name", "[publish] targets"]);
    // The order of the folders does not matter.
    for machine in ["a-first", "z-last"] {
        let one = bench();
        twins(&one, "[\"*-debian12_*\", \"*-rocky9_*\"]", machine);
        let json: serde_json::Value =
            serde_json::from_str(&one.collect(&["--json"]).code(0).stdout).unwrap();
        let left_out = json["left_out"].as_array().unwrap();
        assert_eq!(left_out.len(), 1, "{json}");
        assert!(left_out[0]["path"].as_str().unwrap().starts_with("alma9-amd64/"), "{json}");
        let wheels = one.workspace.dist();
        assert!(wheels.iter().any(|path| path.starts_with("rocky9-amd64/")), "{wheels:?}");
    }
}

#[test]
fn an_optional_wheel_without_a_smoke_test_is_omitted() {
    let bench = bench();
    require(&bench, "[\"cp311-*\"]");
    bench.all();
    let good = bench.collect(&["--json"]).code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&good).unwrap();
    assert_eq!(json["left_out"].as_array().map(Vec::len), Some(0));
    let other = self::bench();
    require(&other, "[\"cp311-*\"]");
    other.all();
    let manifest = other.incoming.join("one/manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for entry in json["files"].as_array_mut().unwrap() {
        let path = entry["path"].as_str().unwrap();
        if path.contains("cp313") && entry["kind"] == "wheel" {
            entry["builds"][0]["smoke"] = "skipped".into();
        }
    }
    fs_err::write(&manifest, json.to_string()).unwrap();
    let ran = other.collect(&["--json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["left_out"].as_array().map(Vec::len), Some(1), "{json}");
    other.workspace.run(&["index", "up", "--flat", "--publish"]).code(0);
}
