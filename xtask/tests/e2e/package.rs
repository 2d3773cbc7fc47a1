//! A package in a subfolder of its repository, whose build uses files outside of it.

use crate::workspace::{Workspace, sh};

const SETUP: &str = r#"import os, shutil, subprocess
from setuptools import setup, Extension
from setuptools.command.build_py import build_py
class Build(build_py):
    def run(self):
        super().run()
        subprocess.check_call(["cmake", "-S", "../core", "-B", "/tmp/core"])
        subprocess.check_call(["cmake", "--build", "/tmp/core"])
        shutil.copy("/tmp/core/program", os.path.join(self.build_lib, "pkg"))
        shutil.copy("../LICENCE", os.path.join(self.build_lib, "pkg"))
        with open(os.path.join(self.build_lib, "pkg", "jobs.py"), "w") as out:
            names = "CMAKE_BUILD_PARALLEL_LEVEL", "CARGO_BUILD_JOBS", "MAKEFLAGS", "MAX_JOBS"
            out.write(f"JOBS = {[os.environ[name] for name in names]!r}\n")
setup(packages=["pkg"], cmdclass={"build_py": Build},
      ext_modules=[Extension("pkg._x", ["pkg/_x.c", "../core/x.c"])])
"#;

/// The files of the repository.
const FILES: [(&str, &str); 9] = [
    ("justfile", "build-all:\n    false\n"),
    ("LICENCE", "All rights.\n"),
    ("core/x.c", "int core_x(void) { return 42; }\n"),
    ("core/main.cc", "#include <iostream>\nint main() { std::cout << 42; }\n"),
    (
        "core/CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.16)\nproject(core CXX)\nadd_executable(program main.cc)\n",
    ),
    (
        "python/pyproject.toml",
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\
         [project]\nname = \"below\"\nversion = \"1.0\"\n",
    ),
    ("python/setup.py", SETUP),
    ("python/pkg/__init__.py", ""),
    (
        "python/pkg/_x.c",
        "#include <Python.h>\nint core_x(void);\n\
         static PyObject *f(PyObject *s, PyObject *a) { return PyLong_FromLong(core_x()); }\n\
         static PyMethodDef m[] = {{\"f\", f, METH_NOARGS, \"\"}, {0}};\n\
         static struct PyModuleDef d = {PyModuleDef_HEAD_INIT, \"_x\", 0, -1, m};\n\
         PyMODINIT_FUNC PyInit__x(void) { return PyModule_Create(&d); }\n",
    ),
];

/// The user's setting and the job's number of cores; the last one applies.
const CALLS: &str = "imports = [\"pkg._x\", \"pkg.jobs\"]\n[check.calls]\n\"pkg._x\" = [\"m.f() == 42\"]\n\
    \"pkg.jobs\" = [\"m.JOBS[0] == '7' and m.JOBS[1] == m.JOBS[3] and m.JOBS[2].startswith('-j' + m.JOBS[3] + ' -l')\"]\n";

#[test]
fn a_package_in_a_folder_is_built_with_the_files_beside_it() {
    let w = Workspace::of_package("path = \".\"\npackage = \"python\"", CALLS);
    for (path, text) in FILES {
        let path = w.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let toml = |env: &str| {
        let text = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
        let text: Vec<_> = text.lines().filter(|line| !line.starts_with("env = ")).collect();
        let text = text.join("\n").replace("[check]\n", &format!("env = {{ {env} }}\n[check]\n"));
        fs_err::write(w.root.join("wheels.toml"), text).unwrap();
    };
    sh("git", &["init", "--quiet", w.root.as_str()]);
    // Other tests build the same files, which are the same source.
    fs_err::write(w.root.join("core/salt"), format!("{}\n", w.root)).unwrap();
    let built = |code| {
        let (_, stderr) = w.run(&["wheels", "debian:12", "linux/amd64"], code);
        let job = w.root.join("target/xtask/jobs/debian12-amd64-cp311");
        let wheel = job.join("built/below-1.0-cp311-cp311-linux_x86_64.whl");
        let log = w.root.join("target/xtask/logs/debian12-amd64-cp311.log");
        (stderr, fs_err::read(wheel).unwrap(), fs_err::read_to_string(log).unwrap())
    };
    toml("CMAKE_BUILD_PARALLEL_LEVEL = \"7\"");
    let (stderr, first, log) = built(0);
    assert!(log.contains("ccache: 0 hits"), "{log}");
    assert!(stderr.contains("does not read PYTHONS"), "{stderr}");
    let recipe = &w.json("debian12-amd64/build-info.json")["interpreters"][0]["recipe"];
    assert_eq!(
        (&recipe["justfile"], &recipe["source_justfile"]),
        (&"bundled".into(), &"justfile".into())
    );
    // Other settings share no objects, so that the build of a pull request cannot affect others.
    toml("CMAKE_BUILD_PARALLEL_LEVEL = \"7\", OTHER = \"1\"");
    let (_, second, log) = built(0);
    assert!(log.contains("ccache: 0 hits"), "{log}");
    // Without the cache, the bytes are the same.
    toml("CMAKE_BUILD_PARALLEL_LEVEL = \"7\", CCACHE_DISABLE = \"1\"");
    let (_, third, log) = built(0);
    assert!(!log.contains("ccache: "), "{log}");
    assert!(first == second && second == third);
}
