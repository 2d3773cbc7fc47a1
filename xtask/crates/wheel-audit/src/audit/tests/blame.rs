//! Callers of too new symbols.

#![cfg(target_arch = "x86_64")]

use super::*;

/// A module that uses `symbol` in a version of `libc.so.6`, and calls it in one of two functions.
fn calling(symbol: &str, version: &str) -> Vec<u8> {
    called_by("guilty", symbol, version)
}

fn called_by(caller: &str, symbol: &str, version: &str) -> Vec<u8> {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    fs_err::write(path("libc.map"), format!("{version} {{ global: {symbol}; }};")).unwrap();
    let flags = ["-Wl,-soname,libc.so.6", "-Wl,--version-script,libc.map"];
    gcc(&folder, "libc.so", &format!("int {symbol}(void) {{ return 1; }}"), &flags);
    let source = format!(
        "extern int {symbol}(void);\n\
         int {caller}(void) {{ return {symbol}() + 1; }}\n\
         int innocent(void) {{ return 2; }}\n\
         void *PyInit__pkg(void) {{ return 0; }}"
    );
    gcc(&folder, "module.so", &source, &["libc.so", "-O1"]);
    fs_err::read(path("module.so")).unwrap()
}

/// The callers of the only culprit in the report.
fn callers(name: &str, module: &[u8], depth: Depth, limit: Option<Libc>) -> Vec<String> {
    let folder = Folder::new();
    let path = Fixture::new(name).with(MODULE, module).write(folder.path());
    let (expectations, settings) = (
        Expectations { limit, ..Expectations::default() },
        Settings { depth, ..Settings::default() },
    );
    let audit = audit_wheel(&path, &expectations, &settings).unwrap();
    let [culprit] = audit.facts.elf[0].culprits.as_slice() else { unreachable!("one is made") };
    culprit.callers.clone()
}

#[test]
fn the_caller_of_a_too_new_symbol_is_reported_at_every_depth() {
    let module = calling("strlcpy", "GLIBC_2.38");
    for depth in [Depth::Floor, Depth::Bytes, Depth::Code] {
        let limit = Some(Libc::Glibc(LibcVersion::new(2, 36)));
        assert_eq!(callers(WHEEL, &module, depth, limit), ["guilty"], "{depth:?}");
        assert_eq!(callers(WHEEL, &module, depth, None), ["guilty"], "the tag is the limit");
        let enough = Some(Libc::Glibc(LibcVersion::new(2, 38)));
        assert!(callers(WHEEL, &module, depth, enough).is_empty(), "nothing is too new");
    }
    let audit = audit(&native(module), &Expectations::default());
    assert_eq!(
        audit.findings[0].message,
        "needs `GLIBC_2.38` of `libc.so.6` for `strlcpy` (called by `guilty`), \
         which `manylinux_2_36_x86_64` does not promise"
    );
}

#[test]
fn without_a_promise_the_callers_of_the_floor_are_reported() {
    let name = "pkg-1.0-cp311-cp311-linux_x86_64.whl";
    assert_eq!(callers(name, &calling("f", "GLIBC_2.17"), Depth::Floor, None), ["guilty"]);
}

#[test]
fn callers_are_reported_for_a_file_outside_of_a_wheel() {
    let folder = Folder::new();
    let path = folder.path().join("libfoo.so");
    fs_err::write(&path, calling("strlcpy", "GLIBC_2.38")).unwrap();
    let named = |depth, limit| {
        let (expectations, settings) = (
            Expectations { limit, ..Expectations::default() },
            Settings { depth, ..Settings::default() },
        );
        let audit = audit_file(&path, &expectations, &settings).unwrap();
        audit.facts.unwrap().culprits[0].callers.clone()
    };
    assert_eq!(named(Depth::Floor, Some(Libc::Glibc(LibcVersion::new(2, 36)))), ["guilty"]);
    assert_eq!(named(Depth::Code, None), ["guilty"]);
    assert!(named(Depth::Floor, None).is_empty(), "a folder may contain thousands");
}

#[test]
fn long_names_are_truncated_only_in_messages() {
    let name = "_ZN".repeat(60);
    let audit = audit(&native(called_by(&name, "strlcpy", "GLIBC_2.38")), &Expectations::default());
    let message = &audit.findings[0].message;
    assert!(message.contains("…`") && !message.contains(&name), "{message}");
    assert_eq!(audit.facts.elf[0].culprits[0].callers, [name]);
}
