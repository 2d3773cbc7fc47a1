//! A repository like the first user's adopts the tool. It has its own folders and justfile, four submodules of which
//! one is checked out, and a build hook that compiles a C++ program or prints a warning.

use camino::{Utf8Path, Utf8PathBuf};

use crate::adopt::run;
use crate::workspace::{repository, sh};

const WHEELS: [&str; 5] = ["wheels", "debian:12", "linux/amd64", "--python", "cp311"];
/// git requires this setting to clone submodules from local paths.
const LOCAL: [&str; 2] = ["-c", "protocol.file.allow=always"];

fn git(folder: &Utf8Path, args: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@a.example"];
    sh("git", &[&["-C", folder.as_str()], &identity[..], &LOCAL, args].concat());
}

/// A repository in `folder` with the files below `from`, and a commit.
fn commit(from: &Utf8Path, folder: &Utf8Path, without: &str) {
    for entry in walkdir::WalkDir::new(from).min_depth(1) {
        let entry = entry.unwrap();
        let name = Utf8Path::from_path(entry.path()).unwrap().strip_prefix(from).unwrap();
        if name.starts_with(without) {
            continue;
        }
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(folder.join(name)).unwrap();
        } else {
            fs_err::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs_err::copy(from.join(name), folder.join(name)).unwrap();
        }
    }
    sh("git", &["init", "--quiet", folder.as_str()]);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "one"]);
}

/// A clone of the package that adopted the tool, with one submodule checked out.
fn clone() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let top = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
    let files = repository().join("xtask/tests/fixtures/first-user");
    let (origin, clone) = (top.join("origin"), top.join("clone"));
    commit(&files.join("tool"), &top.join("tool"), "none");
    git(&top.join("tool"), &["tag", "v1.2.3"]);
    fs_err::create_dir(top.join("other")).unwrap();
    fs_err::write(top.join("other/workflow.just"), "other:\n    false\n").unwrap();
    commit(&top.join("other"), &top.join("shared"), "none");
    commit(&files, &origin, "tool");
    let shared = top.join("shared");
    for (path, from) in [
        ("deps/tool", top.join("tool")),
        (".ci", shared.clone()),
        (".docs", shared.clone()),
        (".proto", shared),
    ] {
        git(&origin, &["submodule", "--quiet", "add", from.as_str(), path]);
    }
    git(&origin, &["commit", "--quiet", "--message", "submodules"]);
    git(&origin, &["tag", "v1.4.2"]);
    git(&top, &["clone", "--quiet", origin.as_str(), clone.as_str()]);
    git(&clone, &["submodule", "--quiet", "update", "--init", "deps/tool"]);
    let tool = format!("path={}", repository());
    run(repository(), &["init", clone.as_str(), "--tool", &tool], 0);
    (dir, clone)
}

fn append(root: &Utf8Path, name: &str, text: &str) {
    let before = fs_err::read_to_string(root.join(name)).unwrap();
    fs_err::write(root.join(name), format!("{before}\n{text}")).unwrap();
}

/// Kind, subject and outcome of the smoke test's checks.
fn smoke(root: &Utf8Path) -> Vec<(String, String, bool)> {
    let report = root.join("target/xtask/jobs/debian12-amd64-cp311/smoke/smoke.json");
    let report: serde_json::Value = serde_json::from_slice(&fs_err::read(report).unwrap()).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    checks.map(|it| (text(&it["kind"]), text(&it["subject"]), it["skipped"] == true)).collect()
}

#[test]
fn a_repository_like_the_first_users_builds_a_complete_wheel() {
    let (_dir, root) = clone();
    let (_, stderr) = run(&root, &WHEELS, 0);
    assert!(stderr.contains("not compared"), "nothing of this name is published: {stderr}");
    let folder = root.join("dist/debian12-amd64");
    let wheel = folder.join("xtask_first_user-1.4.2-cp311-cp311-manylinux_2_36_x86_64.whl");
    let mut archive = zip::ZipArchive::new(fs_err::File::open(&wheel).unwrap()).unwrap();
    let program = archive.by_name("demo/_tool/bin/tool").unwrap();
    assert_eq!(program.unix_mode().unwrap() & 0o111, 0o111, "it can be run");
    drop(program);
    let stamp = std::io::read_to_string(archive.by_name("demo/_tool_version.py").unwrap()).unwrap();
    assert_eq!(stamp.trim(), "VERSION = 'v1.2.3'", "the tag of the submodule");
    let leftover = archive.by_name("demo/_tool/leftover.o");
    assert!(leftover.is_err(), "git ignores it");
    drop(leftover);
    let point = |text: &str, skipped| ("entry-point".to_owned(), text.to_owned(), skipped);
    let needs_extra = point("demo-console = demo.console:main", true);
    let expected = [needs_extra, point("demo-tool = demo._tool:main", false)];
    let mut found = smoke(&root);
    found.sort();
    assert_eq!(found, expected);

    // Publish the complete wheel, and require that the program starts.
    fs_err::create_dir(root.join("published")).unwrap();
    fs_err::copy(&wheel, root.join("published").join(wheel.file_name().unwrap())).unwrap();
    let config = fs_err::read_to_string(root.join("wheels.toml")).unwrap();
    let like = "like = \"published\"\ncommands = [\"demo-tool --version\"]";
    let config = config.replace("like = \"index\"", like);
    let complete =
        "[[check.override]]\ncode = \"SET106\"\nseverity = \"error\"\nreason = \"complete\"\n";
    fs_err::write(root.join("wheels.toml"), format!("{config}\n{complete}")).unwrap();
    append(&root, ".gitignore", "/published/\n");
    run(&root, &WHEELS, 0);
    assert!(smoke(&root).contains(&(
        "command".to_owned(),
        "demo-tool --version".to_owned(),
        false
    )));

    // Without cmake, the hook only prints a warning and builds a wheel without the program. No other setting rejects
    // that.
    let config = fs_err::read_to_string(root.join("wheels.toml")).unwrap();
    fs_err::write(root.join("wheels.toml"), config.replace("# native = true", "native = false"))
        .unwrap();
    let script = fs_err::read_to_string(repository().join("scripts/build.sh")).unwrap();
    let without = script.replacen("set -eu\n", "set -eu\nrm -f /usr/bin/cmake\n", 1);
    assert_ne!(without, script);
    fs_err::create_dir_all(root.join("xtask/assets/scripts")).unwrap();
    fs_err::write(root.join("xtask/assets/scripts/build.sh"), without).unwrap();
    let (_, stderr) = run(&root, &WHEELS, 1);
    assert!(stderr.contains("SET106") && stderr.contains("demo/_tool/bin/tool"), "{stderr}");
}
