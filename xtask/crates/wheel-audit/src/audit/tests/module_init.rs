//! Init functions of modules.

use super::*;

/// A library that defines `functions` and calls `calls`.
fn library(functions: &[&str], calls: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let functions: Vec<String> =
        functions.iter().map(|name| format!("void *{name}(void) {{ return 0; }} ")).collect();
    let call = |name: &&str| format!("extern void {name}(void); void *use_{name} = {name}; ");
    let calls: Vec<String> = calls.iter().map(call).collect();
    let source = format!("{}{}", calls.concat(), functions.concat());
    gcc(&folder, "library.so", &source, &[]);
    fs_err::read(folder.path().join("library.so")).unwrap()
}

fn check(tags: &str, path: &str, functions: &[&str], calls: &[&str]) -> Vec<&'static str> {
    let fixture = Fixture::new(&format!("pkg-1.0-{tags}-manylinux_2_36_x86_64.whl"));
    own(&fixture.with(path, library(functions, calls)))
}

const SUFFIX: &str = "cpython-311-x86_64-linux-gnu.so";

#[test]
fn modules_with_an_init_function_pass() {
    for (tags, path, function) in [
        ("cp311-cp311", format!("pkg/_x.{SUFFIX}"), "PyInit__x"),
        ("cp311-cp311", format!("pkg/_x.{SUFFIX}"), "PyModExport__x"),
        ("cp311-cp311", format!("pkg/__init__.{SUFFIX}"), "PyInit_pkg"),
        ("cp311-cp311", "pkg-1.0.data/platlib/_x.cpython-311.so".to_owned(), "PyInit__x"),
        ("cp311-abi3", "_x.abi3.so".to_owned(), "PyInit__x"),
        ("pp311-pypy311_pp73", "_x.pypy311-pp73-x86_64-linux-gnu.so".to_owned(), "PyInit__x"),
        (
            "pp311-pypy311_pp73",
            "_x.pypy311-pp73-x86_64-linux-gnu.so".to_owned(),
            "_cffi_pypyinit__x",
        ),
        // PEP 489: `PyInitU_` and the name in punycode, `-` as `_`.
        ("cp311-cp311", format!("pkg/_größe.{SUFFIX}"), "PyInitU__gre_bpa1l"),
    ] {
        let maker = if path.contains(".pypy") { "PyPyModule_Create2" } else { "PyModule_Create2" };
        let codes = check(tags, &path, &[function, "other"], &[maker]);
        assert_eq!(codes, Vec::<&str>::new(), "{path}");
    }
}

#[test]
fn modules_without_an_init_function_are_errors() {
    let path = format!("pkg/_x.{SUFFIX}");
    let none = "does not export a function that initializes the module, such as `PyInit__x`";
    for (functions, calls, message) in [
        (&[][..], &["PyModuleDef_Init"][..], none),
        (&[][..], &["PyModule_FromDefAndSpec2"][..], none),
        (&[][..], &["PyImport_ImportModule", "PyLong_FromVoidPtr"][..], none),
        (
            &["PyInit__y"][..],
            &[][..],
            "does not initialize the module `_x`: it exports `PyInit__y`",
        ),
        (
            &["_cffi_pypyinit__x"][..],
            &[][..],
            "does not initialize the module `_x`: it exports `_cffi_pypyinit__x`",
        ),
    ] {
        let fixture = wheel(WHEEL).with(&path, library(functions, calls));
        let findings = audit(&fixture, &Expectations::default()).findings;
        let found: Vec<_> =
            findings.iter().map(|each| (each.code, each.message.as_str())).collect();
        assert_eq!(found, [("ABI005", message)]);
    }
    let pypy = "_x.pypy311-pp73-x86_64-linux-gnu.so";
    assert_eq!(check("pp311-pypy311_pp73", pypy, &[], &["PyPyModule_Create2"]), ["ABI005"]);
    assert_eq!(check("cp311-cp311", &format!("_größe.{SUFFIX}"), &["PyInit_x"], &[]), ["ABI005"]);
}

#[test]
fn libraries_are_no_modules() {
    for path in ["pkg/libx.so", "pkg/_x.so", "pkg.libs/libx-1.so.2", "pkg.libs/libx.abi3.so.6"] {
        let calls = ["PyModule_Create2"];
        assert_eq!(check("cp311-cp311", path, &["x"], &calls), Vec::<&str>::new(), "{path}");
    }
    // Libraries for ctypes, a debugger or another module: one note for all.
    let fixture = wheel(WHEEL)
        .with(&format!("pkg/libx.{SUFFIX}"), library(&["x"], &[]))
        .with(&format!("pkg/_y.{SUFFIX}"), library(&["y"], &["PyGILState_Ensure"]));
    let findings = audit(&fixture, &Expectations::default()).findings;
    let found: Vec<_> = findings.iter().map(|each| (each.code, each.severity)).collect();
    assert_eq!(found, [("ABI006", Severity::Note)]);
    assert!(findings[0].message.contains("libx.") && findings[0].message.contains("pkg/_y."));
}
