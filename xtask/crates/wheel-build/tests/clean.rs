//! `clean`: keeps the files outside `dist/` that a manifest names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::symlink;

use common::{Workspace, files};
use serde_json::json;

#[test]
fn clean_removes_no_manifest_path_outside_of_dist() {
    let w = Workspace::new();
    let dist = w.root.join("dist");
    let outside = w.root.join("outside");
    let emptied = w.root.join("emptied");
    fs_err::create_dir_all(&dist).unwrap();
    fs_err::create_dir_all(&outside).unwrap();
    fs_err::create_dir_all(&emptied).unwrap();
    let theirs = [
        w.root.join("setup.py"),
        outside.join("absolute.py"),
        outside.join("linked.py"),
        emptied.join("only.py"),
    ];
    for path in &theirs {
        fs_err::write(path, "mine").unwrap();
    }
    symlink(&outside, dist.join("folder")).unwrap();
    symlink(outside.join("linked.py"), dist.join("file.py")).unwrap();
    fs_err::write(dist.join("ours.txt"), "ours").unwrap();
    let absolute = outside.join("absolute.py");
    let names = [
        "../setup.py",
        absolute.as_str(),
        "folder/linked.py",
        "file.py",
        "../emptied/only.py",
        "../emptied/absent.py",
        "ours.txt",
    ];
    let entry = |path: &&str| json!({"path": path, "sha256": "0".repeat(64), "size": 4, "kind": "metadata"});
    let manifest =
        json!({"schema_version": 1, "files": names.iter().map(entry).collect::<Vec<_>>()});
    fs_err::write(dist.join("manifest.json"), manifest.to_string()).unwrap();

    w.run(&["clean", "--dist"]).code(1);
    for path in &theirs {
        assert!(path.is_file(), "{path}");
    }
    assert!(dist.join("folder").is_symlink() && dist.join("file.py").is_symlink());
    assert!(!dist.join("ours.txt").exists(), "`clean` removes our files");

    // `clean` does not remove a folder outside of `dist/` that was already empty.
    fs_err::remove_file(emptied.join("only.py")).unwrap();
    fs_err::write(dist.join("manifest.json"), manifest.to_string()).unwrap();
    w.run(&["clean", "--dist"]).code(1);
    assert!(emptied.is_dir());
}

/// The folders below `target/xtask/` that the source fills.
fn work_folders() -> std::collections::BTreeSet<String> {
    let mut found = std::collections::BTreeSet::new();
    for file in walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")) {
        let file = file.unwrap();
        let text = fs_err::read_to_string(file.path()).unwrap_or_default();
        for (_, rest) in
            text.match_indices("work.join(\"").map(|(at, it)| (at, &text[at + it.len()..]))
        {
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            if rest[name.len()..].starts_with(['"', '/']) {
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn clean_removes_every_folder_that_runs_fill() {
    let w = Workspace::new();
    let work = w.root.join("target/xtask");
    let names = work_folders();
    for name in ["jobs", "release"] {
        assert!(names.contains(name), "{names:?}");
    }
    for name in &names {
        fs_err::create_dir_all(work.join(name)).unwrap();
    }
    w.run(&["clean"]).code(0);
    let left: Vec<_> = names.iter().filter(|name| work.join(name).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn clean_removes_a_link_and_keeps_its_target() {
    let w = Workspace::new();
    let (work, theirs) = (w.root.join("target/xtask"), w.root.join("theirs"));
    fs_err::create_dir_all(&work).unwrap();
    fs_err::create_dir_all(&theirs).unwrap();
    fs_err::write(theirs.join("file"), "mine").unwrap();
    symlink(&theirs, work.join("jobs")).unwrap();
    w.run(&["clean"]).code(0);
    assert!(!work.join("jobs").is_symlink());
    assert!(theirs.join("file").is_file());
}

/// Every command follows a `dist` that is a link, because the user created it.
#[test]
fn a_linked_dist_is_followed() {
    let w = Workspace::new();
    let elsewhere = w.root.with_file_name("elsewhere");
    fs_err::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, w.root.join("dist")).unwrap();
    w.run(&["wheels", "debian:12", "linux/amd64"]).code(0);
    let built = files(&elsewhere);
    assert!(built.contains(&"manifest.json".to_owned()), "{built:?}");
    let ran = w.run(&["verify", "--json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["wheels"].as_array().unwrap().len(), 1, "{json}");
    assert!(!ran.stderr.contains("skipped"), "{}", ran.stderr);
    let named = w.root.join("dist");
    let dist = named.as_str();
    w.run(&["check-glibc", dist]).code(0);
    let out = w.root.with_file_name("out");
    w.run(&["index", out.as_str()]).code(0);
    w.run(&["collect", "--partial", dist]).code(0);
    w.run(&["clean", "--dist"]).code(0);
    assert_eq!(files(&elsewhere), [""; 0]);
    assert!(named.is_symlink(), "the link is the user's");
}
