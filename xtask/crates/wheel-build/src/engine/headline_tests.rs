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
    let lines = ["all is well".to_owned()];
    assert_eq!(headline(&lines), None);
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
