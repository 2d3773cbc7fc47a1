//! The interpreter's symbols that modules need.

use super::*;

/// A module that uses these symbols of the interpreter.
fn python_module(name: &str, symbols: &[&str], flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let calls: Vec<String> = symbols
        .iter()
        .map(|symbol| format!("extern void {symbol}(void); void *use_{symbol} = {symbol};"))
        .collect();
    let source = format!("{} void *{name}(void) {{ return 0; }}", calls.concat());
    gcc(&folder, "module.so", &source, flags);
    fs_err::read(folder.path().join("module.so")).unwrap()
}

fn stable(python: &str, symbols: &[&str]) -> Fixture {
    let name = format!("pkg-1.0-{python}-abi3-manylinux_2_36_x86_64.whl");
    Fixture::new(&name).with("_pkg.abi3.so", python_module("PyInit__pkg", symbols, &[]))
}

fn messages(fixture: &Fixture) -> Vec<String> {
    let findings = audit(fixture, &Expectations::default()).findings;
    findings.iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect()
}

#[test]
fn modules_within_the_stable_abi_pass() {
    let symbols = ["PyLong_FromLong", "_Py_Dealloc", "PyType_GetModule", "PyDict_New"];
    assert_eq!(own(&stable("cp310", &symbols)), Vec::<&str>::new());
    // Exports of other files, and names without the interpreter's prefix, do not belong to the interpreter.
    let library = python_module("PyPkg_Helper", &[], &[]);
    let fixture = stable("cp39", &["PyPkg_Helper", "Python_like"]);
    assert_eq!(own(&fixture.with("libpkg.so", library)), Vec::<&str>::new());
}

#[test]
fn symbols_outside_the_stable_abi_are_errors() {
    assert_eq!(
        messages(&stable("cp39", &["PyLong_FromLong", "PyUnicode_AsUTF8", "_PyDict_NewPresized"])),
        [
            "ABI001: uses `PyUnicode_AsUTF8`, `_PyDict_NewPresized`, which no Python has in its stable ABI"
        ]
    );
}

/// As with `PySide6`, whose modules use names with the interpreter's prefix from `shiboken6`, another wheel.
#[test]
fn symbols_that_another_wheel_may_export_are_a_warning() {
    let needs = |library: &str| {
        let folder = Folder::new();
        let soname = format!("-Wl,-soname,{library}");
        gcc(&folder, "stub.so", "void nothing(void) {}", &[&soname]);
        let stub = folder.path().join("stub.so").into_string();
        let symbols = ["PyDict_New", "PyDateTimeAPI"];
        let module = python_module("PyInit__pkg", &symbols, &["-Wl,--no-as-needed", &stub]);
        stable("cp39", &[]).with("_pkg.abi3.so", module)
    };
    let codes = |fixture: &Fixture| {
        let findings = audit(fixture, &Expectations::default()).findings;
        let abi = findings.into_iter().filter(|finding| finding.code.starts_with("ABI"));
        abi.map(|finding| (finding.code, finding.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        codes(&needs("libother.so.1")),
        [(
            "ABI004",
            "uses `PyDateTimeAPI`, which no Python has in its stable ABI; only `libother.so.1`, which is not in the wheel, could provide them".to_owned()
        )]
    );
    // The exports of system libraries, the interpreter's library and bundled libraries are known.
    for library in ["libm.so.6", "libpython3.11.so.1.0", "libown.so"] {
        let own = python_module("own", &[], &["-Wl,-soname,libown.so"]);
        let found = codes(&needs(library).with("pkg/libown.so", own));
        assert_eq!(
            found.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
            ["ABI001"],
            "{library}"
        );
    }
    // A library that a bundled library needs.
    let folder = Folder::new();
    gcc(&folder, "stub.so", "void nothing(void) {}", &["-Wl,-soname,libother.so.1"]);
    let stub = folder.path().join("stub.so").into_string();
    let own = python_module("own", &[], &["-Wl,-soname,libown.so", "-Wl,--no-as-needed", &stub]);
    let found = codes(&needs("libown.so").with("pkg/libown.so", own));
    assert_eq!(found.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["ABI004"]);
}

#[test]
fn symbols_newer_than_the_tag_are_errors() {
    let symbols = ["PyObject_GetBuffer", "PyType_GetModule"];
    assert_eq!(
        messages(&stable("cp39", &symbols)),
        [
            "ABI002: uses `PyObject_GetBuffer`, `PyType_GetModule`, in the stable ABI since Python 3.11, but the wheel is for 3.9"
        ]
    );
    assert_eq!(own(&stable("cp311", &symbols)), Vec::<&str>::new());
    // The lowest Python tag decides.
    assert_eq!(own(&stable("cp39.cp311", &symbols)), ["ABI002"]);
}

#[test]
fn weak_symbols_may_be_absent() {
    let folder = Folder::new();
    let source = "extern void PyUnicode_AsUTF8(void) __attribute__((weak)); void *f = PyUnicode_AsUTF8; void *PyInit__pkg(void) { return 0; }";
    gcc(&folder, "weak.so", source, &[]);
    let bytes = fs_err::read(folder.path().join("weak.so")).unwrap();
    let fixture = Fixture::new("pkg-1.0-cp39-abi3-manylinux_2_36_x86_64.whl");
    assert_eq!(own(&fixture.with("_pkg.abi3.so", bytes)), Vec::<&str>::new());
}

#[test]
fn a_wrong_stable_suffix_for_one_interpreter_is_a_warning() {
    let wheel = |symbols: &[&str]| {
        let module = python_module("PyInit__pkg", symbols, &[]);
        own(&Fixture::new(WHEEL).with("_pkg.abi3.so", module))
    };
    assert_eq!(wheel(&["PyLong_FromLong"]), Vec::<&str>::new());
    assert_eq!(wheel(&["PyUnicode_AsUTF8"]), ["ABI003"]);
    // Python exports it since 3.9, and the stable ABI contains it since 3.12.
    assert_eq!(wheel(&["PyObject_Vectorcall"]), ["ABI003"]);
}

#[test]
fn a_module_for_abi3t_may_not_define_an_object_layout() {
    let wheel = |abi: &str, suffix: &str, entry: &str, symbols: &[&str]| {
        let name = format!("pkg-1.0-cp315-{abi}-manylinux_2_36_x86_64.whl");
        let module = python_module(entry, symbols, &[]);
        own(&Fixture::new(&name).with(&format!("_pkg.{suffix}.so"), module))
    };
    let (old, new) = ("PyInit__pkg", "PyModExport__pkg");
    for abi in ["abi3t", "abi3.abi3t"] {
        assert_eq!(wheel(abi, "abi3t", old, &["PyModuleDef_Init"]), ["ABI007"], "{abi}");
        assert_eq!(wheel(abi, "abi3t", old, &["PyModule_Create2"]), ["ABI007"], "{abi}");
        assert_eq!(wheel(abi, "abi3t", new, &["PyModuleDef_Init"]), Vec::<&str>::new(), "{abi}");
        // A shim that creates its module differently.
        assert_eq!(wheel(abi, "abi3t", old, &["PyLong_FromLong"]), Vec::<&str>::new(), "{abi}");
        assert_eq!(wheel(abi, "abi3t", new, &["PyUnicode_AsUTF8"]), ["ABI001"], "{abi}");
    }
    assert_eq!(wheel("abi3", "abi3", old, &["PyModuleDef_Init"]), Vec::<&str>::new());
}

#[test]
fn extensions_are_those_that_the_interpreter_loads() {
    let module = |name: &str| python_module(&format!("PyModExport_{name}"), &[], &[]);
    let name = "pkg-1.0-cp315-abi3.abi3t-manylinux_2_36_x86_64.whl";
    let fixture = Fixture::new(name)
        .with("_a.abi3.so", module("_a"))
        .with("_b.abi3t.so", module("_b"))
        .with("_c.cpython-315t-x86_64-linux-gnu.so", module("_c"));
    let facts = audit(&fixture, &Expectations::default()).facts;
    for (interpreter, modules) in
        [("cp315", vec!["_a", "_b"]), ("cp315t", vec!["_b", "_c"]), ("cp314", vec!["_a"])]
    {
        assert_eq!(facts.extensions(interpreter.parse().unwrap()), modules, "{interpreter}");
    }
}

#[test]
fn extensions_exclude_modules_of_tests() {
    let mut fixture = Fixture::new("pkg-1.0-cp313-cp313-manylinux_2_36_x86_64.whl");
    for (folder, name) in [
        ("pkg/tests/deep", "_a"),
        ("pkg/test", "_b"),
        ("pkg/testing", "_c"),
        ("tests", "_d"),
        ("pkg/tested", "_e"),
        ("pkg", "test"),
    ] {
        let module = python_module(&format!("PyInit_{name}"), &[], &[]);
        fixture = fixture.with(&format!("{folder}/{name}.cpython-313-x86_64-linux-gnu.so"), module);
    }
    let facts = audit(&fixture, &Expectations::default()).facts;
    assert_eq!(facts.extensions("cp313".parse().unwrap()), ["pkg.tested._e", "pkg.test"]);
}
