//! The files for `site-packages`.

use super::*;

const GOOD: [&str; 0] = [];

/// The codes for a wheel with a valid package and these files.
fn with(files: &[&str]) -> Vec<&'static str> {
    let start = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg/__init__.py", "");
    own(&files.iter().fold(start, |fixture, path| fixture.with(path, "x")))
}

#[test]
fn a_package_with_its_data_is_good() {
    assert_eq!(
        with(&["pkg/data/a b.txt", "pkg/py.typed", "pkg.libs/libx-1.so.2", "pkg.pth"]),
        GOOD
    );
    assert_eq!(with(&["pkg-1.0.data/scripts/run-it.py", "pkg-1.0.data/data/share/x"]), GOOD);
}

#[test]
fn bytecode_is_reported() {
    assert_eq!(with(&["pkg/__pycache__/a.cpython-311.pyc", "pkg/a.pyo"]), ["MET030"]);
    assert_eq!(with(&["pkg/pyc", "pkg/a.pyc.txt"]), GOOD);
}

#[test]
fn object_files_are_reported() {
    assert_eq!(with(&["pkg/_x.o", "pkg/.o/x.txt", "pkg/x.obj"]), ["MET050"]);
}

#[test]
fn large_copies_are_a_note() {
    let wheel = |size: usize| {
        let fixture = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg/a.py", vec![b'#'; size]);
        own(&fixture.with("pkg/b.py", vec![b'#'; size]))
    };
    assert_eq!(wheel(64 << 10), ["MET031"]);
    assert_eq!(wheel((64 << 10) - 1), GOOD);
}

#[test]
fn modules_with_invalid_names_are_reported() {
    for path in ["pkg/a-b.py", "pkg/2d.py", "pkg/is/x.py", "pkg/my tests/x.py", "pkg/1_x.abi3.so"] {
        assert_eq!(with(&[path]), ["MET032"], "{path}");
    }
    assert_eq!(with(&["pkg/größe.py", "pkg/_1.py", "pkg/a-b.txt", "pkg/match.py"]), GOOD);
}

#[test]
fn libraries_are_no_modules() {
    assert_eq!(with(&["pkg.libs/libx-1.2.so", "pkg-1.0.data/platlib/pkg.libs/liby-1.so"]), GOOD);
    let library = linked("void f(void) {}", &[], &[]);
    assert_eq!(own(&wheel(WHEEL).with("libx-y.so", library)), GOOD);
    let module = linked("void *PyInit_x(void) { return 0; }", &[], &[]);
    assert!(own(&wheel(WHEEL).with("x-y.so", module)).contains(&"MET032"));
}

#[test]
fn foreign_top_level_names_are_reported() {
    assert_eq!(with(&["tests/x.py"]), ["MET033", "MET038"]);
    assert_eq!(with(&["test.py"]), ["MET033", "MET038"]);
    let named_so = Fixture::new("build-1.0-py3-none-any.whl").with("build/__init__.py", "");
    assert_eq!(own(&named_so), GOOD);
    assert_eq!(with(&["README.md"]), ["MET035"]);
    assert_eq!(with(&["__init__.py"]), ["MET036"]);
    assert_eq!(with(&["other/x.txt"]), ["MET037", "MET038"]);
    assert_eq!(with(&["other/x.py"]), ["MET038"]);
    assert_eq!(with(&["pkg-1.0.data/purelib/other/x.py"]), ["MET038"]);
    assert_eq!(with(&["_other.py", "pkg-stubs/__init__.pyi"]), ["MET038"]);
    assert_eq!(with(&["_other.py"]), GOOD);
}

#[test]
fn a_wheel_with_only_metadata_is_reported() {
    let name = "pkg-1.0-py3-none-any.whl";
    assert_eq!(own(&Fixture::new(name)), ["MET034"]);
    assert_eq!(own(&Fixture::new(name).with("pkg-1.0.data/scripts/run", "")), GOOD);
}

#[test]
fn files_with_the_same_installed_path_are_errors() {
    assert_eq!(with(&["pkg-1.0.data/purelib/pkg/a.py", "pkg/b.py"]), GOOD);
    for files in [
        ["pkg-1.0.data/purelib/pkg/a.py", "pkg/a.py"],
        ["pkg-1.0.data/platlib/pkg/a.py", "pkg-1.0.data/purelib/pkg/a.py"],
        ["pkg-1.0.data/data/bin/run", "pkg-1.0.data/scripts/run"],
        ["pkg-1.0.data/data/lib/python3.11/site-packages/pkg/a.py", "pkg/a.py"],
        ["pkg-1.0.data/purelib/pkg/a", "pkg/a/b.py"],
        ["pkg-1.0.data/purelib/pkg/a/b.py", "pkg/a"],
    ] {
        assert_eq!(with(&files), ["MET043"], "{files:?}");
    }
}

#[test]
fn metadata_in_data_folders_is_an_error() {
    for path in [
        "pkg-1.0.data/purelib/other-1.0.dist-info/METADATA",
        "pkg-1.0.data/platlib/pkg-1.0.dist-info/extra.txt",
        "pkg-1.0.data/data/lib/python3.11/site-packages/other-1.0.dist-info/METADATA",
    ] {
        let codes = with(&[path]);
        assert!(codes.contains(&"MET044"), "{path}: {codes:?}");
    }
    let own = with(&["pkg-1.0.data/purelib/pkg-1.0.dist-info/METADATA"]);
    assert!(own.contains(&"MET043") && own.contains(&"MET044"), "{own:?}");
    assert_eq!(with(&["pkg-1.0.data/data/share/x.dist-info/y"]), GOOD);
}

#[test]
fn names_that_windows_rejects_are_reported() {
    for path in [
        "pkg/con.txt",
        "pkg/AUX",
        "pkg/nul.tar.gz",
        "pkg/lpt\u{b9}",
        "pkg/a.",
        "pkg/a ",
        "pkg/b./c.txt",
        "pkg/a:b",
        "pkg/what?",
        "pkg/com1 .txt",
    ] {
        assert_eq!(with(&[path]), ["MET045"], "{path}");
        assert_eq!(
            own(&wheel(WHEEL).with("pkg/__init__.py", "").with(path, "x")),
            ["MET046"],
            "{path}"
        );
    }
    assert_eq!(with(&["pkg/console.py", "pkg/.con", "pkg/com.py", "pkg/com10", "pkg/a b"]), GOOD);
}

#[test]
fn a_wheel_above_the_limit_of_an_index_is_reported() {
    let folder = Folder::new();
    let path = wheel(WHEEL).write(folder.path());
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    let codes = |size: u64| {
        file.set_len(size).unwrap();
        let audit = audit_wheel(&path, &Expectations::default(), &Settings::default()).unwrap();
        audit.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    // The rest of the file is a hole, not an archive.
    assert!(codes(100 << 20).iter().all(|code| *code != "MET039"));
    assert!(codes((100 << 20) + 1).contains(&"MET039"));
}
