//! `collect`: merges many machines' `dist/` folders, or rejects them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
#[path = "../common/mod.rs"]
mod common;
mod optional;

use bench::{Bench, TARGETS, bench, demo};
use camino::Utf8Path;
use common::{MORE_METADATA, machine, wheel};

#[test]
fn collect_merges_folders_of_many_machines_for_verify() {
    let bench = bench();
    bench.all();
    let ran = bench.collect(&[]).code(0);
    assert!(ran.stdout.contains("4 wheels of 2 folders: now in"), "{}", ran.stdout);
    assert_eq!(
        bench.workspace.dist(),
        [
            "debian12-amd64/SHA256SUMS",
            "debian12-amd64/audit.json",
            "debian12-amd64/build-info.json",
            "debian12-amd64/build-info.txt",
            "debian12-amd64/demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl",
            "debian12-amd64/demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl.cdx.json",
            "debian12-amd64/demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl.provenance.json",
            "debian12-amd64/demo-1.0-cp313-cp313-manylinux_2_36_x86_64.whl",
            "debian12-amd64/demo-1.0-cp313-cp313-manylinux_2_36_x86_64.whl.cdx.json",
            "debian12-amd64/demo-1.0-cp313-cp313-manylinux_2_36_x86_64.whl.provenance.json",
            "manifest.json",
            "rocky9-amd64/SHA256SUMS",
            "rocky9-amd64/audit.json",
            "rocky9-amd64/build-info.json",
            "rocky9-amd64/build-info.txt",
            "rocky9-amd64/demo-1.0-cp311-cp311-manylinux_2_34_x86_64.whl",
            "rocky9-amd64/demo-1.0-cp311-cp311-manylinux_2_34_x86_64.whl.cdx.json",
            "rocky9-amd64/demo-1.0-cp311-cp311-manylinux_2_34_x86_64.whl.provenance.json",
            "rocky9-amd64/demo-1.0-cp313-cp313-manylinux_2_34_x86_64.whl",
            "rocky9-amd64/demo-1.0-cp313-cp313-manylinux_2_34_x86_64.whl.cdx.json",
            "rocky9-amd64/demo-1.0-cp313-cp313-manylinux_2_34_x86_64.whl.provenance.json",
        ]
    );
    bench.workspace.run(&["verify", "--publish"]).code(0);
    let again = bench.collect(&[]).code(0);
    assert_eq!(again.stdout.matches("  same\n").count(), 4, "{}", again.stdout);
}

#[test]
fn artifacts_are_found_at_the_top_below_it_and_in_dist() {
    let bench = bench();
    bench.all();
    fs_err::create_dir(bench.incoming.join("three")).unwrap();
    fs_err::rename(bench.incoming.join("two"), bench.incoming.join("three/dist")).unwrap();
    let top = bench.incoming.join("one");
    let ran = bench.workspace.run(&["collect", top.as_str(), bench.incoming.as_str()]).code(0);
    assert!(ran.stdout.contains("4 wheels of 2 folders"), "each once: {}", ran.stdout);
}

#[test]
fn missing_wheels_are_named_and_the_others_are_kept() {
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    let error = "error: missing wheel for rocky9 linux/amd64: cp311, cp313";
    let ran =
        bench.collect(&[]).code(1).reports(&["debian12 linux/amd64: cp313", error, "--partial"]);
    assert!(ran.stdout.contains("1 wheel of 1 folder: now in"), "{}", ran.stdout);
    let ran = bench.collect(&["--partial", "--json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["missing"][1]["interpreters"], serde_json::json!(["cp311", "cp313"]));
    assert_eq!(json["wheels"][0]["state"], "same");
    assert_eq!(json["verify"]["verdict"], "pass", "{json}");
    let ran = bench.collect(&["--markdown"]).code(1);
    assert!(ran.stdout.starts_with("### ✗ 1 wheel ") && ran.stdout.contains("- missing: rocky9"));
}

#[test]
fn an_incomplete_folder_is_rejected_and_nothing_is_merged() {
    const CP311: &str = "one/debian12-amd64/demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
    type Spoil = fn(&Bench);
    let spoil: [(&str, Spoil); 5] = [
        ("but it is missing", |b| fs_err::remove_file(b.incoming.join(CP311)).unwrap()),
        ("bytes, but", |b| fs_err::write(b.incoming.join(CP311), "half").unwrap()),
        ("but it is missing", |b| {
            fs_err::remove_file(b.incoming.join("one/debian12-amd64/SHA256SUMS")).unwrap();
        }),
        ("not a manifest of this tool", |b| {
            fs_err::write(b.incoming.join("one/manifest.json"), "{\"schema_vers").unwrap();
        }),
        ("does not list it", |b| {
            fs_err::write(b.incoming.join("one/debian12-amd64/x-1-py3-none-any.whl"), "").unwrap();
        }),
    ];
    for (error, spoil) in spoil {
        let bench = bench();
        bench.all();
        spoil(&bench);
        bench.collect(&[]).code(1).reports(&[error, "nothing was merged"]);
        assert_eq!(bench.workspace.dist(), [""; 0], "{error}");
    }
}

#[test]
fn a_manifest_path_outside_of_the_folder_is_rejected() {
    let wheel = "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
    for path in ["../../repo/wheels.toml", "/etc/hostname", "demo.whl", ".git/hooks", "a/b/c"] {
        let bench = bench();
        bench.machine("one", "debian12", "cp311", "a");
        let manifest = bench.incoming.join("one/manifest.json");
        let text = fs_err::read_to_string(&manifest).unwrap();
        fs_err::write(&manifest, text.replace(&format!("debian12-amd64/{wheel}"), path)).unwrap();
        bench.collect(&[]).code(1);
        assert_eq!(bench.workspace.dist(), [""; 0], "{path}");
    }
    // The same bytes, through a link.
    let linked = bench();
    linked.machine("one", "debian12", "cp311", "a");
    let file = linked.incoming.join("one/debian12-amd64").join(wheel);
    let elsewhere = linked.incoming.join("elsewhere");
    fs_err::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    linked.collect(&[]).code(1).reports(&["contains a link"]);
}

#[test]
fn a_wheel_in_the_folder_of_another_target_is_rejected() {
    let bench = bench();
    let newer = demo("cp311", "2_39", "a");
    machine::add(&bench.incoming.join("one"), "debian12", &["cp311"], &newer);
    bench.collect(&["--partial"]).code(1).reports(&["manylinux_2_39_x86_64", "nothing was merged"]);
    assert_eq!(bench.workspace.dist(), [""; 0]);
    let manifest = bench.incoming.join("one/manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    fs_err::write(&manifest, text.replace("\"linux/amd64\"", "\"linux/arm64\"")).unwrap();
    bench.collect(&["--partial"]).code(1);
}

#[test]
fn nothing_to_collect_names_the_expected_wheels() {
    let bench = bench();
    bench.collect(&[]).code(2).reports(&["no `manifest.json`", "hint:"]);
    let folder = bench.incoming.join("merged/debian12-amd64");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("a-1-py3-none-any.whl"), "").unwrap();
    bench.collect(&[]).code(2).reports(&["merged`", "no `manifest.json`"]);
    let file = folder.join("a-1-py3-none-any.whl");
    bench
        .workspace
        .run(&["collect", file.as_str()])
        .code(2)
        .reports(&["a-1-py3-none-any.whl`", "hint:"]);
    // If no machine has a wheel, the error names each one.
    let absent = bench.workspace.run(&["collect", "absent", "--json"]).code(1);
    let report: serde_json::Value = serde_json::from_str(&absent.stdout).unwrap();
    assert!(!report["missing"].as_array().unwrap().is_empty(), "{report}");
    absent.reports(&["`absent`", "hint:"]);
}

#[test]
fn two_builds_of_one_wheel_conflict_unless_replaced() {
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    bench.collect(&["--partial"]).code(0);
    bench.machine("two", "debian12", "cp311", "b");
    bench.collect(&["--partial"]).code(1).reports(&["one`", "two`", "bytes", "hint: build each"]);
    fs_err::remove_dir_all(bench.incoming.join("one")).unwrap();
    bench.collect(&["--partial"]).code(1).reports(&["`dist/`", "bytes", "--replace"]);
    let ran = bench.collect(&["--partial", "--replace"]).code(0);
    assert!(ran.stdout.contains("  replaced\n"), "{}", ran.stdout);
    bench.workspace.run(&["verify"]).code(0);
    // Another file for the same interpreter.
    let (_, bytes) = demo("cp311", "2_36", "a");
    let name = "demo-1.0-1-cp311-cp311-manylinux_2_36_x86_64.whl".to_owned();
    machine::add(&bench.incoming.join("three"), "debian12", &["cp311"], &(name, bytes));
    bench.collect(&["--partial"]).code(1).reports(&[
        "for cp311",
        "demo-1.0-1-cp311",
        "hint: build each",
    ]);
}

#[test]
fn interpreters_of_one_target_may_come_from_several_machines() {
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    bench.machine("two", "debian12", "cp313", "a");
    bench.collect(&["--partial"]).code(0);
    let info = bench.workspace.root.join("dist/debian12-amd64/build-info.json");
    let info = fs_err::read_to_string(info).unwrap();
    assert!(info.contains("cp311") && info.contains("cp313"), "{info}");
    bench.workspace.run(&["verify"]).code(0);
    // Collecting the folders in sequence has the same result.
    let apart = self::bench();
    let one = apart.machine("one", "debian12", "cp311", "a");
    apart.workspace.run(&["collect", "--partial", one.as_str()]).code(0);
    let two = apart.machine("two", "debian12", "cp313", "a");
    apart.workspace.run(&["collect", "--partial", two.as_str()]).code(0);
    let path = apart.workspace.root.join("dist/debian12-amd64/build-info.json");
    assert_eq!(fs_err::read_to_string(path).unwrap(), info);
    apart.workspace.run(&["verify"]).code(0);
}

/// Replaces `from` in the build-info.json of debian12 in `dist`, and updates the lists of that file.
fn edit_info(dist: &Utf8Path, from: &str, to: &str) {
    let names = ["debian12-amd64/build-info.json", "debian12-amd64/SHA256SUMS"];
    let [info, sums] = names.map(|name| dist.join(name));
    let old = fs_err::read_to_string(&info).unwrap();
    let new = old.replace(from, to);
    let hash = |text: &str| wheel_audit::digest::of_bytes(text.as_bytes());
    let listed = fs_err::read_to_string(&sums).unwrap().replace(&hash(&old), &hash(&new));
    fs_err::write(&info, new).unwrap();
    fs_err::write(&sums, listed).unwrap();
    let manifest = fs_err::read(dist.join("manifest.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    for entry in manifest["files"].as_array_mut().unwrap() {
        if names.contains(&entry["path"].as_str().unwrap()) {
            let bytes = fs_err::read(dist.join(entry["path"].as_str().unwrap())).unwrap();
            entry["sha256"] = wheel_audit::digest::of_bytes(&bytes).into();
            entry["size"] = bytes.len().into();
        }
    }
    fs_err::write(dist.join("manifest.json"), manifest.to_string()).unwrap();
    machine::document(dist, "debian12-amd64");
}

#[test]
fn a_pure_wheel_of_an_extension_is_rejected_unless_allowed() {
    let bench = bench();
    let pure = wheel("demo-1.0-py3-none-any.whl", true, &[("demo/__init__.py", b"")]);
    let dist = machine::add(&bench.incoming.join("one"), "debian12", &["cp311"], &pure);
    let found = "\"extension_sources\":[\"setup.py: ext_modules\"],\"image\"";
    edit_info(&dist, "\"image\"", found);
    bench.collect(&["--partial"]).code(1).reports(&["TAG103", "setup.py: ext_modules"]);
    assert_eq!(bench.workspace.dist(), [""; 0]);
    let toml = format!("{TARGETS}\n[check]\nnative = false\n");
    fs_err::write(bench.workspace.root.join("wheels.toml"), toml).unwrap();
    bench.collect(&["--partial"]).code(0);
}

#[test]
fn builds_in_different_images_are_rejected() {
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    let two = bench.machine("two", "debian12", "cp313", "a");
    edit_info(&two, "sha256:1", "sha256:2");
    bench
        .collect(&["--partial"])
        .code(1)
        .reports(&["different images: sha256:1 and sha256:2", "pin"]);
}

#[test]
fn defect_12_targets_with_one_c_library_need_publish_targets() {
    let bench = bench();
    let toml = bench.workspace.root.join("wheels.toml");
    let both = TARGETS.replace("\"debian12\", \"rocky9\"]", "\"rocky9\", \"alma9\"]");
    fs_err::write(&toml, &both).unwrap();
    for python in ["cp311", "cp313"] {
        bench.machine("one", "rocky9", python, "a");
        bench.machine("two", "alma9", python, "b");
    }
    bench.collect(&[]).code(1).reports(&["same name", "[publish] targets"]);
    assert_eq!(bench.workspace.dist(), [""; 0]);
    fs_err::write(&toml, format!("{both}\n[publish]\ntargets = [\"rocky9\"]\n")).unwrap();
    bench.collect(&[]).code(0);
    bench.workspace.run(&["verify", "--publish"]).code(0);
}

/// Replaces `old` by `new` in the manifest of machine `name`.
fn forge(bench: &Bench, name: &str, old: &str, new: &str) {
    let manifest = bench.incoming.join(name).join("manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    assert!(text.contains(old), "{text}");
    fs_err::write(&manifest, text.replace(old, new)).unwrap();
}

#[test]
fn an_unconfigured_target_or_interpreter_is_rejected() {
    for (target, python) in [("debian13", "cp311"), ("debian12", "cp312")] {
        let bench = bench();
        bench.machine("one", target, python, "a");
        bench.collect(&["--partial"]).code(1);
        assert_eq!(bench.workspace.dist(), [""; 0], "{target} {python}");
    }
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    forge(&bench, "one", "\"cp311\"", "\"evil\"");
    bench.collect(&["--partial"]).code(1);
    assert_eq!(bench.workspace.dist(), [""; 0]);
}

#[test]
fn a_file_that_no_build_writes_is_rejected() {
    let bench = bench();
    let one = bench.machine("one", "debian12", "cp311", "a");
    let (home, text) = (one.join("debian12-amd64"), b"true\n");
    fs_err::write(home.join("install.sh"), text).unwrap();
    let hash = wheel_audit::digest::of_bytes(text);
    let sums = home.join("SHA256SUMS");
    let list = fs_err::read_to_string(&sums).unwrap() + &format!("{hash}  install.sh\n");
    fs_err::write(&sums, &list).unwrap();
    let manifest = fs_err::read_to_string(one.join("manifest.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let files = manifest["files"].as_array_mut().unwrap();
    for entry in files.iter_mut().filter(|entry| entry["path"] == "debian12-amd64/SHA256SUMS") {
        entry["sha256"] = wheel_audit::digest::of_bytes(list.as_bytes()).into();
        entry["size"] = list.len().into();
    }
    files.push(serde_json::json!({"path": "debian12-amd64/install.sh", "sha256": hash,
        "size": text.len(), "kind": "metadata"}));
    fs_err::write(one.join("manifest.json"), manifest.to_string()).unwrap();
    bench.collect(&["--partial"]).code(1).reports(&["install.sh"]);
    assert_eq!(bench.workspace.dist(), [""; 0]);
}

#[test]
fn collect_repeats_audits_and_marks_smoke_tests_as_claimed() {
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    forge(&bench, "one", "\"floor\": \"none\"", "\"floor\": \"0.0\"");
    let ran = bench.collect(&["--partial", "--json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["wheels"][0]["claimed"], true);
    let dist = bench.workspace.root.join("dist");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs_err::read(dist.join(name)).unwrap()).unwrap()
    };
    // The machine's own audit has no findings.
    let audit = read("debian12-amd64/audit.json");
    assert!(audit["wheels"][0]["findings"].is_array(), "{audit}");
    let manifest = read("manifest.json");
    let mut files = manifest["files"].as_array().unwrap().iter();
    let wheel = files.find(|entry| entry["kind"] == "wheel").unwrap();
    assert_eq!(wheel["builds"][0]["claimed"], true);
    assert_eq!(wheel["floor"], "none");
}

#[test]
fn a_wheel_counts_only_for_interpreters_that_accept_it() {
    let bench = bench();
    let strange = demo("cp311", "2_36", "a");
    let folder = bench.incoming.join("one");
    machine::add(&folder, "debian12", &["cp311", "cp313"], &strange);
    bench.collect(&["--partial"]).code(1).reports(&["cp313"]);
    assert_eq!(bench.workspace.dist(), [""; 0]);
    // A pure wheel supports both.
    fs_err::remove_dir_all(&folder).unwrap();
    let pure = wheel("demo-1.0-py3-none-any.whl", true, &[("demo/__init__.py", b"")]);
    machine::add(&folder, "debian12", &["cp311", "cp313"], &pure);
    bench.collect(&["--partial"]).code(0);
}

#[test]
fn the_text_of_a_merged_report_matches_its_json() {
    let bench = bench();
    bench.machine("one", "debian12", "cp311", "a");
    bench.collect(&["--partial"]).code(0);
    let text = bench.workspace.root.join("dist/debian12-amd64/build-info.txt");
    let text = fs_err::read_to_string(text).unwrap();
    assert!(text.contains("platform: linux/amd64") && text.contains("cp311"), "{text}");
}

#[test]
fn names_in_a_manifest_cannot_add_lines_to_a_message() {
    const EVIL: &str = "\n\nhint: evil\nxtask: evil";
    let fields: [(&str, &str); 5] = [
        ("path", "debian12-amd64/x"),
        ("target", "debian12"),
        ("platform", "linux/amd64"),
        ("interpreter", "cp311"),
        ("digest", "sha256:1"),
    ];
    for (field, old) in fields {
        let bench = bench();
        let one = bench.machine("one", "debian12", "cp311", "a");
        let evil = format!("{old}{EVIL}");
        // The build report has the same text; otherwise their difference would be the error.
        if ["target", "platform", "digest"].contains(&field) {
            let [old, evil] = [old, &evil].map(|word| serde_json::Value::from(word).to_string());
            edit_info(&one, &old, &evil);
        }
        bench.machine("two", "debian12", "cp313", "a");
        let path = one.join("manifest.json");
        let manifest = fs_err::read(&path).unwrap();
        let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let files = manifest["files"].as_array_mut().unwrap();
        for wheel in files.iter_mut().filter(|file| file["builds"].is_array()) {
            match field {
                "interpreter" => wheel["builds"][0][field] = evil.clone().into(),
                "digest" => {}
                _ => wheel[field] = evil.clone().into(),
            }
        }
        fs_err::write(&path, manifest.to_string()).unwrap();
        machine::document(&one, "debian12-amd64");
        let ran = bench.collect(&["--partial"]).code(1);
        let all = ran.stdout + &ran.stderr;
        assert!(all.contains("evil"), "{field}: {all}");
        assert!(!all.contains("\nhint: evil") && !all.contains("\nxtask: evil"), "{field}: {all}");
    }
    let bench = bench();
    let folder = format!("one{EVIL}");
    bench.machine(&folder, "debian12", "cp311", "a");
    let ran = bench.collect(&["--partial"]).code(0);
    let all = ran.stdout + &ran.stderr;
    assert!(all.contains("evil") && !all.contains("\nxtask: evil"), "{all}");
}

/// The files of a release in `folder`: a wheel for cp311 of version 0.9, and one for a removed interpreter.
fn earlier_release(folder: &Utf8Path) {
    fs_err::create_dir_all(folder).unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("demo/__init__.py", b"a"),
        ("demo/old.py", b""),
        (MORE_METADATA, b"Requires-Dist: x>=1\n"),
    ];
    for python in ["cp311", "cp310"] {
        let name = format!("demo-0.9-{python}-{python}-manylinux_2_36_x86_64.whl");
        let (name, bytes) = wheel(&name, false, &files);
        fs_err::write(folder.join(name), bytes).unwrap();
    }
    let entry = serde_json::json!({"path": "debian12-amd64/demo-0.9-cp311-cp311-manylinux_2_36_x86_64.whl",
        "sha256": "0", "size": 1, "kind": "wheel", "target": "debian12", "platform": "linux/amd64",
        "verdict": "pass", "builds": [], "floor": "2.17"});
    let manifest = serde_json::json!({"schema_version": 1, "files": [entry]});
    fs_err::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs_err::write(folder.join("other-1.0-py3-none-any.whl"), "no archive").unwrap();
}

#[test]
fn changes_since_a_release_are_reported_for_each_wheel() {
    let bench = bench();
    let release = bench.workspace.root.join("target/last-release");
    earlier_release(&release);
    let files: [(&str, &[u8]); 3] = [
        ("demo/__init__.py", b"a"),
        ("demo/new.py", b""),
        (MORE_METADATA, b"Requires-Dist: x>=2\n"),
    ];
    for python in ["cp311", "cp313"] {
        let name = format!("demo-1.0-{python}-{python}-manylinux_2_36_x86_64.whl");
        let made = wheel(&name, false, &files);
        machine::add(&bench.incoming.join("one"), "debian12", &[python], &made);
    }
    let against = ["--partial", "--against", release.as_str()];
    let ran = bench.collect(&[&against[..], &["--json"]].concat()).code(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let changes = &json["changes"];
    let tags = |python: &str| format!("{python}-{python}-manylinux_2_36_x86_64");
    assert_eq!(changes["before"], serde_json::json!(["0.9"]));
    assert_eq!(changes["added"], serde_json::json!([tags("cp313")]));
    assert_eq!(changes["removed"], serde_json::json!([tags("cp310")]));
    assert_eq!(changes["wheels"][0]["floor"], serde_json::json!(["2.17", "none"]));
    let differences = changes["differences"].as_array().unwrap();
    let kinds: Vec<_> = differences.iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["dependencies", "files"], "{changes}");
    assert_eq!(differences[0]["added"], serde_json::json!(["Requires-Dist: x>=2"]));
    assert_eq!(differences[0]["removed"], serde_json::json!(["Requires-Dist: x>=1"]));
    assert_eq!(differences[1]["added"], serde_json::json!(["demo/new.py"]));
    assert_eq!(differences[1]["removed"], serde_json::json!(["demo/old.py"]));
    let page = bench.collect(&[&against[..], &["--markdown"]].concat()).code(0).stdout;
    assert!(page.contains("| cp311-debian12\\_x86\\_64 |"), "{page}");
    assert!(page.contains("#### Changes since 0.9") && page.contains("**2.17 → none**"), "{page}");
    // Without an earlier release, the comparison is skipped.
    fs_err::remove_dir_all(&release).unwrap();
    fs_err::create_dir_all(&release).unwrap();
    let page = bench.collect(&[&against[..], &["--markdown"]].concat()).code(0).stdout;
    assert!(!page.contains("#### Changes since"), "{page}");
    fs_err::remove_dir_all(&release).unwrap();
    bench.collect(&against).code(2);
}

#[test]
fn in_github_actions_errors_and_warnings_are_annotations() {
    let bench = bench();
    optional::require(&bench, "[\"cp311-*\"]");
    bench.machine("one", "debian12", "cp311", "a");
    let commands = |actions: &str| {
        let mut command = bench.workspace.command(&["collect", bench.incoming.as_str()]);
        let ran = command.env("GITHUB_ACTIONS", actions).output().unwrap();
        assert!(!String::from_utf8_lossy(&ran.stdout).contains("\n::"));
        let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
        let lines = stderr.lines().filter(|line| line.starts_with("::"));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = commands("true");
    assert_eq!(all.iter().filter(|it| *it == "::error").count(), 1, "{all:?}");
    assert!(all.iter().filter(|it| *it == "::warning").count() >= 2, "{all:?}");
    assert_eq!(commands("false"), [""; 0]);
    // A command that cannot run at all.
    fs_err::write(bench.workspace.root.join("wheels.toml"), "[").unwrap();
    assert_eq!(commands("true"), ["::error"]);
}
