//! `clean`: what a manifest names outside `dist/` stays.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::symlink;

use common::Workspace;
use serde_json::json;

#[test]
fn clean_removes_nothing_outside_of_dist_whatever_the_manifest_names() {
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
    assert!(!dist.join("ours.txt").exists(), "what is ours goes");

    // A folder outside that is empty already is no emptied folder of `dist/`.
    fs_err::remove_file(emptied.join("only.py")).unwrap();
    fs_err::write(dist.join("manifest.json"), manifest.to_string()).unwrap();
    w.run(&["clean", "--dist"]).code(1);
    assert!(emptied.is_dir());
}
