//! What `[build]` and `[[override]]` make of a build: commands before it, settings, variables.

use crate::workspace::Workspace;

/// Calls setuptools, and writes the settings that it got into the package.
const BACKEND: &str = "from setuptools.build_meta import *\nfrom setuptools import build_meta\n\
    def build_wheel(folder, settings=None, metadata=None):\n    \
    open('pkg/settings.py', 'w').write(f'SETTINGS = {settings!r}\\n')\n    \
    return build_meta.build_wheel(folder, settings, metadata)\n";

const FILES: [(&str, &str); 5] = [
    (
        "pyproject.toml",
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
         [project]\nname = \"hooked\"\nversion = \"1.0\"\n",
    ),
    ("backend.py", BACKEND),
    (
        "setup.py",
        "from setuptools import setup, Extension\nsetup(packages=['pkg'], ext_modules=[Extension(\n    \
         'pkg._x', ['pkg/_x.c'], include_dirs=['/usr/local/include'], libraries=['e2ehook'])])\n",
    ),
    ("pkg/__init__.py", ""),
    ("hook.c", "int e2ehook(void) { return 42; }\n"),
];

/// `pkg/_x.c` is what `before-build` makes, by the job's own interpreter.
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

#[test]
fn hooks_settings_and_variables_reach_the_build_of_the_jobs_that_they_are_for() {
    let w = Workspace::of_package("path = \".\"", CHECK);
    for (path, text) in FILES.into_iter().chain([("generate.py", GENERATE)]) {
        let path = w.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let file = w.root.join("wheels.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let pythons = "pythons = [\"cp311\"]\n";
    let text = text.replace(pythons, &format!("{pythons}{BUILD}"));
    fs_err::write(&file, text).unwrap();
    let mut command = w.command(&["wheels", "--only", "*-debian12_x86_64"]);
    command.env("E2E_PASSED", "host").env("E2E_FIXED", "host").env("E2E_TOKEN", "secret");
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("E2E_TOKEN") && stderr.contains("cp312-*"), "{stderr}");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
    let log = w.root.join("target/xtask/logs/debian12-amd64-cp311.log");
    let log = fs_err::read_to_string(log).unwrap();
    // Once, and before the interpreter's own.
    assert_eq!(log.matches("=> [before-run 1/1]").count(), 1, "{log}");
}
