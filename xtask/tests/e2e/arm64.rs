//! Emulated platforms. Require an emulator: `cargo xtask setup --emulate arm64`. Interpreters take minutes each:
//! `cargo xtask ci --full`.

use crate::workspace::Workspace;

/// A package with a C and a C++ extension that include common headers.
fn lay_out(root: &camino::Utf8Path) {
    let pyproject = "[build-system]\nrequires = [\"setuptools>=77\"]\n\
        build-backend = \"setuptools.build_meta\"\n\
        [project]\nname = \"twofold\"\nversion = \"1.0\"\n\
        [tool.setuptools]\npy-modules = []\next-modules = [\
        { name = \"plain\", sources = [\"plain.c\"], extra-compile-args = [\"-fstack-protector-strong\"] },\
        { name = \"templated\", sources = [\"templated.cc\"] }]\n";
    let module = |name: &str| {
        format!(
            "static PyMethodDef methods[] = {{{{\"answer\", answer, METH_VARARGS, 0}}, {{0, 0, 0, 0}}}};\n\
             static PyModuleDef module = {{PyModuleDef_HEAD_INIT, \"{name}\", 0, -1, methods, 0, 0, 0, 0}};\n\
             PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}\n"
        )
    };
    let plain = "#include <Python.h>\n#include <assert.h>\n#include <math.h>\n#include <string.h>\n\
        static PyObject *answer(PyObject *self, PyObject *args) {\n\
            const char *text; Py_ssize_t size; double sum = 0;\n\
            if (!PyArg_ParseTuple(args, \"s#\", &text, &size)) return 0;\n\
            char copy[size + 1]; memcpy(copy, text, size + 1); assert(copy[size] == 0);\n\
            for (Py_ssize_t i = 0; i < size; i++) sum += sqrt(copy[i] * 1.5);\n\
            return PyFloat_FromDouble(sum); }\n";
    let templated = "#include <Python.h>\n#include <algorithm>\n#include <map>\n#include <string>\n#include <vector>\n\
        static PyObject *answer(PyObject *self, PyObject *args) {\n\
            const char *text; if (!PyArg_ParseTuple(args, \"s\", &text)) return 0;\n\
            std::map<char, std::vector<size_t>> at; std::string s(text);\n\
            for (size_t i = 0; i < s.size(); i++) at[s[i]].push_back(i);\n\
            try { return PyLong_FromSize_t(at.at('a').back()); }\n\
            catch (const std::exception &e) { PyErr_SetString(PyExc_ValueError, e.what()); return 0; } }\n";
    fs_err::write(root.join("pyproject.toml"), pyproject).unwrap();
    fs_err::write(root.join("plain.c"), format!("{plain}{}", module("plain"))).unwrap();
    fs_err::write(root.join("templated.cc"), format!("{templated}{}", module("templated")))
        .unwrap();
}

/// Makes the wheels of `w` build again, because cached steps print nothing.
fn force_build(w: &Workspace) {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    w.replace("scripts/build.sh", |text| format!("{text}# {now}\n"));
}

#[test]
#[cfg_attr(target_arch = "aarch64", ignore = "nothing is emulated there")]
fn autobahn_is_built_for_arm64_in_debian_12_and_runs_there() {
    let w = Workspace::new(|toml| toml);
    force_build(&w);
    let (stdout, stderr) = w.run(&["wheels", "debian:12", "linux/arm64", "--python", "cp311"], 0);
    assert!(stdout.contains("passed"), "{stdout}");
    // Debian 12's compiler has a patch that the cross compilers lack.
    assert!(stderr.contains("not accelerated, this wheel"), "{stderr}");
    let name = "autobahn-26.10.2-cp311-cp311-manylinux_2_36_aarch64.whl";
    assert_eq!(w.wheels("debian12-arm64"), [name]);
}

/// A workspace with a package for arm64 in Debian 13, whose compilers native ones can replace.
fn twofold() -> Workspace {
    let toml = "[source]\npath = \".\"\n[build]\npythons = [\"cp313\"]\nproviders = [\"distro\"]\n\
        [check]\nnative = true\nimports = [\"plain\", \"templated\"]\n\
        calls = { plain = [\"m.answer('abc') > 30\"], templated = [\"m.answer('abca') == 3\"] }\n\
        [[target]]\nname = \"debian13\"\nimage = \"debian:13\"\nfamily = \"apt\"\nglibc = \"2.41\"\n\
        platforms = [\"linux/arm64\"]\n\
        bootstrap = { tool = \"mmdebstrap\", suite = \"trixie\" }\n";
    let w = Workspace::new(|_| toml.to_owned());
    lay_out(&w.root);
    w
}

/// Builds the wheel of [`twofold`]; returns its bytes, and whether native programs compiled it.
fn build_and_detect_compiler(w: &Workspace, options: &[&str]) -> (Vec<u8>, bool) {
    let words = [&["wheels", "debian:13", "linux/arm64", "--force"], options].concat();
    let (_, stderr) = w.run(&words, 0);
    let name = "twofold-1.0-cp313-cp313-manylinux_2_41_aarch64.whl";
    let wheel = fs_err::read(w.dist().join("debian13-arm64").join(name)).unwrap();
    (wheel, stderr.contains("accelerated: native"))
}

#[test]
#[cfg_attr(target_arch = "aarch64", ignore = "nothing is emulated there")]
fn acceleration_changes_no_byte_of_a_wheel() {
    let w = twofold();
    force_build(&w);
    let (accelerated, native) = build_and_detect_compiler(&w, &[]);
    assert!(native);
    // Emulate only this step, because installing Debian's compilers under emulation takes minutes.
    w.replace("scripts/build.sh", |text| {
        let emulated = text.replace("if [ -e /xtask-native/accelerate.sh ]", "if false");
        assert_ne!(emulated, text);
        emulated
    });
    let (emulated, native) = build_and_detect_compiler(&w, &["--no-smoke"]);
    assert!(!native);
    assert!(accelerated == emulated, "the wheel differs when it is compiled natively");
}

#[test]
#[cfg_attr(target_arch = "aarch64", ignore = "nothing is emulated there")]
#[cfg(feature = "e2e-full")]
fn acceleration_changes_no_package_of_a_system() {
    let w = twofold();
    force_build(&w);
    let results = ["--accelerate", "--no-accelerate"].map(|switch| {
        let (wheel, native) = build_and_detect_compiler(&w, &[switch, "--no-smoke"]);
        assert_eq!(native, switch == "--accelerate");
        (wheel, w.json("debian13-arm64/build-info.json")["packages"].clone())
    });
    assert!(
        results[0] == results[1],
        "apt installs others when it is native, or the wheel differs"
    );
}

#[test]
#[cfg_attr(target_arch = "aarch64", ignore = "nothing is emulated there")]
#[cfg(feature = "e2e-full")]
fn a_natively_compiled_interpreter_runs_emulated() {
    let w = Workspace::new(|toml| {
        toml.replace("[\"distro\", \"managed\", \"source\"]", "[\"source\"]")
    });
    w.run(&["wheels", "debian:12", "linux/arm64", "--python", "cp313"], 0);
    let info = w.json("debian12-arm64/build-info.json");
    let provider = info["interpreters"][0].to_string();
    assert!(provider.contains("compiled for it by linux/"), "{provider}");
}

#[test]
#[cfg_attr(target_arch = "aarch64", ignore = "nothing is emulated there")]
#[cfg(feature = "e2e-full")]
fn a_failed_native_compile_is_repeated_under_emulation() {
    let w = Workspace::new(|toml| {
        toml.replace("[\"distro\", \"managed\", \"source\"]", "[\"source\"]")
    });
    // A fake source archive that detects whether a native or an emulated compiler runs.
    let archive = "mkdir -p /tmp/fake/python && cd /tmp/fake || exit 1\n\
        cat >python/configure <<'EOF'\n\
        case ${CONFIG_SHELL:-} in ?*) echo 'error: not with native programs' >&2; exit 1 ;; esac\n\
        echo \"error: ${COMPILER_PATH:-emulated}\" >&2; exit 1\n\
        EOF\n\
        mkdir -p \"$2\" && tar -cf \"$2/archive\" python && echo fake >\"$2/detail\"\n";
    w.replace("scripts/source-archive.sh", |_| archive.to_owned());
    let (_, stderr) = w.run(&["wheels", "debian:12", "linux/arm64", "--python", "cp313"], 1);
    let refused = "not accelerated, this interpreter is compiled under emulation: configure failed: \
                   error: not with native programs";
    assert!(stderr.contains(refused), "{stderr}");
    assert!(stderr.contains("source: configure failed: error: emulated"), "{stderr}");
}
