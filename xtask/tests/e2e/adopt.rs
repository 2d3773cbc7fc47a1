//! Three packages adopt the tool with only `cargo xtask init`. Their wheels build and pass the tests.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use crate::workspace::{ran, repository, sh};

/// `answer()` is 42, in C.
pub(crate) const C: &str = "#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{\"answer\", answer, METH_NOARGS, \"\"}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"_speed\", NULL, -1, methods};
PyMODINIT_FUNC PyInit__speed(void) { return PyModule_Create(&module); }
";

/// The same function in Rust, as a module of that name.
fn rust(module: &str) -> String {
    format!(
        "use pyo3::prelude::*;\n#[pyfunction]\nfn answer() -> u32 {{ 42 }}\n#[pymodule]\n\
         fn {module}(m: &Bound<'_, PyModule>) -> PyResult<()> {{\n\
         m.add_function(wrap_pyfunction!(answer, m)?)\n}}\n"
    )
}

/// The manifest of a crate for this module.
fn manifest(module: &str, edition: &str) -> String {
    format!(
        "[package]\nname = \"{}\"\nversion = \"1.0.0\"\n{edition}\n[lib]\nname = \"{module}\"\n\
         crate-type = [\"cdylib\"]\n[dependencies]\n\
         pyo3 = {{ version = \"0.26\", features = [\"extension-module\"] }}\n",
        module.trim_start_matches('_')
    )
}

pub(crate) fn pyproject(requires: &str, backend: &str, rest: &str) -> String {
    format!(
        "[build-system]\nrequires = [{requires}]\nbuild-backend = \"{backend}\"\n[project]\n\
         name = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\n{rest}"
    )
}

/// A git repository with these files that adopted the tool. `more` are arguments of `init`.
pub(crate) fn adopted(files: &[(&str, String)], more: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap().join("demo");
    for (path, text) in files {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    sh("git", &["init", "--quiet", root.as_str()]);
    sh("git", &["-C", root.as_str(), "add", "--all"]);
    let identity = ["-c", "user.name=a", "-c", "user.email=a@a.example"];
    let commit = ["commit", "--quiet", "--message", "one"];
    sh("git", &[&["-C", root.as_str()], &identity[..], &commit].concat());
    let tool = format!("path={}", repository());
    run(repository(), &[&["init", root.as_str(), "--tool", &tool], more].concat(), 0);
    (dir, root)
}

/// Runs xtask; returns its two outputs.
#[track_caller]
pub(crate) fn run(workspace: &Utf8Path, args: &[&str], code: i32) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).current_dir(workspace).env("CARGO_MANIFEST_DIR", workspace.join("xtask"));
    ran(&command.output().unwrap(), code)
}

/// Builds the wheel for debian:12 without further edits; returns the imports of the smoke test.
#[track_caller]
fn imported(root: &Utf8Path) -> Vec<String> {
    run(root, &["wheels", "debian:12", "linux/amd64", "--python", "cp311"], 0);
    run(root, &["verify"], 0);
    let report = root.join("target/xtask/jobs/debian12-amd64-cp311/smoke/smoke.json");
    let report: serde_json::Value = serde_json::from_slice(&fs_err::read(report).unwrap()).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| check["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_package_of_setuptools_and_c_is_adopted_and_built() {
    let tables = "[tool.setuptools]\npackages = [\"demo\"]\n\
        ext-modules = [{ name = \"demo._speed\", sources = [\"demo/_speed.c\"] }]\n";
    let (_dir, root) = adopted(
        &[
            ("pyproject.toml", pyproject("\"setuptools>=74\"", "setuptools.build_meta", tables)),
            ("demo/__init__.py", String::new()),
            ("demo/_speed.c", C.to_owned()),
            ("docker/Dockerfile", "FROM scratch\n".to_owned()),
            ("scripts/build.sh", "exit 1\n".to_owned()),
        ],
        &[],
    );
    assert_eq!(imported(&root), ["demo._speed"]);
    // cargo runs xtask in its own folder.
    let cargo = Command::new(env!("CARGO"))
        .args(["xtask", "verify", "--json"])
        .current_dir(&root)
        .env("CARGO_TARGET_DIR", repository().join("target/adopted"))
        // The dependencies of this repository's own tool, compiled already.
        .env("CARGO_BUILD_BUILD_DIR", repository().join("target"))
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_str(&ran(&cargo, 0).0).unwrap();
    assert_eq!(report["verdict"], "pass");
    run(&root, &["matrix"], 0);
    run(&root, &["workflow", "check"], 0);
}

/// The lock file of the workspace that `xtask/` joined, as cargo writes it here.
#[cfg(feature = "e2e-full")]
fn lock(root: &Utf8Path) {
    sh("cargo", &["generate-lockfile", "--manifest-path", root.join("Cargo.toml").as_str()]);
    assert!(fs_err::read_to_string(root.join("Cargo.lock")).unwrap().contains("wheel-build"));
}

fn maturin(settings: &str) -> [(&'static str, String); 3] {
    [
        ("pyproject.toml", pyproject("\"maturin>=1.9,<2\"", "maturin", settings)),
        ("Cargo.toml", manifest("demo", "edition = \"2021\"")),
        ("src/lib.rs", rust("demo")),
    ]
}

#[test]
fn a_package_of_maturin_is_adopted_and_built() {
    let (_dir, root) = adopted(&maturin(""), &[]);
    assert_eq!(imported(&root), ["demo.demo"]);
}

#[test]
#[cfg(feature = "e2e-full")]
fn a_package_of_maturin_with_xtask_as_a_member_is_built() {
    let (_dir, root) = adopted(&maturin("[tool.maturin]\nlocked = true\n"), &["--member"]);
    lock(&root);
    assert_eq!(imported(&root), ["demo.demo"]);
}

/// The workspace is in `folder`, and the crate in its folder `inner`.
fn setuptools_rust(
    folder: &str,
    inner: &str,
    settings: &str,
    more: &[&str],
) -> (tempfile::TempDir, Utf8PathBuf) {
    let tables = format!(
        "[tool.setuptools.packages.find]\nwhere = [\"python\"]\n\
         [[tool.setuptools-rust.ext-modules]]\ntarget = \"demo._inner\"\n\
         path = \"rust/inner/Cargo.toml\"\nbinding = \"PyO3\"\n{settings}"
    );
    let requires = "\"setuptools>=74\", \"setuptools-rust>=1.10\"";
    let workspace = format!(
        "[workspace]\nmembers = [\"{inner}\"]\nresolver = \"2\"\n\
         [workspace.package]\nedition = \"2021\"\n"
    );
    let files = [
        ("pyproject.toml", pyproject(requires, "setuptools.build_meta", &tables)),
        ("python/demo/__init__.py", String::new()),
        (&*format!("{folder}Cargo.toml"), workspace),
        ("rust/inner/Cargo.toml", manifest("_inner", "edition.workspace = true")),
        ("rust/inner/src/lib.rs", rust("_inner")),
    ];
    adopted(&files, more)
}

#[test]
fn a_package_of_setuptools_rust_is_adopted_and_built() {
    let (_dir, root) = setuptools_rust("rust/", "inner", "", &[]);
    assert_eq!(imported(&root), ["demo._inner"]);
}

#[test]
#[cfg(feature = "e2e-full")]
fn a_package_of_setuptools_rust_with_xtask_as_a_member_is_built() {
    let settings = "cargo-manifest-args = [\"--locked\"]\n";
    let (_dir, root) = setuptools_rust("", "rust/inner", settings, &["--member"]);
    lock(&root);
    assert_eq!(imported(&root), ["demo._inner"]);
}
