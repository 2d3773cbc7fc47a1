//! A wheel without the extension that its source builds: how the container detects the extension, and the audit of
//! the wheel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{BUILD_INFO, Workspace};
use serde_json::json;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

/// A workspace whose source builds an extension, but whose build exports a pure wheel.
fn workspace(check: &str) -> Workspace {
    let w = Workspace::new();
    let found = r#""extension_sources": ["setup.py: ext_modules"], "interpreters""#;
    let info = BUILD_INFO.replace("\"interpreters\"", found);
    fs_err::write(w.fake.join("export/build-info.json"), info).unwrap();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let toml = toml.replace("[[target]]", &format!("[check]\n{check}\n[[target]]"));
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    w
}

#[test]
fn a_pure_wheel_of_an_extension_is_rejected_unless_allowed() {
    let w = workspace("");
    w.run(&WHEELS).code(1).reports(&["TAG103", "setup.py: ext_modules", "native = false"]);
    assert!(w.dist().is_empty());
    let w = workspace("native = false");
    w.run(&WHEELS).code(0);
    assert!(!w.dist().is_empty());
}

#[test]
fn allowing_pure_wheels_repeats_the_audit_without_a_build() {
    let w = workspace("");
    w.run(&WHEELS).code(1);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml.replace("[check]", "[check]\nnative = false"))
        .unwrap();
    w.run(&WHEELS).code(0);
    assert_eq!(w.bakes("wheel-builder"), 1);
    // And the reverse: the audit of the wheel in `dist/` used other settings.
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    w.run(&WHEELS).code(1).reports(&["TAG103"]);
}

/// The evidence that `scripts/extension_sources.py` finds in a source with these files.
fn evidence(files: &[(&str, &str)]) -> Vec<String> {
    let code = "import json, sys\n\
        sys.path.insert(0, sys.argv[1])\n\
        import extension_sources as e\n\
        files = json.load(open(sys.argv[2]))\n\
        texts = {name: text for name, text in files if name in e.TEXTS}\n\
        print(json.dumps(e.evidence([name for name, _ in files], texts)))";
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts");
    // A large file exceeds the limit of an argument.
    let list = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(list.path(), json!(files).to_string()).unwrap();
    let mut python = Command::new("python3");
    let ran = python.args(["-B", "-c", code, scripts]).arg(list.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn backend(name: &str) -> String {
    format!("[build-system]\nrequires = []\nbuild-backend = \"{name}\"\n")
}

#[test]
fn sources_with_an_extension_are_detected() {
    let (maturin, scikit, meson) =
        (backend("maturin"), backend("scikit_build_core.build"), backend("mesonpy"));
    let (poetry, cmake) = (backend("poetry.core.masonry.api"), backend("py_build_cmake.build"));
    let cases: &[&[(&str, &str)]] = &[
        &[("pyproject.toml", &maturin), ("Cargo.toml", "")],
        &[("pyproject.toml", &scikit), ("CMakeLists.txt", "")],
        &[("pyproject.toml", &meson), ("meson.build", ""), ("src/a.f90", "")],
        &[("pyproject.toml", &cmake), ("CMakeLists.txt", "")],
        &[("pyproject.toml", &poetry), ("build.py", "setup_kwargs.update(ext_modules=mods)")],
        &[("pyproject.toml", "[tool.setuptools]\next-modules = [\n  {name = \"a\"},\n]\n")],
        &[("pyproject.toml", "[[tool.setuptools.ext-modules]]\nname = \"a\"\n")],
        &[("pyproject.toml", "[[tool.setuptools-rust.ext-modules]]\ntarget = \"a\"\n")],
        &[("pyproject.toml", "[tool.hatch.build.targets.wheel.hooks.mypyc]\n")],
        &[
            ("pyproject.toml", "[tool.hatch.build.hooks.custom]\n"),
            ("hatch_build.py", "build_data[\"pure_python\"] = False\n"),
        ],
        &[("setup.py", "setup(name='a', ext_modules=[Extension('a', ['a.c'])])")],
        &[("setup.py", "setup(\n    cffi_modules = ['build_a.py:ffi'],\n)")],
        &[("setup.py", "setup(rust_extensions=[RustExtension('a')])")],
        &[("setup.py", "kwargs[\"ext_modules\"] = cythonize('a.pyx')")],
        &[("setup.py", "setup(**{'ext_modules': mods})")],
        &[("setup.py", "if True:\n  setup(\n  ext_modules=mods)  # \"\"\"\n !")],
        &[("a/fast.pyx", "")],
    ];
    for files in cases {
        let found = evidence(files);
        assert_eq!(found.len(), 1, "{files:?}: {found:?}");
    }
}

#[test]
fn sources_without_an_extension_are_not_detected() {
    let (maturin, scikit, meson) =
        (backend("maturin"), backend("scikit_build_core.build"), backend("mesonpy"));
    let (hatch, setuptools) = (backend("hatchling.build"), backend("setuptools.build_meta"));
    let commented = format!("{setuptools}# ext-modules = [1]\ndescription = \"has ext_modules\"\n");
    let cases: &[&[(&str, &str)]] = &[
        &[("pyproject.toml", &hatch), ("a/__init__.py", ""), ("a/data/a.c", "")],
        &[("setup.py", "setup(name='a')"), ("tests/a.c", ""), ("docs/_ext/a.pyx", "")],
        &[("a/tests/fast.pyx", ""), ("examples/fast.pyx", ""), ("_examples/b/fast.pyx", "")],
        &[("setup.py", "# ext_modules=[Extension('a')]\nsetup(ext_modules=[])")],
        &[("setup.py", "setup(ext_modules=None)")],
        &[("setup.py", "if dist.ext_modules == x: pass")],
        &[("pyproject.toml", &commented)],
        &[("pyproject.toml", "[tool.setuptools]\next-modules = []\n")],
        &[("pyproject.toml", &meson), ("meson.build", ""), ("tests/a.c", "")],
        &[("pyproject.toml", &scikit), ("a/__init__.py", ""), ("tests/CMakeLists.txt", "")],
        &[("pyproject.toml", &maturin)],
        &[("pyproject.toml", &maturin), ("vendor/a/Cargo.toml", "")],
        &[("a/_vendor/fast.pyx", ""), ("third_party/fast.pyx", ""), ("extern/b/fast.pyx", "")],
        &[(
            "setup.py",
            "\"\"\"Pass\next_modules=mods to setup.\"\"\"\nsetup()  # ext_modules=mods",
        )],
        &[("build.py", "setup(ext_modules=mods)"), ("pyproject.toml", &hatch)],
        &[("vendor/setup.py", "setup(ext_modules=mods)")],
        &[
            ("hatch_build.py", "build_data['pure_python'] = True"),
            ("pyproject.toml", "[tool.hatch.x]"),
        ],
    ];
    for files in cases {
        let found = evidence(files);
        assert_eq!(found, [""; 0], "{files:?}");
    }
}

#[test]
fn detection_takes_linear_time_on_blank_files() {
    let (lines, spaces) = ("\n".repeat(60_000), " ".repeat(60_000));
    let setup = format!("ext_modules{spaces}x");
    let began = Instant::now();
    let found = evidence(&[("pyproject.toml", &lines), ("setup.py", &setup)]);
    assert_eq!(found, [""; 0]);
    // A quadratic algorithm takes more than half a minute.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn archives_are_read_below_their_top_folder() {
    let code = "import io, json, os, sys, tarfile, zipfile\n\
        sys.path.insert(0, sys.argv[1])\n\
        import extension_sources as e\n\
        folder = sys.argv[2]\n\
        def evidence_of(kind, file, package=''):\n    \
            json.dump({'kind': kind, 'file': file, 'package': package}, open(os.path.join(folder, 'source.json'), 'w'))\n    \
            return e.of_source(folder)\n\
        def tar(file, name):\n    \
            with tarfile.open(os.path.join(folder, file), 'w:' + file.partition('.tar.')[2]) as t:\n        \
                entry = tarfile.TarInfo(name); text = b'setup(ext_modules=x)'; entry.size = len(text)\n        \
                t.addfile(entry, io.BytesIO(text))\n\
        tar('a.tar.gz', 'a-1.0/setup.py')\n\
        tar('source.tar', './setup.py')\n\
        with zipfile.ZipFile(os.path.join(folder, 'a.zip'), 'w') as z:\n    \
            z.writestr('a-1.0/setup.py', 'setup(ext_modules=x)')\n\
        for kind, file in (('sdist', 'a.tar.gz'), ('local', 'source.tar'), ('sdist', 'a.zip'), ('local', 'a.tar.gz')):\n    \
            print(json.dumps(evidence_of(kind, file)))\n\
        tar('source.tar', 'src/python/setup.py')\n\
        for package in ('src/python', 'src', ''):\n    \
            print(json.dumps(evidence_of('local', 'source.tar', package)))";
    let folder = tempfile::tempdir().unwrap();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts");
    let mut python = Command::new("python3");
    let ran = python.args(["-B", "-c", code, scripts]).arg(folder.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let found = r#"["setup.py: ext_modules"]"#;
    let lines = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(lines.lines().collect::<Vec<_>>(), [found, found, found, "[]", found, "[]", "[]"]);
}
