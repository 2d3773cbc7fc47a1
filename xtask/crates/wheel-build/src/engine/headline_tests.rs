//! Logs of real tools: gcc 12, binutils 2.40, rustc, `CMake` 4.4, meson 1.12, Python 3.11, pytest 9.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::engine::excerpt::excerpt;

fn of(log: &str) -> String {
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    let shown = excerpt(&lines);
    let found = headline(&shown).unwrap();
    assert!(found.at < shown.len());
    found.text
}

#[test]
fn errors_of_compilers_and_linkers_are_the_headline() {
    let log = "gcc -c err.c\n\
        err.c: In function ‘f’:\n\
        err.c:2:29: error: expected expression before ‘;’ token\n\
        \x20   2 | int f(void) { int x = \"a\" + ; return y; }\n\
        \x20     |                             ^\n\
        err.c:2:38: error: ‘y’ undeclared (first use in this function)\n\
        \x20   2 | int f(void) { int x = \"a\" + ; return y; }\n\
        \x20     |                                      ^\n\
        error: command '/usr/bin/gcc' failed with exit code 1\n";
    assert_eq!(of(log), "err.c:2:29: error: expected expression before ‘;’ token");
    let log = "inc.c:1:10: fatal error: libfoo/foo.h: No such file or directory\n\
        \x20   1 | #include \"libfoo/foo.h\"\n\
        \x20     |          ^~~~~~~~~~~~~~\n\
        compilation terminated.\n";
    assert_eq!(of(log), "inc.c:1:10: fatal error: libfoo/foo.h: No such file or directory");
    let log = "/usr/bin/ld: ld.o: in function `main':\n\
        ld.c:(.text+0x5): undefined reference to `g'\n\
        collect2: error: ld returned 1 exit status\n";
    assert_eq!(of(log), "ld.c:(.text+0x5): undefined reference to `g'");
    let log = "/usr/bin/ld: cannot find -lnosuch: No such file or directory\n\
        collect2: error: ld returned 1 exit status\n";
    assert_eq!(of(log), "/usr/bin/ld: cannot find -lnosuch: No such file or directory");
    let log = "error[E0425]: cannot find value `y` in this scope\n\
        \x20--> src/lib.rs:1:46\n\
        \x20 |\n\
        1 | fn main() { println!(\"{}\", y); }\n\
        \x20 |                            ^\n\
        \n\
        error: aborting due to 1 previous error\n";
    assert_eq!(of(log), "src/lib.rs:1:46: error[E0425]: cannot find value `y` in this scope");
}

#[test]
fn errors_of_build_systems_are_the_headline() {
    let log = "-- The C compiler identification is GNU 12.2.0\n\
        CMake Error at CMakeLists.txt:3 (find_package):\n\
        \x20 By not providing \"FindFoo.cmake\" in CMAKE_MODULE_PATH this project has\n\
        \x20 asked CMake to find a package configuration file provided by \"Foo\", but\n\
        \x20 CMake did not find one.\n\
        \n\
        \x20 Could not find a package configuration file provided by \"Foo\" with any of\n\
        \x20 the following names:\n\
        \n\
        \n\
        -- Configuring incomplete, errors occurred!\n";
    let text = of(log);
    assert!(text.starts_with("CMakeLists.txt:3 (find_package): By not "), "{text}");
    assert!(text.ends_with("CMake did not find one."), "{text}");
    let log = "Run-time dependency nosuchthing found: NO  (tried pkg-config and cmake)\n\
        \n\
        meson.build:2:0: ERROR: Dependency \"nosuchthing\" not found (tried pkg-config and cmake)\n\
        \n\
        A full log can be found at /build/meson-logs/meson-log.txt\n";
    assert!(of(log).starts_with("meson.build:2:0: ERROR: Dependency \"nosuchthing\""));
}

#[test]
fn errors_of_python_and_its_tests_are_the_headline() {
    let log = "running bdist_wheel\n\
        Traceback (most recent call last):\n\
        \x20 File \"/source/setup.py\", line 4, in <module>\n\
        \x20   setup(name=\"demo\", version=version())\n\
        \x20                              ^^^^^^^^^\n\
        \x20 File \"/source/setup.py\", line 2, in version\n\
        \x20   raise ValueError(\"no version in PKG-INFO\")\n\
        ValueError: no version in PKG-INFO\n";
    assert_eq!(of(log), "/source/setup.py:2: ValueError: no version in PKG-INFO");
    let log = "Traceback (most recent call last):\n\
        \x20 File \"/opt/site-packages/setuptools/build_meta.py\", line 317, in run_setup\n\
        \x20   exec(code, locals())\n\
        \x20 File \"<string>\", line 4, in version\n\
        ValueError: no version\n";
    assert_eq!(of(log), "setup.py:4: ValueError: no version");
    let log = "test_a.py .F                                       [100%]\n\
        \n\
        =================== FAILURES ===================\n\
        >       assert 1 + 1 == 3\n\
        E       assert (1 + 1) == 3\n\
        \n\
        test_a.py:4: AssertionError\n\
        =========== short test summary info ===========\n\
        FAILED test_a.py::test_sum - assert (1 + 1) == 3\n\
        ========= 1 failed, 1 passed in 0.07s ==========\n";
    assert_eq!(of(log), "FAILED test_a.py::test_sum - assert (1 + 1) == 3");
}

#[test]
fn a_traceback_longer_than_the_excerpt_has_a_headline() {
    let calls = |number| {
        format!("  File \"/lib/setuptools/build_meta.py\", line {number}, in run\n    run()\n")
    };
    let calls: String = (0..40).map(calls).collect();
    let log = format!(
        "Traceback (most recent call last):\n{calls}  File \"<string>\", line 7, in run\n\
        ModuleNotFoundError: No module named 'x'\n"
    );
    assert_eq!(of(&log), "setup.py:7: ModuleNotFoundError: No module named 'x'");
    let log = format!("a.c:1:2: error: b\n\n{log}");
    assert_eq!(of(&log), "a.c:1:2: error: b");
}

#[test]
fn output_between_the_frames_is_not_the_exception() {
    let log = "Traceback (most recent call last):\n\
        \x20 File \"/source/setup.py\", line 4, in <module>\n\
        copying a.py -> build/lib\n\
        \x20   main()\n\
        \x20 File \"/source/setup.py\", line 2, in main\n\
        package.BuildError: no version\n";
    assert_eq!(of(log), "/source/setup.py:2: package.BuildError: no version");
    let odd = log.replace("package.BuildError: ", "");
    assert_eq!(of(&odd), "/source/setup.py:2: copying a.py -> build/lib");
}

#[test]
fn the_interpreter_in_a_path_does_not_change_the_error() {
    let path = |version: &str| format!("build/temp.linux-x86_64-cpython-{version}/a.o: x");
    assert_eq!(without_interpreter(&path("311")), without_interpreter(&path("313")));
    assert_ne!(without_interpreter("a.c:3: x"), without_interpreter("a.c:4: x"));
}

#[test]
fn a_quoted_error_is_no_error() {
    let log = "a.c:1:2: warning: #warning \"x: error: y\" [-Wcpp]\n\
        \x20   1 | #warning \"x: error: y\"\n\
        \x20     |  ^~~~~~~\n\
        a.c:1:2: note: in file: fatal error: z\n\
        0 errors, 2 warnings\n\
        b.c:3:4: error: unknown type name 'w'\n\
        make: *** [Makefile:2: b.o] Error 1\n";
    assert_eq!(of(log), "b.c:3:4: error: unknown type name 'w'");
    let cc_rs = "warning: demo@0.1.0: a.c:3:4: error: unknown type name 'w'\n";
    assert_eq!(of(cc_rs), cc_rs.trim());
}

#[test]
fn the_output_of_a_test_is_no_error() {
    let lines = |log: &str| log.lines().map(str::to_owned).collect::<Vec<_>>();
    let pytest = "----- Captured stderr call -----\n\
        prog: error: unrecognized arguments: -x\n\
        ERROR tests/test_b.py - ModuleNotFoundError: No module named 'b'\n\
        FAILED tests/test_a.py::test_sum - assert 1 == 2\n";
    let found = headline(&lines(pytest)).unwrap();
    assert_eq!((found.at, found.text.split(' ').nth(1)), (2, Some("tests/test_b.py")));
    let unittest = "FAIL: test_sum (test_a.T.test_sum)\n\
        ------\n\
        Traceback (most recent call last):\n\
        \x20 File \"/source/test_a.py\", line 4, in test_sum\n\
        \x20   self.assertEqual(1, 2)\n\
        AssertionError: 1 != 2\n\
        \n\
        FAILED (failures=1)\n";
    let found = headline(&lines(unittest)).unwrap();
    assert_eq!(found.text, "/source/test_a.py:4: AssertionError: 1 != 2");
}

/// Shortened output of failed builds of packages with one defect each.
const BUILDS: [(&str, &str); 20] = [
    (
        "[2/2] Linking\nFAILED: [code=3] x.c\npython3 gen.py\ngen: bad table\nninja: build stopped: subcommand failed.\nerror: Failed to build `/a`",
        "last line: gen: bad table",
    ),
    (
        "Building wheel...\nERROR: libxml2 is required\nerror: Failed to build `/a`\n  cause: The build backend returned an error",
        "last line: ERROR: libxml2 is required",
    ),
    (
        "error: Failed to build `/a`\n  cause: Invalid `pyproject.toml`\n  cause: TOML parse error at line 1, column 14\n         unclosed table, expected `]`",
        "last line: unclosed table, expected `]`",
    ),
    (
        "\u{1f4a5} maturin failed\n  Caused by: Couldn't detect the binding type\nError: command ['maturin'] returned non-zero exit status 1",
        "last line: Caused by: Couldn't detect the binding type",
    ),
    (
        "CMake Error at CMakeLists.txt:3 (add_executable):\n  Cannot find source file:\n\n    a.c\n\n  Tried extensions .c\n",
        "CMakeLists.txt:3 (add_executable): Cannot find source file: a.c",
    ),
    (
        "error: rustc 1.80.0 is not supported by the following package:\n  demo@0.1.0 requires rustc 1.99",
        "error: rustc 1.80.0 is not supported by the following package: demo@0.1.0 requires rustc 1.99",
    ),
    (
        "error: failed to run custom build command for `demo`\nnote: To improve\n\nCaused by:\n  process didn't exit successfully: `x` (exit status: 101)\n  --- stderr\n\n  thread 'main' (4885) panicked at build.rs:1:12:\n  libfoo not found\n  stack backtrace:\n",
        "build.rs:1:12: libfoo not found",
    ),
    (
        "error: failed to run custom build command for `demo`\n\nCaused by:\n  process didn't exit successfully: `x` (exit status: 1)\n",
        "error: failed to run custom build command for `demo`",
    ),
    (
        "error: failed to get `a` as a dependency of `b`\n\nCaused by:\n  failed to read `/a/Cargo.toml`\n\nCaused by:\n  No such file or directory (os error 2)\n",
        "error: failed to get `a` as a dependency of `b`: No such file or directory (os error 2)",
    ),
    (
        "error: linking with `cc` failed: exit status: 1\n  |\n  = note:  \"cc\" \"-lnosuch\"\n  = note: rust-lld: error: unable to find library -lnosuch\n          collect2: error: ld returned 1 exit status\n\nerror: could not compile `demo` (lib)",
        "rust-lld: error: unable to find library -lnosuch",
    ),
    (
        "error: linking with `cc` failed: exit status: 1\n",
        "error: linking with `cc` failed: exit status: 1",
    ),
    (
        "Error compiling Cython file:\n------------------------------------------------------------\n...\ncdef int f():\n    return nosuch\n           ^\n------------------------------------------------------------\na.pyx:2:11: undeclared name not builtin: nosuch\nTraceback (most recent call last):\n  File \"/lib/python3.11/site-packages/Cython/Build/Dependencies.py\", line 2, in f\nCython.Compiler.Errors.CompileError: a.pyx",
        "a.pyx:2:11: undeclared name not builtin: nosuch",
    ),
    (
        "fatal: not a git repository\n<uv><setup>  File \"/lib/python3.11/subprocess.py\", line 571, in run\nsubprocess.CalledProcessError: Command '['git', 'describe']' returned non-zero exit status 128.\nerror: Failed to build `/a`",
        "fatal: not a git repository; setup.py:3: subprocess.CalledProcessError: Command '['git', 'describe']' returned non-zero exit status 128.",
    ),
    (
        "Building wheel...\n<uv><setup>  File \"/lib/python3.11/subprocess.py\", line 571, in run\nsubprocess.CalledProcessError: Command '['a']' returned non-zero exit status 1.",
        "setup.py:3: subprocess.CalledProcessError: Command '['a']' returned non-zero exit status 1.",
    ),
    (
        "Traceback (most recent call last):\n  File \"/source/gen.py\", line 2, in <module>\nValueError: bad table\n<uv><setup>  File \"/lib/python3.11/subprocess.py\", line 413, in check_call\nsubprocess.CalledProcessError: Command '['python', 'gen.py']' returned non-zero exit status 1.",
        "/source/gen.py:2: ValueError: bad table",
    ),
    (
        "<uv><setup>  File \"/lib/python3.11/subprocess.py\", line 1950, in _execute_child\nFileNotFoundError: [Errno 2] No such file or directory: 'swig'",
        "setup.py:3: FileNotFoundError: [Errno 2] No such file or directory: 'swig'",
    ),
    (
        "<uv><setup>RuntimeError: \n\nCannot find OpenSSL.\n",
        "setup.py:3: RuntimeError: Cannot find OpenSSL.",
    ),
    (
        "<uv><setup>  File \"/lib/python3.11/site-packages/setuptools/dist.py\", line 430, in f\nsetuptools.errors.InvalidConfigError: Classifiers are superseded. Please remove:\n\nLicense :: OSI Approved\n",
        "setup.py:3: setuptools.errors.InvalidConfigError: Classifiers are superseded. Please remove: License :: OSI Approved",
    ),
    (
        "<uv>  File \"<frozen importlib._bootstrap>\", line 1140, in _find_and_load\nModuleNotFoundError: No module named 'nosuch'",
        "ModuleNotFoundError: No module named 'nosuch'",
    ),
    (
        "<uv>  File \"/lib/python3.11/site-packages/flit_core/common.py\", line 60, in f\nValueError: No file/folder found for module demo",
        "/lib/python3.11/site-packages/flit_core/common.py:60: ValueError: No file/folder found for module demo",
    ),
];

#[test]
fn the_cause_of_a_failed_build_is_the_headline_and_not_its_wrapper() {
    for (log, expected) in BUILDS {
        let uv = "Traceback (most recent call last):\n  File \"<string>\", line 11, in <module>\n";
        let setup = "  File \"/lib/python3.11/site-packages/setuptools/build_meta.py\", line 317, in run_setup\n  File \"<string>\", line 3, in <module>\n";
        assert_eq!(of(&log.replace("<uv>", uv).replace("<setup>", setup)), expected);
    }
}

#[test]
fn the_first_innermost_exception_of_a_group_is_the_headline() {
    let group = "  + Exception Group Traceback (most recent call last):\n\
        \x20 |   File \"<string>\", line 11, in <module>\n\
        \x20 |   File \"/lib/site-packages/setuptools/build_meta.py\", line 317, in run_setup\n\
        \x20 |   File \"<string>\", line 10, in <module>\n\
        \x20 | ExceptionGroup: outer (2 sub-exceptions)\n";
    let inner = "  +-+---------------- 1 ----------------\n\
        \x20   | Exception Group Traceback (most recent call last):\n\
        \x20   |   File \"<string>\", line 8, in grp\n\
        \x20   | ExceptionGroup: inner (2 sub-exceptions)\n\
        \x20   +-+---------------- 1 ----------------\n\
        \x20     | Traceback (most recent call last):\n\
        \x20     |   File \"<string>\", line 1, in a\n\
        \x20     |     def a(): raise KeyError(\"libdir\")\n\
        \x20     |              ^^^^^^^^^^^^^^^^^^^^^^^^\n\
        \x20     | KeyError: 'libdir'\n\
        \x20     +---------------- 2 ----------------\n\
        \x20     | OSError: gone\n\
        \x20     +------------------------------------\n\
        \x20   +---------------- 2 ----------------\n\
        \x20   | OSError: gone\n\
        \x20   +------------------------------------\n";
    let nested = format!("{group}{inner}error: Failed to build `/a`");
    assert_eq!(of(&nested), "setup.py:1: KeyError: 'libdir'");
    let plain = format!(
        "{group}  +-+---------------- 1 ----------------\n    | ValueError: a\n    +------------------------------------\n"
    );
    assert_eq!(of(&plain), "setup.py:10: ValueError: a");
    let chained = plain.replace(
        "    | ValueError: a\n",
        "    | Traceback (most recent call last):\n    |   File \"<string>\", line 4, in f\n    | KeyError: 'a'\n    | \n    | During handling of the above exception, another exception occurred:\n    | \n    | Traceback (most recent call last):\n    |   File \"<string>\", line 5, in f\n    | TypeError: b\nc\n",
    );
    assert_eq!(of(&chained), "setup.py:5: TypeError: b");
    // The margin of uv's report.
    let indented = format!("      {}", nested.replace('\n', "\n      "));
    assert_eq!(of(&indented), "setup.py:1: KeyError: 'libdir'");
}

#[test]
fn the_last_line_of_unknown_output_is_no_error() {
    let lines = ["all is well".to_owned(), "make: *** [Makefile:2: a] Error 1".to_owned()];
    let found = headline(&lines).unwrap();
    assert_eq!((found.at, found.is_error), (0, false));
    assert_eq!(headline(&[]), None);
}

#[test]
fn the_advice_of_build_is_not_the_headline() {
    let log = "* Building wheel...\nsetup.py: set FOO_HOME first\n\n\
        TIP pass --env-dir and --sdist-extract-dir to keep the build environment and sources\n\
        ERROR Backend subprocess exited when trying to invoke build_wheel\n";
    assert_eq!(of(log), "last line: setup.py: set FOO_HOME first");
}
