//! Tags that no installer accepts, wheels without an ABI tag, and variants.

use super::*;

fn named(tags: &str) -> Fixture {
    let name = format!("pkg-1.0-{tags}-manylinux_2_28_x86_64.whl");
    Fixture::new(&name).with("_pkg.so", PLAIN.clone())
}

/// The help of the finding of a rule.
fn help(tags: &str, code: &str) -> Option<String> {
    let audit = audit(&named(tags), &Expectations::default());
    let found = audit.findings.into_iter().find(|finding| finding.code == code)?;
    assert_eq!(found.severity, Severity::Error);
    Some(found.help.into_owned())
}

#[test]
fn a_tag_that_no_installer_accepts_is_an_error_with_another_tag() {
    // From `packaging.tags`.
    for (tags, meant) in [
        ("cp315t-abi3t", "cp315-abi3t"),
        ("cp315t-abi3", "cp315-abi3t"),
        ("cp314t-abi3", "cp314-cp314t"),
        ("cp314t-cp314t", "cp314-cp314t"),
        ("cp313t-cp313t", "cp313-cp313t"),
        ("cp314t-none", "cp314-none"),
        ("cp38-cp38m", "cp38-cp38"),
        ("py312-cp312", "cp312-cp312"),
        ("cp31-abi3", "cp32-abi3"),
    ] {
        let help = help(tags, "TAG104").unwrap();
        assert!(help.contains(&format!("`{meant}`")), "{tags}: {help}");
        assert!(!own(&named(tags)).contains(&"TAG009"), "{tags}");
    }
    for tags in [
        "cp315-abi3t",
        "cp315-abi3.abi3t",
        "cp314-cp314t",
        "cp36-cp36m",
        "cp27-cp27mu",
        "cp39-abi3",
    ] {
        assert_eq!(help(tags, "TAG104"), None, "{tags}");
    }
}

#[test]
fn a_stable_module_in_a_wheel_of_an_old_interpreter_is_valid() {
    let with = |tags: &str| {
        let name = format!("pkg-1.0-{tags}-manylinux_2_28_x86_64.whl");
        own(&Fixture::new(&name).with("_pkg.abi3.so", PLAIN.clone())).contains(&"TAG201")
    };
    for tags in ["cp36-cp36m", "cp37-cp37m", "cp38-cp38", "cp312-cp312"] {
        assert!(!with(tags), "{tags}");
    }
    assert!(with("cp314-cp314t"), "free-threaded interpreters do not import it");
    assert!(with("cp27-cp27mu"), "nor does Python 2");
}

/// A module without a suffix that was compiled for one interpreter.
fn bound(tags: &str, requires_python: &str, init: &str) -> bool {
    let folder = Folder::new();
    let source = format!(
        "extern void *PyModule_Create2(void *, int); void *{init}__pkg(void) {{ return PyModule_Create2(0, 1013); }}"
    );
    gcc(&folder, "module.so", &source, &[]);
    let module = fs_err::read(folder.path().join("module.so")).unwrap();
    let name = format!("pkg-1.0-{tags}-manylinux_2_28_x86_64.whl");
    let metadata = format!(
        "Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\nRequires-Python: {requires_python}\n"
    );
    let wheel =
        Fixture::new(&name).with("_pkg.so", module).with("pkg-1.0.dist-info/METADATA", metadata);
    let found = audit(&wheel, &Expectations::default());
    let found = found.findings.iter().find(|finding| finding.code == "ABI008");
    assert!(found.is_none_or(|finding| finding.severity == Severity::Error));
    found.is_some()
}

#[test]
fn a_module_of_one_interpreter_needs_an_abi_tag() {
    assert!(bound("cp314-none", ">=3.9", "PyInit"));
    assert!(bound("py3-none", ">=3.9", "PyInit"));
    assert!(!bound("cp312-none", ">=3.9", "PyInit"), "no free-threaded build exists");
    assert!(!bound("py3-none", ">=3.9,<3.13", "PyInit"), "none is allowed");
    assert!(!bound("cp314-cp314", ">=3.9", "PyInit"));
    assert!(!bound("cp315-none", ">=3.15", "PyModExport"), "one layout for both");
    // Loaded with `ctypes`: not a module, or without Python symbols.
    assert!(!bound("py3-none", ">=3.9", "open"));
    assert!(!own(&named("py3-none")).contains(&"ABI008"));
}

const VARIANT: &str = "pkg-1.0-cp311-cp311-manylinux_2_28_x86_64-x86_64_v3.whl";

fn variant(name: &str, json: Option<&str>) -> Fixture {
    let wheel = Fixture::new(name).with(MODULE, PLAIN.clone());
    match json {
        Some(json) => wheel.with("pkg-1.0.dist-info/variant.json", json),
        None => wheel,
    }
}

const LEVEL_3: &str = r#"{"default-priorities": {"namespace": ["x86_64"]},
    "variants": {"x86_64_v3": {"x86_64": {"level": ["v3"]}}}}"#;

#[test]
fn a_variant_is_reported_and_its_metadata_compared() {
    assert_eq!(own(&variant(VARIANT, Some(LEVEL_3))), ["TAG012"]);
    assert_eq!(own(&variant(VARIANT, None)), ["TAG012", "TAG013"]);
    assert_eq!(own(&variant(VARIANT, Some("{"))), ["TAG012", "TAG013"]);
    let other = LEVEL_3.replace("\"x86_64_v3\"", "\"null\"");
    assert_eq!(own(&variant(VARIANT, Some(&other))), ["TAG012", "TAG013"]);
    assert_eq!(own(&variant(WHEEL, Some(LEVEL_3))), ["TAG013"], "no label");
    // An index rejects the name.
    let folder = Folder::new();
    let path = variant(VARIANT, Some(LEVEL_3)).write(folder.path());
    let settings = Settings { publish: true, ..Settings::default() };
    let audit = audit_wheel(&path, &Expectations::default(), &settings).unwrap();
    assert_eq!(audit.verdict(), Verdict::Fail);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_variant_promises_the_processor_of_its_properties() {
    let folder = Folder::new();
    let source = "typedef float v8 __attribute__((vector_size(32)));\n\
                  v8 f(v8 a, v8 b) { return a * b; } void *PyInit__pkg(void) { return 0; }";
    gcc(&folder, "module.so", source, &["-mavx", "-O2"]);
    let module = fs_err::read(folder.path().join("module.so")).unwrap();
    let warns = |name, json: Option<&str>| {
        let wheel = variant(name, json).with(MODULE, module.clone());
        own(&wheel).contains(&"ISA004")
    };
    assert!(warns(WHEEL, None));
    assert!(!warns(VARIANT, Some(LEVEL_3)));
    assert!(warns(VARIANT, Some(&LEVEL_3.replace("\"v3\"", "\"v2\""))));
    assert!(warns(VARIANT, Some(&LEVEL_3.replace("\"x86_64\": {", "\"blas\": {"))));
    assert!(!warns(VARIANT, None), "not known");
}
