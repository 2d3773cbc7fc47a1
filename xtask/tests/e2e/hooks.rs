//! The effects of `[build]`, `[test]` and `[[override]]` on a build: commands, settings, variables, package tests.

use std::process::Command;

use crate::workspace::{Workspace, ran, repository};

/// Calls setuptools, and writes its settings into the package.
const BACKEND: &str = "from setuptools.build_meta import *\nfrom setuptools import build_meta\n\
    def build_wheel(folder, settings=None, metadata=None):\n    \
    open('pkg/settings.py', 'w').write(f'SETTINGS = {settings!r}\\n')\n    \
    return build_meta.build_wheel(folder, settings, metadata)\n";

const FILES: [(&str, &str); 6] = [
    (
        "pyproject.toml",
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
         [project]\nname = \"hooked\"\nversion = \"1.0\"\n\
         [dependency-groups]\nunit = [\"iniconfig\"]\n",
    ),
    ("backend.py", BACKEND),
    (
        "setup.py",
        "from setuptools import setup, Extension\nsetup(packages=['pkg'], ext_modules=[Extension(\n    \
         'pkg._x', ['pkg/_x.c'], include_dirs=['/usr/local/include'], libraries=['e2ehook'])])\n",
    ),
    ("pkg/__init__.py", ""),
    ("check.py", TESTS),
    ("hook.c", "int e2ehook(void) { return 42; }\n"),
];

/// `before-build` creates `pkg/_x.c` with the job's interpreter.
const BUILD: &str = r#"
before = [
  "mkdir -p /opt/hook && echo {project} >/opt/hook/project",
  "gcc -c -fPIC hook.c -o /tmp/hook.o && ar rcs /usr/local/lib/libe2ehook.a /tmp/hook.o",
  "echo 'int e2ehook(void);' >/usr/local/include/e2ehook.h",
  "rm hook.c && echo 'MADE = \"before\"' >{package}/pkg/made.py",
]
before-build = [
  "test ! -e hook.c && pip --version && test $(cat /opt/hook/project) = {project}",
  "python generate.py >pkg/_x.c",
]
config-settings = { single = "1", several = ["a", "b=c"] }
env = { E2E_FIXED = "file" }
env-pass = ["E2E_*"]
[[override]]
select = "cp311-debian12_*"
build.config-settings.single = "2"
[[override]]
select = "cp311-*_x86_64"
build.build-frontend = "build"
[[override]]
select = "cp312-*"
build.before-build = "false"
"#;

const GENERATE: &str = r#"import os, sys
assert sys.prefix != sys.base_prefix and sys.version_info[:2] == (3, 11)
names = {name: value for name, value in os.environ.items() if name.startswith("E2E_")}
assert names == {"E2E_FIXED": "file", "E2E_PASSED": "host"}, names
print('''#include <Python.h>
#include <e2ehook.h>
static PyObject *f(PyObject *s, PyObject *a) { return PyLong_FromLong(e2ehook()); }
static PyMethodDef m[] = {{"f", f, METH_NOARGS, ""}, {0}};
static struct PyModuleDef d = {PyModuleDef_HEAD_INIT, "_x", 0, -1, m};
PyMODINIT_FUNC PyInit__x(void) { return PyModule_Create(&d); }''')
"#;

const CHECK: &str = "imports = [\"pkg._x\", \"pkg.made\", \"pkg.settings\"]\n[check.calls]\n\
    \"pkg._x\" = [\"m.f() == 42\"]\n\"pkg.made\" = [\"m.MADE == 'before'\"]\n\
    \"pkg.settings\" = [\"m.SETTINGS == {'single': '2', 'several': ['a', 'b=c']}\"]\n";

const TEST: &str = "[test]\nsources = [\"check.py\"]\ngroups = [\"unit\"]\nenv = { E2E_TESTED = \"{project}\" }\n\
    command = [\"test -e {project}/setup.py && test ! -e setup.py\", \"python check.py\"]\n";

const TESTS: &str = "import iniconfig, os, pkg._x\nassert pkg._x.f() == 42\n\
    assert not pkg.__file__.startswith(os.environ['E2E_TESTED'])\n\
    assert os.path.exists(os.environ['E2E_TESTED'] + '/pkg')\n";

/// The command that builds the job.
fn wheels(w: &Workspace) -> Command {
    let mut command = w.command(&["wheels", "--only", "*-debian12_x86_64"]);
    command.env("E2E_PASSED", "host").env("E2E_FIXED", "host").env("E2E_TOKEN", "secret");
    command
}

/// The messages of a run that exits with `code`, the log of the job, and the outcome of the tests in the manifest.
fn outcome(w: &Workspace, code: i32) -> (String, String, serde_json::Value) {
    let (_, stderr) = ran(&wheels(w).output().unwrap(), code);
    let log = w.root.join("target/xtask/logs/debian12-amd64-cp311.log");
    let manifest = w.json("manifest.json");
    let files = manifest["files"].as_array().unwrap();
    let builds = files.iter().find_map(|file| file["builds"].as_array()).unwrap();
    let tests = builds[0]["tests"].clone();
    (stderr, fs_err::read_to_string(log).unwrap(), tests)
}

#[test]
fn hooks_settings_and_variables_reach_only_their_jobs() {
    let w = Workspace::of_package("path = \".\"", CHECK);
    for (path, text) in FILES.into_iter().chain([("generate.py", GENERATE)]) {
        let path = w.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let file = w.root.join("wheels.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let pythons = "pythons = [\"cp311\"]\n";
    // Pinned, so that `build` uses them instead of an isolated environment.
    let pinned = "requirements = \"build-requirements.txt\"\n";
    fs_err::copy(
        repository().join("docker/build-requirements.txt"),
        w.root.join("build-requirements.txt"),
    )
    .unwrap();
    let text = text.replace(pythons, &format!("{pythons}{pinned}{BUILD}")) + TEST;
    fs_err::write(&file, text).unwrap();
    let (stderr, log, tests) = outcome(&w, 0);
    assert!(stderr.contains("E2E_TOKEN") && stderr.contains("cp312-*"), "{stderr}");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
    // Once, before the interpreter's own command. A cached step prints this line, too.
    assert_eq!(log.matches("== [before-run 1/1]").count(), 1, "{log}");
    assert!(log.contains("/xtask/build.sh") && tests == "passed", "{tests} {log}");

    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace("python check.py", "echo E2E failed; exit 3")).unwrap();
    let (stderr, log, tests) = outcome(&w, 1);
    assert!(
        stderr.contains("[test-run-offline 1/1]") && stderr.contains("exit code: 3"),
        "{stderr}"
    );
    assert!(stderr.contains("E2E failed"), "{stderr}");
    // The run neither builds the wheel again nor replaces that of the last good run.
    assert!(!log.contains("/xtask/build.sh") && tests == "passed", "{tests} {log}");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);

    let skip = "[[override]]\nselect = \"cp311-*\"\ntest.skip = true\n";
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, format!("{text}{skip}")).unwrap();
    let (stderr, log, tests) = outcome(&w, 0);
    assert!(!stderr.contains("[test-run") && tests == "skipped", "{tests} {stderr}");
    assert!(!log.contains("/xtask/build.sh"), "{log}");
}
