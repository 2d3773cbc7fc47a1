//! Runs `scripts/try-worker.py` in this machine's Python with libraries that the test compiles.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use common::skip::unless_skipped;
use serde_json::Value;

/// A module for any `CPython` that requires no headers: `PyModuleDef` of 64-bit machines.
const MODULE: &str = r#"
extern void *PyModule_Create2(void *, int);
static struct { long base[5]; const char *name, *doc; long size; void *rest[5]; } def = {{1}, "m", 0, -1};
void *PyInit_m(void) { return PyModule_Create2(&def, 1013); }
"#;

fn can_compile() -> bool {
    let works = |program: &str| Command::new(program).arg("--version").output().is_ok();
    unless_skipped(works("gcc") && works("python3"), "needs gcc and python3")
        && unless_skipped(
            cfg!(all(target_os = "linux", target_pointer_width = "64")),
            "needs Linux",
        )
}

/// Compiles `code` to `folder/name`.
fn library(folder: &Utf8Path, name: &str, code: &str, options: &[&str]) {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let source = path.with_extension("c");
    fs_err::write(&source, code).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-o", path.as_str(), source.as_str()]).args(options);
    assert!(gcc.status().unwrap().success());
    fs_err::remove_file(source).unwrap();
}

/// The results of the worker, by path.
fn load(folder: &Utf8Path, mode: &str) -> BTreeMap<String, Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/try-worker.py");
    let home = tempfile::tempdir().unwrap();
    let results = fs_err::File::create(home.path().join("results")).unwrap();
    // The worker writes to a stream that it inherits from the shell.
    let status = Command::new("sh")
        .args(["-c", r#"exec python3 -B -I "$0" "$1" "$2" 3 3>"$3""#])
        .args([script, folder.as_str(), mode])
        .arg(home.path().join("results"))
        .current_dir(home.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() && results.as_raw_fd() > 0);
    let text = fs_err::read_to_string(home.path().join("results")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["path"].as_str().unwrap().to_owned(), line)).collect()
}

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
    (dir, path)
}

#[test]
fn only_symbols_of_another_interpreter_are_supplied() {
    if !can_compile() {
        return;
    }
    let (_dir, root) = folder();
    let newer = "extern int PyNewer_One(void), _PyNewer_Data;\n\
                 int f(void) { return PyNewer_One() + _PyNewer_Data; }";
    library(&root, "p/newer.cpython-399-x86_64-linux-gnu.so", newer, &[]);
    library(
        &root,
        "p/undefined.so",
        "extern int nowhere(void);\nint f(void) { return nowhere(); }",
        &[],
    );
    let found = load(&root, "load");
    let newer = &found["p/newer.cpython-399-x86_64-linux-gnu.so"];
    assert_eq!(newer["ok"], true, "{newer}");
    let mut supplied: Vec<_> = newer["supplied"].as_array().unwrap().clone();
    supplied.sort_by_key(ToString::to_string);
    assert_eq!(supplied, ["PyNewer_One", "_PyNewer_Data"]);
    let undefined = &found["p/undefined.so"];
    assert_eq!(undefined["ok"], false);
    assert!(undefined["words"].as_str().unwrap().contains("nowhere"), "{undefined}");
    // If the interpreter accepts the wheel, nothing is supplied.
    fs_err::rename(root.join("p/newer.cpython-399-x86_64-linux-gnu.so"), root.join("p/newer.so"))
        .unwrap();
    assert_eq!(load(&root, "import")["p/newer.so"]["ok"], false);
}

#[test]
fn a_file_that_needs_an_unreachable_sibling_is_undecided() {
    if !can_compile() {
        return;
    }
    let (_dir, root) = folder();
    library(&root, "p.libs/libown.so", "int own;", &["-Wl,-soname,libown.so"]);
    let code = "extern int own;\nint f(void) { return own; }";
    library(&root, "p/user.abi3.so", code, &[root.join("p.libs/libown.so").as_str()]);
    library(&root, "gone/libgone.so", "int gone;", &["-Wl,-soname,libgone.so"]);
    let code = "extern int gone;\nint f(void) { return gone; }";
    library(&root, "p/lacks.abi3.so", code, &[root.join("gone/libgone.so").as_str()]);
    // Both of its libraries need a third one, which must load first.
    let own = root.join("p.libs/libown.so");
    let uses = "extern int own;\nint NAME(void) { return own; }";
    for name in ["first", "second"] {
        let soname = format!("-Wl,-soname,lib{name}.so");
        library(
            &root,
            &format!("p.libs/lib{name}.so"),
            &uses.replace("NAME", name),
            &[&soname, own.as_str()],
        );
    }
    let both = "extern int first(void), second(void);\nint h(void) { return first() + second(); }";
    let (one, two) = (root.join("p.libs/libfirst.so"), root.join("p.libs/libsecond.so"));
    let options = [one.as_str(), two.as_str(), "-Wl,--allow-shlib-undefined"];
    library(&root, "p/both.abi3.so", both, &options);
    // The result depends on the library that the sibling lacks.
    let gone = root.join("gone/libgone.so");
    library(&root, "p.libs/libtwo.so", code, &["-Wl,-soname,libtwo.so", gone.as_str()]);
    let code = "extern int f(void);\nint g(void) { return f(); }";
    library(
        &root,
        "p/deep.abi3.so",
        code,
        &[root.join("p.libs/libtwo.so").as_str(), "-Wl,--allow-shlib-undefined"],
    );
    fs_err::remove_dir_all(root.join("gone")).unwrap();
    let found = load(&root, "load");
    let deep = &found["p/deep.abi3.so"];
    assert_eq!(deep["ok"], false, "{found:?}");
    assert_eq!(found["p/both.abi3.so"]["ok"], Value::Null, "{found:?}");
    assert!(deep["words"].as_str().unwrap().contains("libgone.so"), "{deep}");
    assert_eq!(found["p/user.abi3.so"]["ok"], Value::Null, "{found:?}");
    assert_eq!(found["p/lacks.abi3.so"]["ok"], false, "{found:?}");
}

#[test]
fn failures_outside_of_machine_code_do_not_count() {
    if !can_compile() {
        return;
    }
    let (_dir, root) = folder();
    // The package lacks another distribution, so that the import does not reach the module.
    library(&root, "lacks/m.abi3.so", MODULE, &[]);
    fs_err::write(root.join("lacks/__init__.py"), "import not_installed_here\n").unwrap();
    library(&root, "good/m.abi3.so", MODULE, &[]);
    let dies = "__attribute__((constructor)) static void f(void) { __builtin_trap(); }";
    library(&root, "dies/m.abi3.so", &format!("{MODULE}{dies}"), &[]);
    library(&root, "opens/m.abi3.so", MODULE, &[]);
    // An invalid answer fails this file, and does not affect the others.
    let forges = "#include <unistd.h>\n__attribute__((constructor)) static void f(void) {\n\
                  for (int i = 4; i < 20; i++) if (write(i, \"x\", 1)) {} _exit(0); }\n";
    library(&root, "forges/m.abi3.so", &format!("{forges}{MODULE}"), &[]);
    let opens = "import ctypes\nctypes.CDLL('libnot-there.so.9')\n";
    fs_err::write(root.join("opens/__init__.py"), opens).unwrap();
    let found = load(&root, "import");
    let ok = |path: &str| found[path]["ok"].clone();
    assert_eq!(ok("good/m.abi3.so"), true, "{found:?}");
    assert_eq!(ok("lacks/m.abi3.so"), true, "{found:?}");
    assert!(found["lacks/m.abi3.so"]["words"].as_str().unwrap().contains("not_installed_here"));
    assert_eq!(ok("dies/m.abi3.so"), false, "{found:?}");
    assert_eq!(ok("opens/m.abi3.so"), false, "{found:?}");
    assert_eq!(ok("forges/m.abi3.so"), false, "{found:?}");
}
