//! Runs the commands of `docs/guide.md`, in order, in a fresh folder.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use camino::Utf8PathBuf;

#[allow(dead_code, reason = "the checks of pages use more of it")]
#[path = "../../src/docs/markdown.rs"]
mod markdown;

use crate::workspace::{ran, repository};

/// The differences from the page: the address of the clone, and one architecture instead of two.
const CHANGES: [(&str, &str); 3] = [
    ("https://github.com/OWNER/wheel-xtask", "\"$REPOSITORY\""),
    ("debian:12 --python cp311", "debian:12 linux/amd64 --python cp311"),
    ("required = [\"cp311-*\"]", "required = [\"cp311-*_x86_64\"]"),
];

/// A fake `cargo` that runs this program instead of compiling it.
const CARGO: &str = "#!/bin/sh\n[ \"$1\" = xtask ] || exit 64\nshift\n\
    CARGO_MANIFEST_DIR=$PWD/xtask exec \"$XTASK\" \"$@\"\n";

#[test]
fn a_maintainer_follows_the_guide_to_a_release() {
    let page = fs_err::read_to_string(repository().join("docs/guide.md")).unwrap();
    let fences = markdown::Page::read(&page).fences.into_iter();
    let mut script = String::from("set -eu\n");
    for fence in fences.filter(|it| it.language() == "sh" && !it.info.contains("skip=")) {
        writeln!(script, "echo 'guide.md, line {}' >&2\n{}", fence.line, fence.text).unwrap();
    }
    for (from, to) in CHANGES {
        assert!(script.contains(from), "the guide has no `{from}`");
        script = script.replace(from, to);
    }
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
    let bin = root.join("bin");
    fs_err::create_dir(&bin).unwrap();
    fs_err::write(bin.join("cargo"), CARGO).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(bin.join("cargo"), executable).unwrap();
    let identity =
        ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&root)
        .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
        .envs(identity.map(|name| (name, "a@a.example")))
        .env("XTASK", env!("CARGO_BIN_EXE_xtask"))
        .env("REPOSITORY", repository())
        .output()
        .unwrap();
    let (stdout, stderr) = ran(&output, 0);
    assert!(stderr.contains("ISA004"), "{stderr}");
    assert!(stdout.contains("1 passed"), "the log of the tests: {stdout}");
    let package = root.join("bytetotal");
    let wheel = "bytetotal-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
    for path in ["dist/debian12-amd64", "target/upload"] {
        assert!(package.join(path).join(wheel).is_file(), "{path}\n{stderr}");
    }
    assert!(package.join("wheels.lock").is_file());
}
