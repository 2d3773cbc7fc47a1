//! Verifies ARCHITECTURE.md's rules for modules, as far as imports show.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use camino::Utf8Path;
use walkdir::WalkDir;

/// Modules that start no process and print nothing, and the names that they must not use.
const PURE: [&str; 11] = [
    "wheel-audit/wheel",
    "wheel-audit/elf",
    "wheel-audit/isa",
    "wheel-audit/policy",
    "wheel-audit/audit",
    "wheel-audit/rule_docs",
    "wheel-audit/compare",
    "wheel-audit/dist",
    "wheel-build/plan",
    "wheel-build/lock",
    "wheel-build/proof",
];
const IMPURE: [&str; 6] = ["exec", "engine", "pipeline", "commands", "ship", "cli"];

/// The folders of the sources.
const CRATES: [(&str, &str); 3] = [
    ("wheel-audit", "crates/wheel-audit/src"),
    ("wheel-build", "crates/wheel-build/src"),
    ("xtask", "src"),
];

/// The source files by folder and name, without comments and tests.
fn files() -> Vec<(String, String, String)> {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        CRATES.iter().flat_map(|(_, path)| WalkDir::new(root.join(path)).sort_by_file_name());
    let files = files.map(Result::unwrap);
    let sources = files.filter(|file| file.path().extension().is_some_and(|end| end == "rs"));
    let read = |file: walkdir::DirEntry| {
        let text = fs_err::read_to_string(file.path()).unwrap();
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let folder = file.path().parent().unwrap();
        let below = |name: &str| folder.strip_prefix(root.join(name)).ok();
        let place = CRATES.iter().find_map(|(name, path)| Some(Path::new(name).join(below(path)?)));
        let folder = place.unwrap();
        let name = file.path().file_stem().unwrap().to_str().unwrap().to_owned();
        (folder.to_str().unwrap().to_owned(), name, code.collect::<Vec<_>>().join("\n"))
    };
    let is_test = |(folder, name, _): &(String, String, String)| {
        folder.split('/').any(|part| part == "tests")
            || name.ends_with("tests")
            || ["testing", "fixture"].contains(&name.as_str())
    };
    sources.map(read).filter(|file| !is_test(file)).collect()
}

/// The first names of all paths that begin with `start`, including those in braces.
fn roots(code: &str, start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(start) {
        // `super::super::x` is in another module.
        if code[..at].ends_with("super::") || code[..at].ends_with(char::is_alphanumeric) {
            continue;
        }
        let (mut depth, mut is_first) = (0, true);
        for word in
            code[at + start.len()..].split_inclusive(|c: char| !c.is_alphanumeric() && c != '_')
        {
            let name = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
            if is_first && !name.is_empty() {
                found.insert(name.to_owned());
                is_first = false;
            }
            match word.chars().last() {
                Some('{') => depth += 1,
                Some('}') => depth -= 1,
                Some(',') if depth == 1 => is_first = true,
                _ => {}
            }
            if depth < 1 && (!name.is_empty() || word.ends_with('}')) {
                break;
            }
        }
    }
    found
}

#[test]
fn paths_are_found_in_source() {
    let code =
        "use super::{\n    a::{self, b}, c,\n};\nuse super::d::E;\nsuper::super::f(); super::g();";
    assert_eq!(
        roots(code, "super::").into_iter().collect::<Vec<_>>(),
        ["a", "c", "d", "g", "super"]
    );
}

#[test]
fn pure_modules_import_no_module_with_effects() {
    let mut checked = BTreeSet::new();
    for (folder, name, code) in files() {
        if let Some(module) = PURE.iter().find(|module| Path::new(&folder).starts_with(module)) {
            checked.insert(*module);
            let found = roots(&code, "crate::");
            let impure: Vec<_> = IMPURE.iter().filter(|each| found.contains(**each)).collect();
            assert!(impure.is_empty(), "{folder}/{name}.rs imports {impure:?}");
            for word in ["std::process", "std::net", "println!", "xshell"] {
                assert!(!code.contains(word), "{folder}/{name}.rs has `{word}`");
            }
        }
    }
    assert_eq!(checked, BTreeSet::from(PURE), "each module has files");
}

/// Names of the standard library or of a crate that exist only on some systems.
const SYSTEM_SPECIFIC: [&str; 8] =
    ["os::unix", "os::linux", "os::fd", "os::windows", "rustix", "libc::", "nix::", "/proc/self"];

/// Returns whether `word` begins in `code` at the start of a word.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(is_part))
}

#[test]
fn only_sys_modules_call_functions_of_one_system() {
    assert!(has_word("use libc::c_int;", "libc::") && !has_word("check_glibc::run()", "libc::"));
    for (folder, name, code) in files() {
        if name != "sys" {
            for word in SYSTEM_SPECIFIC {
                assert!(!has_word(&code, word), "{folder}/{name}.rs has `{word}`");
            }
        }
    }
    // Features that macOS lacks, and imports that would bypass this test.
    for (folder, _, code) in files().into_iter().filter(|(_, name, _)| name == "sys") {
        for word in ["memfd", "TMPFILE", "/proc/", "openat2", "pidfd", "target_os", "cfg!"] {
            assert!(!code.contains(word), "{folder}/sys.rs has `{word}`");
        }
    }
}

#[test]
fn no_files_of_a_folder_import_each_other_in_a_circle() {
    let mut folders: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (folder, name, code) in files() {
        if !["mod", "lib", "main"].contains(&name.as_str()) {
            folders.entry(folder).or_default().insert(name, roots(&code, "super::"));
        }
    }
    for (folder, mut imports) in folders {
        // A module that imports none of the remaining ones is in no cycle.
        loop {
            let left: BTreeSet<String> = imports.keys().cloned().collect();
            let before = imports.len();
            imports
                .retain(|name, roots| roots.iter().any(|root| root != name && left.contains(root)));
            if imports.len() == before {
                break;
            }
        }
        assert!(imports.is_empty(), "in `{folder}` there is a circle among {:?}", imports.keys());
    }
}

#[test]
fn a_clone_with_autocrlf_keeps_unix_line_endings() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let run = std::process::Command::new("git").args(args).current_dir(dir.path()).output();
        let run = run.unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["config", "core.autocrlf", "true"]);
    // A copy of the current files, with the attributes of a clone.
    let names = [".gitattributes", "scripts/build.sh", "docker/justfile", "xtask/src/main.rs"];
    for name in names {
        let place = Utf8Path::from_path(dir.path()).unwrap().join(name);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        fs_err::copy(root.join(name), &place).unwrap();
    }
    git(&["add", "."]);
    for name in names {
        fs_err::remove_file(dir.path().join(name)).unwrap();
    }
    git(&["checkout", "--", "."]);
    for name in names {
        let bytes = fs_err::read(dir.path().join(name)).unwrap();
        assert!(!bytes.contains(&b'\r'), "{name}");
    }
}
