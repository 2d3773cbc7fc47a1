//! Audits of whole wheels, each with a single fault.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod abi;
mod blame;
mod contents;
mod dist;
mod elf;
mod format;
mod hardening;
mod isa;
mod large;
mod libraries;
mod like;
mod link;
mod loadable;
mod matrix;
mod memory;
mod metadata;
mod module_init;
mod obstacles;
mod origin;
mod other_systems;
mod repeated;
pub(crate) mod report;
pub(crate) mod schema;
mod scripts;
mod search;
mod set;
mod settings;
mod tags;
mod variants;

use std::{process::Command, sync::LazyLock};

use super::*;
pub(crate) use crate::policy::LibcVersion;
use crate::wheel::testing::{Fixture, Folder};

const WHEEL: &str = "pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
const MODULE: &str = "_pkg.cpython-311-x86_64-linux-gnu.so";

fn gcc(folder: &Folder, output: &str, source: &str, flags: &[&str]) {
    let input = folder.path().join("input.c");
    fs_err::write(&input, source).unwrap();
    let mut command = Command::new("gcc");
    command
        .current_dir(folder.path())
        .args([
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-fno-builtin",
            "-Wl,-z,relro,-z,now",
            "input.c",
            "-o",
            output,
        ])
        .args(flags);
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// Compiles a source with gcc, with libraries of these names and sources.
fn linked(source: &str, libraries: &[(&str, &str)], flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    for (name, source) in libraries {
        gcc(&folder, name, source, &[&format!("-Wl,-soname,{name}")]);
    }
    let flags = [&["-Wl,--no-as-needed"], flags].concat();
    gcc(&folder, "out.so", source, &flags);
    fs_err::read(folder.path().join("out.so")).unwrap()
}

/// A library for x86-64 that defines a symbol with a version.
fn library(symbol: &str, version: &str, soname: &str) -> Vec<u8> {
    let folder = Folder::new();
    stub(&folder, "library.so", (symbol, version, soname));
    fs_err::read(folder.path().join("library.so")).unwrap()
}

fn stub(folder: &Folder, output: &str, (symbol, version, soname): (&str, &str, &str)) {
    let script = format!("{version} {{ global: {symbol}; }};");
    fs_err::write(folder.path().join("stub.map"), script).unwrap();
    let soname = format!("-Wl,-soname,{soname}");
    let flags = [soname.as_str(), "-Wl,--version-script,stub.map"];
    gcc(folder, output, &format!("void {symbol}(void) {{}}"), &flags);
}

/// A module for x86-64 that uses each symbol of a library in a version, independent of the C library
/// of this machine: `("strtol", "GLIBC_2.38", "libc.so.6")`.
fn module(needs: &[(&str, &str, &str)], flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let mut flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
    let mut calls = String::new();
    for (index, &need) in needs.iter().enumerate() {
        let (file, symbol) = (format!("lib{index}.so"), need.0);
        stub(&folder, &file, need);
        calls = format!("{calls} extern void {symbol}(void); void *use{index} = {symbol};");
        flags.push(file);
    }
    let source = format!("{calls} void *PyInit__pkg(void) {{ return 0; }}");
    gcc(&folder, "module.so", &source, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    fs_err::read(folder.path().join("module.so")).unwrap()
}

static PLAIN: LazyLock<Vec<u8>> =
    LazyLock::new(|| module(&[("malloc", "GLIBC_2.2.5", "libc.so.6")], &[]));

fn wheel(name: &str) -> Fixture {
    Fixture::new(name).with(MODULE, PLAIN.clone())
}

fn native(module: Vec<u8>) -> Fixture {
    Fixture::new(WHEEL).with(MODULE, module)
}

fn expectations(tag: &str, interpreter: &str) -> Expectations {
    Expectations {
        platform_tag: tag.parse().ok(),
        arch: Some(Arch::X86_64),
        interpreter: interpreter.parse().ok(),
        native: Some("it is expected".to_owned()),
        limit: None,
        built_on: None,
        isa: Vec::new(),
    }
}

fn audit(fixture: &Fixture, expectations: &Expectations) -> Audit {
    let folder = Folder::new();
    let audit =
        audit_wheel(&fixture.write(folder.path()), expectations, &Settings::default()).unwrap();
    // A limit replaces the tags.
    if expectations.limit.is_none() {
        obstacles::assert_agreement(&audit);
    }
    audit
}

/// The distinct codes of a wheel's findings.
fn codes(fixture: &Fixture, expectations: &Expectations) -> Vec<&'static str> {
    let mut codes: Vec<_> =
        audit(fixture, expectations).findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn own(fixture: &Fixture) -> Vec<&'static str> {
    codes(fixture, &Expectations::default())
}

#[test]
fn a_valid_wheel_passes_with_its_facts() {
    let mut audit = audit(&wheel(WHEEL), &expectations("manylinux_2_36_x86_64", "cp311"));
    assert_eq!((audit.findings.as_slice(), audit.verdict()), ([].as_slice(), Verdict::Pass));
    // These depend on this machine's compiler.
    (audit.facts.sha256, audit.facts.size) = (Some("…".to_owned()), 0);
    (audit.facts.build_glibc, audit.facts.build_origin) = (None, None);
    insta::assert_snapshot!(serde_json::to_string_pretty(&audit).unwrap(), @r#"
    {
      "file": "pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl",
      "sha256": "…",
      "size": 0,
      "tag_claim": [
        "manylinux_2_36_x86_64"
      ],
      "floor": {
        "GLIBC": "2.2.5"
      },
      "build_glibc": null,
      "build_origin": null,
      "isa": "x86-64-v1",
      "overall_tag": "manylinux_2_5_x86_64",
      "elf": [
        {
          "path": "_pkg.cpython-311-x86_64-linux-gnu.so",
          "machine": "x86_64",
          "floor": {
            "GLIBC": "2.2.5"
          },
          "needed": [
            "libc.so.6"
          ],
          "culprits": [
            {
              "version": "GLIBC_2.2.5",
              "library": "libc.so.6",
              "symbol": "malloc"
            }
          ],
          "isa": "x86-64-v1"
        }
      ],
      "verdict": "pass",
      "findings": []
    }
    "#);
}
