#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

/// The excerpt of `error` in uv's report of a failed build: indented, with other lines before and after.
fn of(error: &str) -> Vec<String> {
    let mut lines = vec![
        "  × Failed to build `demo @ file:///source`".to_owned(),
        "  ├─▶ The build backend returned an error".to_owned(),
        "  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)".to_owned(),
        "      [stdout]".to_owned(),
    ];
    lines.extend((0..200).map(|number| format!("      copying a/{number}.py -> build/a")));
    lines.push("      [stderr]".to_owned());
    lines.extend(error.lines().map(|line| format!("      {line}")));
    lines.push(String::new());
    lines.extend((0..100).map(|number| format!("      gcc -c other{number}.c")));
    lines.push("      error: command '/usr/bin/gcc' failed with exit code 1".to_owned());
    lines.push("      hint: This usually indicates a problem with the package.".to_owned());
    excerpt(&lines)
}

/// Asserts that the excerpt of each error is the whole error.
fn whole(error: &str) {
    assert_eq!(of(error).join("\n").trim_end(), error.trim_end());
}

#[test]
fn errors_of_compilers_are_shown() {
    whole(
        "src/demo.c:3:10: fatal error: nope.h: No such file or directory\n\
         \x20   3 | #include <nope.h>\n\
         \x20     |          ^~~~~~~~",
    );
    whole(
        "In file included from src/a.hpp:1,\n\
         \x20                from src/a.cpp:2:\n\
         src/b.hpp: In function 'int f()':\n\
         src/b.hpp:7:12: error: 'x' was not declared in this scope\n\
         \x20   7 |     return x;\n\
         \x20     |            ^",
    );
    whole("src/a.c:1:5: error: use of undeclared identifier 'y'\n    return y;\n           ^");
}

#[test]
fn an_error_in_a_template_shows_where_the_package_uses_it() {
    whole(
        "/usr/include/c++/12/bits/stl_algo.h: In instantiation of 'void std::__sort(_Iter, _Iter)':\n\
         /usr/include/c++/12/bits/stl_algo.h:4820:18:   required from 'void std::sort(_Iter, _Iter)'\n\
         src/a.cpp:7:93:   required from here\n\
         /usr/include/c++/12/bits/stl_algo.h:1938:50: error: no match for 'operator-'\n\
         \x201938 |                                 std::__lg(__last - __first) * 2,\n\
         \x20     |                                           ~~~~~~~^~~~~~~~~",
    );
    let deep = "a.h:3:1:   recursively required from 'f<1>()'\n\
                a.h:3:1:   [ skipping 7 instantiation contexts, use -ftemplate-backtrace-limit=0 to disable ]\n\
                a.h:3:1:   required from 'f<9>()'\na.cpp:4:2:   required from here\na.h:1:1: error: x";
    whole(deep);
}

#[test]
fn a_missing_program_is_named() {
    for line in [
        "error: command 'swig' failed: No such file or directory",
        "error: Command '['swig', '-python']' died with <Signals.SIGKILL: 9>.",
        "/bin/sh: 1: swig: not found",
        "make[1]: swig: No such file or directory",
    ] {
        let mut log = vec![line.to_owned()];
        log.extend((0..100).map(|number| format!("removing build/{number}")));
        log.push("error: Failed to build `/build/cp311`".to_owned());
        assert_eq!(excerpt(&log), [line]);
    }
}

#[test]
fn rustcs_error_is_shown_and_not_its_summary() {
    let error = "error[E0425]: cannot find value `x` in this scope\n\
                 \x20--> src/lib.rs:2:5\n\
                 \x20 |\n\
                 2 |     x\n\
                 \x20 |     ^ not found in this scope";
    whole(error);
    let log: Vec<String> = format!("Compiling demo\n{error}\n\nerror: could not compile `demo`")
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(excerpt(&log).join("\n"), error);
}

#[test]
fn the_reason_of_a_failed_build_script_is_shown() {
    let script = "error: failed to run custom build command for `openssl-sys v0.9.1`\n\n\
                  Caused by:\n\
                  \x20 process didn't exit successfully: `/build/build-script-build` (exit status: 101)\n";
    let printed = "  cargo:rerun-if-changed=x\n".repeat(50);
    let panic = "  thread 'main' (80) panicked at build.rs:1:90:\n\
                 \x20 Could not find directory of OpenSSL installation";
    let lines = |log: &str| log.lines().map(str::to_owned).collect::<Vec<_>>();
    let log =
        format!("{script}  --- stdout\n{printed}\n  --- stderr\n\n{panic}\n  note: x\nfailed");
    assert_eq!(excerpt(&lines(&log)).join("\n"), format!("{script}{panic}"));
    let manifest = "error: failed to parse manifest at `/build/Cargo.toml`\n\n\
                    Caused by:\n\
                    \x20 no targets specified in the manifest";
    assert_eq!(excerpt(&lines(&format!("{manifest}\nfailed"))).join("\n"), manifest);
}

#[test]
fn errors_of_build_systems_are_shown() {
    whole(
        "CMake Error at CMakeLists.txt:3 (find_package):\n\
         \x20 By not providing \"FindFoo.cmake\" in CMAKE_MODULE_PATH this project has\n\n\
         \x20 Could not find a package configuration file provided by \"Foo\".\n\
         Call Stack (most recent call first):\n\
         \x20 CMakeLists.txt:3 (find_package)",
    );
    whole("a.c: Assembler messages:\na.c:1: Error: no such instruction: `frobnicate %rax'");
    whole("make: *** No rule to make target 'foo.o', needed by 'libfoo.a'.  Stop.");
    whole(
        "../meson.build:5:9: ERROR: Dependency \"openblas\" not found, tried pkgconfig and cmake",
    );
}

#[test]
fn errors_of_linkers_and_loaders_are_shown() {
    whole("/usr/bin/ld: cannot find -lfoo: No such file or directory");
    whole("/usr/bin/ld: a.o: in function `f':\na.c:(.text+0x5): undefined reference to `g'");
    whole("gen: error while loading shared libraries: libz.so.9: cannot open shared object file");
    whole("g++: fatal error: Killed signal terminated program cc1plus");
    whole("a.c:1:1: internal compiler error: Segmentation fault");
}

#[test]
fn an_exception_is_shown_unless_a_compiler_reports_more() {
    let cause = "Traceback (most recent call last):\n\
                 \x20 File \"setup.py\", line 3, in <module>\n\
                 \x20   import numpy\n\
                 ModuleNotFoundError: No module named 'numpy'";
    whole(cause);
    let report = "Traceback (most recent call last):\n\
                  \x20 File \"run.py\", line 9, in run\n\
                  subprocess.CalledProcessError: Command 'ninja' returned non-zero";
    assert_eq!(of(&format!("{cause}\n\n{report}")).join("\n"), cause);
    let compiler = "a.c:1:1: error: expected ';'";
    assert_eq!(of(&format!("{report}\n\n{compiler}")).join("\n"), compiler);
}

/// The output of setuptools if it continues without an optional extension.
const SURVIVED: &str = "bad.c:2:35: error: expected ';' before '}' token\n\
     \x20   2 | static int broken(void) { return 1 }\n\
     warning: build_ext: building extension \"demo._bad\" failed: command '/usr/bin/gcc' failed\n\
     \n\
     building 'demo._good' extension";

#[test]
fn a_failure_that_did_not_stop_the_build_is_not_a_cause() {
    let exception = "Traceback (most recent call last):\n\
                     \x20 File \"<string>\", line 6, in run\n\
                     ModuleNotFoundError: No module named 'nosuchmodule'";
    assert_eq!(of(&format!("{SURVIVED}\n{exception}")).join("\n"), exception);
    let compiler = "a.c:1:1: error: expected ';'";
    assert_eq!(of(&format!("{SURVIVED}\n{compiler}")).join("\n"), compiler);
}

#[test]
fn the_last_error_and_a_different_earlier_one_are_shown() {
    let cascade = (0..40).map(|at| format!("a.c:{at}:1: error: x\na.c:{at}:1: warning: y"));
    let cascade = cascade.collect::<Vec<_>>().join("\n");
    let first = of(&cascade);
    assert_eq!((first.len(), &*first[0]), (MAX_LINES, "a.c:0:1: error: x"));
    let exception = "Traceback (most recent call last):\n  File \"x\"\nValueError: z";
    let both = of(&format!("{cascade}\ngcc -c b.c\n{exception}"));
    assert_eq!((both.len(), &*both[0]), (MAX_LINES / 2 + 3, "a.c:0:1: error: x"));
    assert!(both.join("\n").ends_with(exception), "{both:#?}");
}

#[test]
fn the_interpreter_prefix_of_a_line_is_removed() {
    for (line, expected) in [
        ("[cp311] a", "a"),
        ("[cp314t]  a", " a"),
        ("[pp311]", ""),
        ("[cpx] a", "[cpx] a"),
        ("[cp] a", "[cp] a"),
        ("[ 33%] a", "[ 33%] a"),
    ] {
        assert_eq!(untagged(line), expected);
    }
    let log = "Building wheel...\n\
        Traceback (most recent call last):\n\
        \x20 File \"<string>\", line 1, in <module>\n\
        ModuleNotFoundError: No module named 'nosuchmodule'\n\
        error: Failed to build `/build/cp311`\n\
        \x20 cause: The build backend returned an error\n\
        \x20 cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)\n\
        \n\
        hint: Build failures usually indicate a problem with the package\n\
        error: recipe `build` failed on line 11 with exit code 2";
    let mut lines: Vec<_> = log.lines().map(|line| format!("[cp311] {line}")).collect();
    lines.push("error: no wheel was built for: cp311".to_owned());
    lines.push("error: recipe `build-all` failed on line 7 with exit code 1".to_owned());
    let expected: Vec<_> = log.lines().skip(1).take(3).collect();
    assert_eq!(excerpt(&lines), expected);
}

/// Each line with a hint in `failure.rs`, between less important lines.
#[test]
fn lines_with_a_hint_are_shown() {
    let report = "Traceback (most recent call last):\n\
                  \x20 File \"run.py\", line 9, in run\n\
                  subprocess.CalledProcessError: Command 'cargo' returned non-zero";
    for line in [
        "process didn't exit successfully: `rustc` (signal: 9, SIGKILL: kill)",
        "Killed",
        "cp: error writing 'x': No space left on device",
        "qemu: uncaught target signal 4 (Illegal instruction) - core dumped",
        "error: the compiler unexpectedly panicked. this is a bug.",
    ] {
        let shown = of(&format!("{line}\n\n{report}"));
        assert!(shown.iter().any(|it| it.trim() == line), "{line}: {shown:#?}");
    }
    whole(
        "Traceback (most recent call last):\n\
         \x20 File \"run.py\", line 9, in run\n\
         subprocess.CalledProcessError: Command 'cc' died with <Signals.SIGKILL: 9>.",
    );
    whole(
        "Traceback (most recent call last):\n\
         \x20 File \"run.py\", line 9, in run\n\
         OSError: [Errno 28] No space left on device",
    );
}

/// One line for each recogniser in each list, so that none can be removed.
#[test]
fn each_recogniser_is_needed() {
    let errors = [
        "a.c:1:1: error: x",
        "a.s:1: Error: no such instruction: `x'",
        "a.c:1:1: fatal error: x.h: No such file",
        "a.c:1:1: internal compiler error: in f",
        "../meson.build:5:9: ERROR: Dependency not found",
        "a.c:(.text+0x5): undefined reference to `g'",
        "ld: b.o:(.data+0x0): multiple definition of `x'; a.o: first defined here",
        "/usr/bin/ld: cannot find -lfoo",
        "mold: fatal: library not found: foo",
        "   error: linking with `cc` failed: exit status: 1",
        "gen: error while loading shared libraries: libz.so.9: cannot open",
        "python: symbol lookup error: a.so: undefined symbol: f",
        "Error loading shared library libz.so.1: No such file (needed by gen)",
        "Error relocating gen: f: symbol not found",
        "Error compiling Cython file:",
        "make: *** No rule to make target 'a.o', needed by 'a.so'.  Stop.",
        "build.sh: line 3: swig: command not found",
        "thread 'main' panicked at build.rs:1:9:",
        "error occurred in cc-rs: command did not execute successfully",
        "process didn't exit successfully: `rustc` (signal: 9, SIGKILL: kill)",
        "cp: cannot write: No space left on device",
        "write x: no space left on device",
        "qemu: uncaught target signal 4 (Illegal instruction) - core dumped",
        "curl: (60) SSL: certificate verify failed",
        "note: the compiler unexpectedly panicked",
        "E: Unable to locate package libx-dev",
        "No match for argument: libx-devel",
        "  libx-dev (no such package):",
    ];
    assert_eq!(errors.len(), ERRORS.len());
    for (line, words) in errors.into_iter().zip(ERRORS) {
        let by: Vec<_> = ERRORS.iter().filter(|words| line.contains(**words)).collect();
        assert_eq!(by, [&words], "{line}");
        whole(line.trim_start());
    }
    for line in ["error[E0425]: x", "error: x", "CMake Error at a:1:", "CMake Error: x", "Killed"] {
        assert!(is_error(line) && !ERRORS.iter().any(|words| line.contains(words)), "{line}");
    }
    let consequences = [
        "collect2: error: ld returned 1 exit status",
        "clang: error: linker command failed with exit code 1",
        "error: command '/usr/bin/gcc' failed with exit code 1",
        "error: Command '['gcc', '-O2']' returned non-zero exit status 1.",
        "error: Failed to build `/build/cp311`",
        "error: recipe `build` failed on line 11 with exit code 2",
        "error: no wheel was built for: cp311",
        "  cause: The build backend returned an error",
        "  cause: Call to `x` failed: error: y",
        "error: subprocess-exited-with-error",
        "error: could not compile `demo` (lib) due to 1 previous error",
        "error: aborting due to 1 previous error",
        "error: metadata-generation-failed",
    ];
    assert_eq!(consequences.len(), CONSEQUENCES.len());
    for (line, words) in consequences.into_iter().zip(CONSEQUENCES) {
        let by: Vec<_> = CONSEQUENCES.iter().filter(|words| line.contains(**words)).collect();
        assert_eq!(by, [&words], "{line}");
        let log = ["a.c:1:1: error: x", "gcc -c b.c", line, ""].map(str::to_owned);
        assert_eq!(excerpt(&log), ["a.c:1:1: error: x"], "{line}");
    }
}

/// Reports of several tools that a compiler failed. None of them hides the cause.
#[test]
fn a_traceback_that_reports_a_failure_is_not_a_cause() {
    let compiler = "a.c:1:1: error: x";
    for exception in [
        "subprocess.CalledProcessError: Command 'ninja' returned non-zero exit status 1.",
        "distutils.errors.CompileError: command 'gcc' failed with exit code 1",
        "setuptools._distutils.errors.LinkError: command 'gcc' failed with exit code 1",
        "distutils.errors.DistutilsExecError: command 'gcc' failed with exit code 1",
    ] {
        let report = format!("Traceback (most recent call last):\n  File \"x\"\n{exception}");
        assert_eq!(of(&format!("{compiler}\ngcc -c b.c\n{report}")), [compiler], "{exception}");
        // The program printed the reason before.
        let shown = of(&format!("ninja: a\n{report}")).join("\n");
        assert!(shown.ends_with(&format!("ninja: a\n{report}")), "{shown}");
    }
}

#[test]
fn a_summary_is_shown_with_the_lines_it_summarises() {
    let log = [
        "WARNING: Retrying after connection broken by 'ReadTimeoutError': Read timed out.",
        "ERROR: No matching distribution found for demo==1.0",
        "error: demo==1.0 was not fetched",
    ];
    assert_eq!(excerpt(&log.map(str::to_owned)), log);
}

#[test]
fn output_without_a_known_error_is_cut_to_its_last_lines() {
    let mut lines: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
    lines.push("hint: Build failures usually indicate a problem with the package".to_owned());
    let shown = excerpt(&lines);
    assert_eq!((shown.len(), shown.last().unwrap().as_str()), (LAST_LINES, "line 99"));
    assert_eq!(excerpt(&[]), Vec::<String>::new());
}

proptest! {
    #[test]
    fn arbitrary_output_does_not_panic(
        lines in proptest::collection::vec("[ é|]{0,3}(Traceback .most recent call last.:|a: error: b|CMake Error: |.{0,9})", 0..60)
    ) {
        prop_assert!(excerpt(&lines).len() <= LAST_LINES);
    }
}

#[test]
fn the_time_for_many_errors_grows_with_their_number_alone() {
    let traceback = "Traceback (most recent call last):\nValueError: a\n\nx.c:1: error: b\n";
    for (text, count) in [
        ("+ Exception Group Traceback (most recent call last):\n", 8_000),
        ("x.c: In function f: error: b\n", 8_000),
        (traceback, 20_000),
    ] {
        let lines: Vec<String> = text.repeat(count).lines().map(str::to_owned).collect();
        let start = std::time::Instant::now();
        assert!(excerpt(&lines).len() <= LAST_LINES);
        assert!(start.elapsed().as_secs() < 3, "{text}: {:?}", start.elapsed());
    }
}
