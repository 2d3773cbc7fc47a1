//! The numbered defects of the four files that this project replaces, if they concern this repository's build files.
//! The others have tests elsewhere:
//!
//! | defect | where |
//! |---|---|
//! | 1, 4, 15 | `e2e/bake.rs` (and 15 in `pipeline/source.rs`) |
//! | 2, 11 | `fake_engine.rs` |
//! | 9, 21 | `fake_defects.rs` |
//! | 3, 12 | `plan/tests.rs`, `store/tests.rs`; 12 also in `collect.rs` |
//! | 5 | `engine/bootstrap.rs` |
//! | 8 | also `pipeline/build_info.rs` |
//! | 13, 18 | `audit/tests/`, `policy/`: the audit decides from facts what an index rejects and what runs where |
//! | 20 | `e2e/build.rs`, `pipeline/source.rs` |
//! | 13 | also `ship.rs` and `workflows.rs`: uploads contain only audited wheels |
//! | 14 | `ship.rs`: the notes contain the manifest's values |
//! | 16 | `audit/tests/elf.rs` (code above the target's instruction set, found by disassembly) |
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::{Utf8Path, Utf8PathBuf};

fn root() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The files that decide what runs inside the containers, without their comments.
fn container_files() -> Vec<(Utf8PathBuf, String)> {
    let walk = ["docker", "scripts"].map(|folder| walkdir::WalkDir::new(root().join(folder)));
    let files = walk.into_iter().flatten().map(Result::unwrap).filter(|e| e.file_type().is_file());
    files
        .map(|entry| {
            let path = Utf8PathBuf::try_from(entry.into_path()).unwrap();
            let text = fs_err::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            (path.clone(), code.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

#[test]
fn defect_02_no_failure_is_swallowed() {
    for (path, text) in container_files() {
        assert!(!text.contains("|| true"), "{path}");
        let is_script = path.extension() == Some("sh");
        let sets = text.lines().any(|line| line.starts_with("set -eu"));
        let sourced = [
            "trust.sh",
            "packages.sh",
            "build-env.sh",
            "build-requirements.sh",
            "build-variables.sh",
            "hooks.sh",
            "offline.sh",
            "wheel-env.sh",
        ];
        let sourced = sourced.contains(&path.file_name().unwrap());
        assert!(!is_script || sets || sourced, "{path} goes on after a failure");
    }
}

/// The exit status of `script` with only `programs` on PATH, each of which prints its call.
fn run_with(script: &str, programs: &[&str], folder: &Utf8Path) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = folder.join("bin");
    if bin.exists() {
        fs_err::remove_dir_all(&bin).unwrap();
    }
    fs_err::create_dir_all(&bin).unwrap();
    for name in programs {
        let path = bin.join(name);
        fs_err::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>{folder}/calls\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let calls = folder.join("calls");
    fs_err::write(&calls, "").unwrap();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-euc", script]).env_clear().env("PATH", bin.as_str());
    let output = command.output().unwrap();
    (output.status.success(), fs_err::read_to_string(calls).unwrap())
}

#[test]
fn defect_06_the_toolchain_script_runs_every_tool() {
    let text = fs_err::read_to_string(root().join("scripts/toolchain.sh")).unwrap();
    let end = &text[text.rfind("\nfor tool in ").unwrap()..];
    let script = format!("rust_tools='rustc cargo'; toolchain=/toolchain\n{end}");
    let dir = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(dir.path()).unwrap();
    let tools = [
        "just",
        "uv",
        "patchelf",
        "gcc",
        "g++",
        "ld",
        "make",
        "pkg-config",
        "python3",
        "rustc",
        "cargo",
    ];
    let (success, calls) = run_with(&script, &[&tools[..], &["head"]].concat(), folder);
    assert!(success && calls.contains("python3 /toolchain/pip --version"), "{calls}");
    for missing in tools {
        let others: Vec<_> = tools.into_iter().filter(|tool| *tool != missing).collect();
        let (success, _) = run_with(&script, &[&others[..], &["head"]].concat(), folder);
        assert!(!success, "the image is made without `{missing}`");
    }
}

/// The packages that the dnf branch may name: those of EL 9's base and application repositories without conflicts
/// with its base image. `curl` conflicts with curl-minimal, `snappy-devel` is in CRB.
const EL_9: [&str; 18] = [
    "ca-certificates",
    "cargo",
    "cmake",
    "diffutils",
    "file",
    "findutils",
    "gcc",
    "gcc-c++",
    "git-core",
    "glibc-devel",
    "gzip",
    "make",
    "pkgconf-pkg-config",
    "python3",
    "python3-pip",
    "rust",
    "tar",
    "xz",
];

#[test]
fn defect_07_the_dnf_branch_needs_only_packages_of_a_bare_el_9() {
    let text = fs_err::read_to_string(root().join("scripts/system-packages.sh")).unwrap();
    let body = &text[text.find("\nfamily=").unwrap()..];
    let dir = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(dir.path()).unwrap();
    // EL has no ccache.
    let functions = "pkg_family() { echo dnf; }; pkg_lock() { :; }; pkg_refresh() { :; }; \
        pkg_unlock() { :; }; pkg_candidate() { [ \"$1\" = ccache ] || echo 1; }";
    let script = format!("{functions}; RUST=distro; {body}");
    let (success, calls) = run_with(&script, &["pkg_install"], folder);
    assert!(success, "{calls}");
    let packages: Vec<_> = calls.split_whitespace().skip(1).collect();
    assert!(packages.contains(&"gcc") && packages.contains(&"rust"), "{calls}");
    assert!(packages.contains(&"cmake") && packages.contains(&"git-core"), "{calls}");
    for name in packages {
        assert!(EL_9.contains(&name), "`{name}` is not for a bare EL 9");
    }
}

/// The lines of one stage of the Dockerfile.
fn stage(name: &str) -> String {
    let text = fs_err::read_to_string(root().join("docker/Dockerfile.wheels")).unwrap();
    let begin = text.lines().position(|line| line.ends_with(&format!(" AS {name}"))).unwrap();
    let lines = text.lines().skip(begin + 1).take_while(|line| !line.starts_with("FROM "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn defect_08_the_stage_declares_every_argument_of_the_metadata() {
    let script = fs_err::read_to_string(root().join("scripts/build-info.py")).unwrap();
    let names = script.split("os.environ[\"").skip(1).filter_map(|rest| rest.split('"').next());
    let names: Vec<_> = names.collect();
    assert!(names.contains(&"BASE_IMAGE"), "{names:?}");
    let stage = stage("build-info-run");
    for name in names {
        let declared = stage.lines().any(|line| {
            let argument = line.strip_prefix("ARG ").map(|it| it.split('=').next().unwrap_or(it));
            argument == Some(name)
        });
        assert!(
            declared
                || stage.contains(&format!("    {name}=\"$TARGETPLATFORM\""))
                || stage.contains(&format!(" {name}=\"$")),
            "{name}: {stage}"
        );
    }
}

/// Runs Python `code` in `scripts/`, with `env`; returns the exit status and the output.
fn python(code: &str, env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new("python3");
    command.args(["-B", "-c", code]).envs(env.iter().copied()).current_dir(root().join("scripts"));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn defect_08_metadata_without_a_value_fails_the_build() {
    let code = r#"
import importlib.util, os, pathlib, sys, types
spec = importlib.util.spec_from_file_location("info", "build-info.py")
info = importlib.util.module_from_spec(spec); spec.loader.exec_module(info)
info.output_of = lambda *command: "glibc 2.36" if command[0] == "getconf" else "p 1.0"
# Debian's `musl` adds a second loader: the system's C library is still glibc.
find = info.glob.glob
info.glob.glob = lambda path: ["/lib/ld-musl-x86_64.so.1"] if "ld-musl" in path else find(path)
info.pip_version = lambda: "1.0"
info.os_release = lambda: {"PRETTY_NAME": "Some OS"}
sys.argv = ["build-info.py", os.environ["OUT"]]
info.main()
"#;
    let dir = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(dir.path()).unwrap().join("out");
    let whole = [
        ("TARGET_NAME", "debian12"),
        ("PLATFORM", "linux/amd64"),
        ("BASE_IMAGE", "debian:12"),
        ("BASE_DIGEST", "sha256:1"),
        ("BASE_ORIGIN", "pulled"),
        ("OUT", folder.as_str()),
    ];
    let fields = ["target", "platform", "image.reference", "image.digest", "image.origin"];
    for ((empty, _), field) in whole.iter().zip(fields) {
        let env = whole.map(|(name, value)| (name, if name == *empty { "" } else { value }));
        let (code, text) = python(code, &env);
        assert!(code == Some(1) && text.contains(&format!(": `{field}`\n")), "{empty}: {text}");
        assert!(!folder.exists(), "{empty}");
    }
    let (code, text) = python(code, &whole);
    assert!(code == Some(0) && folder.join("build-info.json").exists(), "{text}");
}

#[test]
fn defect_09_a_failing_check_fails_the_smoke_test() {
    // An environment with one distribution, which contains the standard library's `json`.
    let code = r#"
import json, os, pathlib, runpy, sys, venv
out = pathlib.Path(os.environ["OUT"])
venv.create(out / "venv")
site, = (out / "venv").glob("lib/*/site-packages")
info = site / "demo-1.0.dist-info"
info.mkdir(exist_ok=True)
(info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
(info / "RECORD").write_text(os.path.realpath(json.__file__) + ",,\n")
sys.argv = ["smoke.py", "demo-1.0-py3-none-any.whl", str(out / "venv"), str(out)]
runpy.run_path("smoke.py", run_name="__main__")
"#;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let run = |imports: &str, calls: &str| {
        let env = [
            ("SMOKE_IMPORTS", imports),
            ("SMOKE_CALLS", calls),
            ("OUT", folder),
            ("PIP_VERSION", "1"),
        ];
        python(code, &env)
    };
    let (code, text) = run("json", r#"{"json": ["m.loads('1') == 1"]}"#);
    assert_eq!(code, Some(0), "{text}");
    for (imports, calls) in [
        ("no_such_module", "{}"),
        // A module outside of this wheel.
        ("ast", "{}"),
        ("json", r#"{"json": ["m.loads('1') == 2"]}"#),
        ("json", r#"{"json": ["raise SystemExit(0)", "True"]}"#),
    ] {
        let (code, text) = run(imports, calls);
        assert_eq!(code, Some(1), "{imports} {calls}: {text}");
    }
    // `exec` makes the status that of the step.
    let script = fs_err::read_to_string(root().join("scripts/smoke.sh")).unwrap();
    assert!(script.lines().last().unwrap().starts_with("exec \"$python\" -I -S "), "{script}");
}

#[test]
fn defect_10_every_imported_module_has_a_function_called() {
    let text = fs_err::read_to_string(root().join("wheels.toml")).unwrap();
    let config: toml::Table = toml::from_str(&text).unwrap();
    let check = config["check"].as_table().unwrap();
    for module in check["imports"].as_array().unwrap() {
        let calls = check["calls"].get(module.as_str().unwrap()).and_then(toml::Value::as_array);
        assert!(
            calls.is_some_and(|calls| !calls.is_empty()),
            "{module} is imported and not called"
        );
    }
}

/// The commands of a script or Dockerfile, each with its continued lines.
fn commands(text: &str) -> Vec<String> {
    text.replace("\\\n", " ").lines().map(str::to_owned).collect()
}

fn has_word(command: &str, words: &[&str]) -> bool {
    let mut all = command.split(|c: char| c.is_whitespace() || "\"'`;()|&{}".contains(c));
    all.any(|word| words.contains(&word))
}

/// A command without the patterns of `grep`, which contain no commands.
fn without_patterns(command: &str) -> String {
    let (first, rest) = command.split_once("grep -").unwrap_or((command, ""));
    let end = rest.split_once('"').and_then(|(_, pattern)| pattern.split_once('"'));
    let end = end.map_or(rest, |(_, end)| end);
    if end.contains("grep -") {
        first.to_owned() + &without_patterns(end)
    } else {
        first.to_owned() + end
    }
}

#[test]
fn defect_17_everything_fetched_is_pinned() {
    for (path, text) in container_files() {
        let is_code = path.extension() == Some("sh") || path.as_str().contains("Dockerfile");
        for line in commands(&text).iter().filter(|_| is_code) {
            // `fetch.py` downloads everything that package managers do not, and requires a hash.
            let called = without_patterns(line);
            assert!(!has_word(&called, &["curl", "wget"]), "{path}: {line}");
            let fetches = line.contains("fetch.py\"");
            assert!(!fetches || line.split_whitespace().count() >= 5, "{path}: {line}");
            let packages = has_word(line, &["dnf", "pkg_dnf", "microdnf", "apt-get", "apk"]);
            // `apt-get update` and `apk update` fetch lists of packages; dnf's `update` installs packages.
            let is_list = has_word(line, &["apt-get", "apk"]);
            let upgrade = ["upgrade", "dist-upgrade", "full-upgrade", "distro-sync"];
            let moves = has_word(line, &upgrade) || (has_word(line, &["update"]) && !is_list);
            assert!(!packages || !moves, "{path}: {line}");
            let pip = line.contains("pip install") && path.file_name() == Some("toolchain.sh");
            assert!(!pip || line.contains("--require-hashes"), "{path}: {line}");
            assert!(!line.contains(":latest"), "{path}: {line}");
        }
    }
    for name in ["toolchain-requirements.txt", "build-requirements.txt"] {
        let text = fs_err::read_to_string(root().join("docker").join(name)).unwrap();
        // A requirement and its hashes are one line, continued with backslashes.
        let joined = text.replace("\\\n", " ");
        let requirements =
            joined.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with('#'));
        for line in requirements {
            assert!(line.contains("==") && line.contains("--hash=sha256:"), "{name}: {line}");
        }
    }
    let sources = fs_err::read_to_string(root().join("docker/python-sources.json")).unwrap();
    let sources: serde_json::Value = serde_json::from_str(&sources).unwrap();
    for (series, pins) in sources["sources"].as_object().unwrap() {
        assert!(!pins.as_array().unwrap().is_empty(), "{series}");
        for pin in pins.as_array().unwrap() {
            assert_eq!(pin["sha256"].as_str().map(str::len), Some(64), "{series}");
        }
    }
    for (series, pins) in sources["pypy"].as_object().unwrap() {
        for pin in pins.as_object().unwrap().values() {
            assert_eq!(pin["sha256"].as_str().map(str::len), Some(64), "{series}");
        }
    }
}

/// The hand-written documents, and the texts of `--help`.
fn documents() -> Vec<(String, String)> {
    let names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "wheels.toml"];
    let mut paths: Vec<_> = names.iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "docker", "scripts", "xtask/crates/wheel-build/src/commands"] {
        let walk = walkdir::WalkDir::new(root().join(folder)).into_iter().map(Result::unwrap);
        let is_text = |path: &std::path::Path| path.extension().is_none_or(|it| it != "png");
        let files = walk.filter(|it| it.file_type().is_file() && is_text(it.path()));
        paths.extend(files.map(|entry| Utf8PathBuf::try_from(entry.into_path()).unwrap()));
    }
    paths
        .into_iter()
        .map(|path| (path.to_string(), fs_err::read_to_string(&path).unwrap()))
        .collect()
}

/// The glibc versions in a line: `2.36` after a word for it.
fn glibc_versions(line: &str) -> Vec<wheel_audit::policy::LibcVersion> {
    let line = line.to_lowercase().replace("manylinux_2_", "glibc 2.");
    let words = ["glibc", "floor"];
    if !words.iter().any(|word| line.contains(word)) {
        return Vec::new();
    }
    let numbers = line.split(|c: char| !c.is_ascii_digit() && c != '.');
    let numbers = numbers.map(|number| number.trim_matches('.'));
    let versions = numbers.filter_map(|number| {
        let (major, minor) = number.split_once('.')?;
        let minor = minor.parse().ok()?;
        (major == "2").then(|| wheel_audit::policy::LibcVersion::new(2, minor))
    });
    versions.collect()
}

/// The sentences of `line` and the next one that contradict the facts about a system.
fn denied(text: &str) -> Vec<String> {
    // The program prints the text between fences.
    let prose = text.split("```").step_by(2).collect::<Vec<_>>().join("\n");
    let lines: Vec<_> = prose.lines().collect();
    let pairs = lines.iter().zip(lines.iter().skip(1).chain([&""]));
    let mut all = Vec::new();
    for (line, next) in pairs {
        let both = format!("{line} {next}");
        for system in wheel_audit::policy::distributions() {
            let names = both.contains(&system.to_string());
            let lacks = |version: &wheel_audit::policy::LibcVersion| !system.has_glibc(*version);
            if names && glibc_versions(&both).iter().any(lacks) {
                all.push(both.trim().to_owned());
            }
        }
    }
    all
}

#[test]
fn defect_18_no_document_contradicts_the_table_of_systems() {
    assert_eq!(denied("With floor 2.36 it runs on\nUbuntu 22.04 (2.35).").len(), 1);
    assert!(denied("With floor 2.36 it runs on\nUbuntu 24.04.").is_empty());
    for (path, text) in documents() {
        assert_eq!(denied(&text), [""; 0], "{path}");
    }
}

/// Every number has a test, or a row in the table at the top of this file.
#[test]
fn every_numbered_defect_has_a_test_or_a_reason() {
    let mut numbers = std::collections::BTreeSet::new();
    let folders = ["xtask/src", "xtask/tests", "xtask/crates"].map(|folder| root().join(folder));
    let walk = folders.into_iter().flat_map(|folder| walkdir::WalkDir::new(folder).into_iter());
    let walk = walk.map(Result::unwrap);
    for entry in walk.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "rs")) {
        let text = fs_err::read_to_string(entry.path()).unwrap();
        for name in text.split("fn defect_").skip(1) {
            let words =
                name.split('_').take_while(|word| *word == "and" || word.parse::<u8>().is_ok());
            numbers.extend(words.filter_map(|word| word.parse::<u8>().ok()));
        }
    }
    let table = include_str!("defects.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    for cells in table {
        let first = cells.split('|').next().unwrap();
        numbers.extend(first.split(',').filter_map(|number| number.trim().parse::<u8>().ok()));
    }
    let missing: Vec<_> = (1..=21).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The rows of the tables in `text` with the header `before`.
fn replacements(text: &str) -> Vec<&str> {
    let tables = text.split("| before | now |\n").skip(1);
    tables.flat_map(|rest| rest.lines().skip(1).take_while(|line| line.starts_with('|'))).collect()
}

#[test]
fn each_function_of_the_old_script_has_its_command() {
    assert!(!root().join("scripts/test-docker-builds.sh").exists());
    let page = root().join("docs/migrating-from-test-docker-builds.md");
    let page = fs_err::read_to_string(page).unwrap();
    let rows = replacements(&page);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask")).arg("--help").output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    let known: Vec<_> = help.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let mut used = 0;
    for row in &rows {
        for call in row.split("cargo xtask ").skip(1) {
            let word = call.split([' ', '`']).next().unwrap();
            assert!(known.contains(&word), "`cargo xtask {word}` is no command: {row}");
            used += 1;
        }
    }
    assert!(used > 15, "{rows:?}");
    let (_, troubles) = page.split_once("## Troubleshooting\n").unwrap();
    assert!(replacements(troubles).len() >= 5, "{rows:?}");
}
