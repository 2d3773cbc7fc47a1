//! `[repair]`, with a fake engine and wheels whose module needs a library.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::process::Command;

use camino::Utf8Path;
use common::{Workspace, wheel};
use serde_json::Value;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const NAME: &str = "demo-1.0-cp311-cp311-linux_x86_64.whl";
const MODULE: &str = "_demo.cpython-311-x86_64-linux-gnu.so";
const GRAFTED: &str = "demo.libs/libdemo-1b7c5d3a.so.1.2";
const REPORT: &str = r#"{"auditwheel": "6.8.2", "patchelf": "0.19.3", "grafted": [{"library": "libdemo.so.1",
 "file": "demo.libs/libdemo-1b7c5d3a.so.1.2", "from": "/usr/lib/libdemo.so.1.2",
 "package": "libdemo1", "version": "1.2-3"}]}"#;

/// A shared library `soname` that needs `needed` in `run_path`.
fn library(folder: &Utf8Path, soname: &str, needed: Option<&str>, run_path: &str) -> Vec<u8> {
    let link = |args: &[&str]| {
        let status = Command::new("cc")
            .args([
                "-shared",
                "-nostdlib",
                "-s",
                "-xc",
                "code.c",
                "-Wl,--no-as-needed",
                "-Wl,-z,noexecstack",
            ])
            .args(args)
            .current_dir(folder)
            .status();
        assert!(status.unwrap().success());
    };
    fs_err::write(folder.join("code.c"), "void *PyInit__demo(void) { return 0; }\n").unwrap();
    let own = format!("-Wl,-soname,{soname}");
    match needed {
        None => link(&["-o", "out.so", &own]),
        Some(needed) => {
            link(&["-o", "needed.so", &format!("-Wl,-soname,{needed}")]);
            let path = format!("-Wl,--disable-new-dtags,-rpath,{run_path}");
            link(&["-o", "out.so", "-xnone", "needed.so", &own, &path]);
        }
    }
    fs_err::read(folder.join("out.so")).unwrap()
}

/// A workspace whose build exports a wheel that needs `libdemo.so.1`, and whose repair grafts it.
fn workspace(settings: &str) -> Workspace {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml + settings).unwrap();
    fs_err::remove_file(w.fake.join("export/demo-1.0-py3-none-any.whl")).unwrap();
    let module = library(&w.fake, MODULE, Some("libdemo.so.1"), "$ORIGIN/demo.libs");
    w.export(&wheel(NAME, false, &[(MODULE, &module)]));
    let name = GRAFTED.rsplit('/').next().unwrap();
    let module = library(&w.fake, MODULE, Some(name), "$ORIGIN/demo.libs");
    let grafted = library(&w.fake, name, None, "");
    fs_err::create_dir_all(w.fake.join("repaired")).unwrap();
    let repaired = wheel(NAME, false, &[(MODULE, &module), (GRAFTED, &grafted)]).1;
    fs_err::write(w.fake.join("repaired").join(NAME), repaired).unwrap();
    fs_err::write(w.fake.join("repaired/repair.json"), REPORT).unwrap();
    w
}

fn json(w: &Workspace, path: &str) -> Value {
    serde_json::from_slice(&fs_err::read(w.root.join("dist").join(path)).unwrap()).unwrap()
}

/// The argument `name` of the last call for `target`.
fn argument(w: &Workspace, target: &str, name: &str) -> Option<String> {
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let call = log.lines().rfind(|line| line.ends_with(&format!(" {target}"))).unwrap().to_owned();
    let (_, rest) = call.split_once(&format!("args.{name}="))?;
    Some(rest.split(" --set").next().unwrap().to_owned())
}

#[test]
fn a_library_outside_of_the_policy_is_grafted_and_reported() {
    let w = workspace("");
    let ran = w.run(&["wheels", "debian:12", "linux/amd64", "--json"]).code(0);
    assert_eq!(w.bakes(" repair"), 1);
    assert_eq!(argument(&w, "repair", "REPAIR_PLATFORM").unwrap(), "manylinux_2_36_x86_64");
    let tested: Value =
        serde_json::from_str(&argument(&w, "smoke", "SMOKE_GRAFTED").unwrap()).unwrap();
    assert_eq!(tested, serde_json::json!({ "libdemo.so.1": GRAFTED }));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let manifest = json(&w, "manifest.json");
    let wheel = manifest["files"].as_array().unwrap().iter().find(|file| file["kind"] == "wheel");
    for grafted in [&report["jobs"][0]["wheel"]["grafted"], &wheel.unwrap()["grafted"]] {
        assert_eq!(grafted[0]["package"], "libdemo1");
        assert_eq!(grafted[0]["file"], GRAFTED);
    }
    let info = json(&w, "debian12-amd64/build-info.json");
    assert_eq!(info["interpreters"][0]["repair"]["auditwheel"], "6.8.2");
    assert_eq!(info["interpreters"][0]["repair"]["grafted"][0]["version"], "1.2-3");
}

#[test]
fn changed_repair_settings_repeat_only_the_repair() {
    let w = workspace("");
    w.run(&WHEELS).code(0);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let settings = "[repair]\nexclude = [\"liba.so.*\", \"libb.so.1\"]\nstrip = true\n";
    fs_err::write(w.root.join("wheels.toml"), toml + settings).unwrap();
    w.run(&WHEELS).code(0);
    assert_eq!((w.bakes("wheel-builder"), w.bakes(" repair")), (1, 2));
    assert_eq!(argument(&w, "repair", "REPAIR_EXCLUDE").unwrap(), "liba.so.* libb.so.1");
    assert_eq!(argument(&w, "repair", "REPAIR_STRIP").unwrap(), "1");
}

#[test]
fn with_repair_off_the_wheel_is_rejected_with_the_key() {
    let w = workspace("[repair]\nmode = \"off\"\n");
    w.run(&WHEELS).code(1).reports(&["ELF006", "[repair]"]);
    assert_eq!(w.bakes(" repair"), 0);
}

#[test]
fn a_self_contained_wheel_is_repaired_only_by_always() {
    for (settings, calls) in [("", 0), ("[repair]\nmode = \"always\"\n", 1)] {
        let w = workspace(settings);
        w.export(&wheel(NAME, false, &[(MODULE, &library(&w.fake, MODULE, None, ""))]));
        w.run(&WHEELS).code(0);
        assert_eq!(w.bakes(" repair"), calls, "{settings}");
    }
}

#[test]
fn a_repair_without_the_library_or_a_wheel_is_rejected() {
    let w = workspace("");
    fs_err::copy(w.fake.join("export").join(NAME), w.fake.join("repaired").join(NAME)).unwrap();
    w.run(&WHEELS).code(1).reports(&["ELF006"]);
    assert!(w.dist().is_empty(), "{:?}", w.dist());
    let w = workspace("");
    fs_err::remove_file(w.fake.join("repaired").join(NAME)).unwrap();
    w.run(&WHEELS).code(1).reports(&[NAME]);
}
