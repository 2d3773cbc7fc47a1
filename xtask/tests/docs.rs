//! The command lines of the documentation run in a scratch workspace with a fake engine.
//!
//! After the opening fence of an `sh` block, `status=1` is the expected exit status [default: 0], and `skip="REASON"`
//! skips the block. The pages of [`END_TO_END`] run with the real engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the blocks that do not run are listed")]

#[path = "../crates/wheel-build/tests/common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the checks use more of it")]
#[path = "../src/docs/markdown.rs"]
mod markdown;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use common::{PROGRAM, Workspace, pure_wheel};
use markdown::{Fence, Page};

/// Pages that a test in `tests/e2e/` runs, with the name of the test.
const END_TO_END: [(&str, &str); 1] = [("docs/guide.md", "guide")];

/// Pages whose examples only `cargo xtask docs check` parses.
const PARSED: [&str; 1] = ["docs/commands.md"];

/// The fake engine reports the same C library for every target.
const WHEELS_TOML: &str = r#"
[source]
path = "."
[build]
pythons = ["cp311", "cp312", "cp313"]
[ci]
targets = ["debian12"]
required = ["cp311-debian12_x86_64"]
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64", "linux/arm64"]
[[target]]
name = "debian13"
image = "debian:13"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64"]
[[target]]
name = "ubuntu24.04"
image = "ubuntu:24.04"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64"]
"#;

/// The fake engine's report on each wheel that `try` installs.
const TRY: &str = r#"{"schema_version": 1, "unprivileged": true, "wheels": {"0": {"installs": true,
 "installer": "", "interpreter": "CPython 3.11.2", "problem": "", "files": []}}}"#;

/// A fake `cargo` that runs the program under test, and ignores the packages that pages run.
const CARGO: &str = r#"#!/bin/sh
case "$*" in
"xtask "*) shift ;;
"run -p wheel-audit -- "*) shift 4 ;;
*) echo "no such command here: cargo $*" >&2 && exit 64 ;;
esac
exec "$XTASK" "$@"
"#;

/// How a block runs.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Run { status: i32 },
    Skip(String),
}

/// The mode from the words after the fence.
fn mode(info: &str) -> Result<Mode, String> {
    let marks = info.trim_start_matches("sh").trim();
    if marks.is_empty() {
        return Ok(Mode::Run { status: 0 });
    }
    if let Some(Ok(status)) = marks.strip_prefix("status=").map(str::parse) {
        return Ok(Mode::Run { status });
    }
    let reason = marks.strip_prefix("skip=\"").and_then(|it| it.strip_suffix('"'));
    match reason {
        Some(reason) if !reason.is_empty() => Ok(Mode::Skip(reason.to_owned())),
        _ => Err(format!("unknown mark `{marks}`")),
    }
}

fn repository() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The `sh` blocks of each page, by the page's path in the repository.
fn pages() -> Vec<(String, Vec<Fence>)> {
    let below = walkdir::WalkDir::new(repository().join("docs")).sort_by_file_name().into_iter();
    let below = below.map(|entry| Utf8PathBuf::try_from(entry.unwrap().into_path()).unwrap());
    let paths = [repository().join("README.md")].into_iter().chain(below);
    let pages = paths.filter(|path| path.extension() == Some("md")).map(|path| {
        let mut fences = Page::read(&fs_err::read_to_string(&path).unwrap()).fences;
        fences.retain(|fence| fence.language() == "sh");
        (path.strip_prefix(repository()).unwrap().to_string(), fences)
    });
    pages.filter(|(name, _)| !PARSED.contains(&name.as_str())).collect()
}

/// A package that adopted the tool, with a wheel in `dist/`.
fn adopted() -> Workspace {
    let w = Workspace::new();
    let cargo = w.fake.with_file_name("bin").join("cargo");
    fs_err::write(&cargo, CARGO).unwrap();
    fs_err::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["wheels.toml", "wheels-core.toml"] {
        fs_err::write(w.root.join(name), WHEELS_TOML).unwrap();
    }
    fs_err::write(w.fake.join("try.json"), TRY).unwrap();
    let project = "[build-system]\nrequires = [\"flit-core\"]\nbuild-backend = \"flit_core.buildapi\"\n\
        [project]\nname = \"demo\"\nversion = \"1.0\"\n";
    fs_err::write(w.root.join("pyproject.toml"), project).unwrap();
    w.export(&pure_wheel("demo-1.0-py3-none-any.whl"));
    w.run(&["wheels", "debian:12", "linux/amd64", "--python", "cp311"]).code(0);
    w
}

/// Runs the text of a block in a shell; returns the exit status and the output.
fn run(w: &Workspace, text: &str) -> (Option<i32>, String) {
    let bin = w.fake.with_file_name("bin");
    let ran = Command::new("sh")
        .args(["-euc", text])
        .current_dir(&w.root)
        .env_clear()
        .env("PATH", format!("{bin}:/usr/bin:/bin"))
        .envs([("HOME", w.fake.as_str()), ("FAKE", w.fake.as_str()), ("XTASK", PROGRAM)])
        .env("CARGO_MANIFEST_DIR", w.root.join("xtask").as_str())
        .output()
        .unwrap();
    let printed = [ran.stdout, ran.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (ran.status.code(), printed.concat())
}

#[test]
fn each_command_line_of_the_documentation_runs() {
    let (mut counts, mut wrong) = ([0; 3], String::new());
    for (name, fences) in pages() {
        if let Some((_, test)) = END_TO_END.iter().find(|(page, _)| *page == name) {
            let path = repository().join(format!("xtask/tests/e2e/{test}.rs"));
            let reads_it = fs_err::read_to_string(&path).is_ok_and(|text| text.contains(&name));
            counts[1] += fences.len();
            if !reads_it {
                writeln!(wrong, "{name}: `{path}` does not run this page").unwrap();
            }
            continue;
        }
        let mut workspace = None;
        for Fence { line, info, text } in fences {
            match mode(&info) {
                Ok(Mode::Run { status }) => {
                    counts[0] += 1;
                    let (code, printed) = run(workspace.get_or_insert_with(adopted), &text);
                    if code != Some(status) {
                        writeln!(wrong, "{name}:{line}: status {code:?}\n{text}{printed}").unwrap();
                    }
                }
                Ok(Mode::Skip(reason)) => {
                    counts[2] += 1;
                    eprintln!("{name}:{line}: skipped: {reason}");
                }
                Err(message) => writeln!(wrong, "{name}:{line}: {message}").unwrap(),
            }
        }
    }
    let [ran, end_to_end, skipped] = counts;
    eprintln!("blocks of sh: {ran} run, {end_to_end} by end-to-end tests, {skipped} skipped");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(ran > 0, "no page has a block that runs");
}

#[test]
fn the_attributes_of_a_code_block_are_parsed() {
    assert_eq!(mode("sh"), Ok(Mode::Run { status: 0 }));
    assert_eq!(mode("sh status=1"), Ok(Mode::Run { status: 1 }));
    assert_eq!(mode("sh skip=\"needs GitHub\""), Ok(Mode::Skip("needs GitHub".to_owned())));
    for wrong in ["sh skip=\"\"", "sh skip", "sh status=x", "sh ignore"] {
        assert!(mode(wrong).is_err(), "{wrong}");
    }
}
