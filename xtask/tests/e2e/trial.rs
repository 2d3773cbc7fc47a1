//! `try` on debian:12, with wheels that the test compiles.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::common;
use crate::workspace::Workspace;

/// A module for any `CPython` that requires no headers: `PyModuleDef` of 64-bit machines.
const MODULE: &str = "extern void *PyModule_Create2(void *, int);\n\
    static struct { long base[5]; const char *name, *doc; long size; void *rest[5]; } def = {{1}, \"m\", 0, -1};\n\
    void *PyInit_m(void) { return PyModule_Create2(&def, 1013); }\n";

fn gcc(folder: &Utf8Path, output: &str, code: &str, options: &[&str]) -> Vec<u8> {
    let (source, output) = (folder.join("a.c"), folder.join(output));
    fs_err::write(&source, code).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-nostdlib", "-o", output.as_str(), source.as_str()]);
    assert!(gcc.args(options).status().unwrap().success());
    fs_err::read(output).unwrap()
}

/// Writes the wheel `name` with a module `m`, and returns its path.
fn wheel(root: &Utf8Path, name: &str, module: &[u8]) -> Utf8PathBuf {
    let file = format!("{name}-1.0-cp311-abi3-linux_x86_64.whl");
    let (file, bytes) = common::wheel(&file, false, &[(&format!("{name}/m.abi3.so"), module)]);
    let path = root.join(file);
    fs_err::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_system_confirms_or_refutes_each_prediction() {
    let tools =
        Command::new("gcc").arg("--version").output().is_ok() && cfg!(target_arch = "x86_64");
    if !common::skip::unless_skipped(tools, "needs gcc on x86-64") {
        return;
    }
    let w = Workspace::of_package("path = \".\"", "");
    let folder = &w.root;
    let good = wheel(folder, "good", &gcc(folder, "m.so", MODULE, &[]));
    // A symbol of a future glibc, from a fake library.
    fs_err::write(folder.join("map"), "GLIBC_2.99 { global: newer; };\n").unwrap();
    let script = format!("-Wl,--version-script={}", folder.join("map"));
    gcc(folder, "libc.so", "void newer(void) {}", &["-Wl,-soname,libc.so.6", &script]);
    let calls = format!("{MODULE}extern void newer(void);\nvoid f(void) {{ newer(); }}\n");
    let libc = folder.join("libc.so");
    let newer = wheel(folder, "newer", &gcc(folder, "m.so", &calls, &[libc.as_str()]));
    let run = |wheels: &[&Utf8PathBuf], code| {
        let mut args = vec!["try", "--json", "--on", "debian:12"];
        args.extend(wheels.iter().map(|wheel| wheel.as_str()));
        let report: Value = serde_json::from_str(&w.run(&args, code).0).unwrap();
        report["trials"].as_array().unwrap().clone()
    };
    let trials = run(&[&good, &newer], 0);
    let results: Vec<_> = trials.iter().map(|trial| trial["result"].clone()).collect();
    assert_eq!(results, ["loads", "installs, does not load"], "{trials:?}");
    let words = trials[1]["observed"]["files"][0]["words"].as_str().unwrap();
    assert!(words.contains("GLIBC_2.99"), "{words}");
    // The audit cannot detect this: the module's own code ends the process.
    let dies = "__attribute__((constructor)) static void f(void) { __builtin_trap(); }\n";
    let dies = wheel(folder, "dies", &gcc(folder, "m.so", &format!("{MODULE}{dies}"), &[]));
    let trials = run(&[&good, &dies], 1);
    let agreements: Vec<_> = trials.iter().map(|trial| trial["agreement"].clone()).collect();
    assert_eq!(agreements, ["hit", "miss"], "{trials:?}");
    assert_eq!(trials[1]["predicted"], "loads");
}
