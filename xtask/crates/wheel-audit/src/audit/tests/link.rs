//! Symbol resolution.

use super::*;

const LIBRARY: &str = "pkg.libs/libx.so.1";
const INIT: &str = "void *PyInit__pkg(void) { return 0; }";
const NEEDS: [&str; 2] = ["-Wl,-rpath,$ORIGIN/pkg.libs", "libx.so.1"];

/// A module that calls `f` and needs `libx.so.1`, with this library.
fn with_library(flags: &[&str], source: &str) -> Fixture {
    let calls = format!("{INIT} extern int f(void); int g(void) {{ return f(); }}");
    let user = linked(&calls, &[("libx.so.1", "int f(void) { return 1; }")], flags);
    let library = linked(source, &[], &["-Wl,-soname,libx.so.1"]);
    native(user).with(LIBRARY, library)
}

/// Code and severity of the findings about symbols, worst first.
fn check(fixture: &Fixture) -> Vec<(&'static str, Severity)> {
    let findings = audit(fixture, &Expectations::default()).findings;
    let is_own = |code: &str| ("ELF030"..="ELF036").contains(&code) || code == "ELF042";
    let own = findings.iter().filter(|it| is_own(it.code));
    own.map(|finding| (finding.code, finding.severity)).collect()
}

fn calling(symbol: &str, flags: &[&str]) -> Vec<u8> {
    let source = format!("{INIT} extern int {symbol}(void); int g(void) {{ return {symbol}(); }}");
    linked(&source, &[], flags)
}

const NONE: [(&str, Severity); 0] = [];
const UNDEFINED: (&str, Severity) = ("ELF030", Severity::Error);
const RELEASE_WARNING: (&str, Severity) = ("ELF042", Severity::Warning);
const FOREIGN: [(&str, Severity); 1] = [("ELF033", Severity::Error)];
const OF_A_LIBRARY: (&str, Severity) = ("ELF035", Severity::Warning);

#[test]
fn a_module_with_an_undefined_symbol_does_not_load() {
    let fixture = native(calling("nowhere_at_all", &["-Wl,-z,lazy"]));
    assert_eq!(check(&fixture), [UNDEFINED]);
    let audit = audit(&fixture, &Expectations::default());
    assert!(
        audit.systems().iter().all(|cell| !matches!(cell.state, State::Loads | State::Withheld))
    );
    let message = &audit.findings[0].message;
    assert!(message.contains("undefined symbol: nowhere_at_all"), "{message}");
    let name = "pkg-1.0-cp311-cp311-linux_x86_64.whl";
    let bare = Fixture::new(name).with(MODULE, calling("nowhere_at_all", &[]));
    assert_eq!(check(&bare), [UNDEFINED], "no system is promised");
}

#[test]
fn weak_and_hidden_symbols_may_be_missing() {
    let weak = "extern int f(void) __attribute__((weak)); int g(void) { return f ? f() : 0; }";
    assert_eq!(check(&native(linked(&format!("{INIT} {weak}"), &[], &[]))), NONE);
}

#[test]
fn bundled_libraries_define_symbols_for_their_users() {
    assert_eq!(check(&with_library(&NEEDS, "int f(void) { return 1; }")), NONE);
    assert_eq!(check(&with_library(&NEEDS, "int h(void) { return 1; }")), [UNDEFINED]);
    // The names differ only in the lowest bit of their hashes.
    assert_eq!(
        check(&with_library(&NEEDS, "int g2(void) { return 1; } int e(void) { return 1; }")),
        [UNDEFINED]
    );
    let unneeded = with_library(&["-Wl,--as-needed"], "int f(void) { return 1; }");
    assert_eq!(check(&unneeded), [OF_A_LIBRARY]);
    let behind = native(linked(
        &format!("{INIT} extern int f(void); int g(void) {{ return f(); }}"),
        &[("libx.so.1", "")],
        &NEEDS,
    ));
    let middle = linked("", &[("liby.so.1", "")], &["-Wl,-rpath,$ORIGIN", "liby.so.1"]);
    let behind = behind.with(LIBRARY, middle);
    assert_eq!(check(&behind).first().map(|it| it.0), Some("ELF034"), "`liby.so.1` is not there");
    let last = linked("int f(void) { return 1; }", &[], &["-Wl,-soname,liby.so.1"]);
    assert_eq!(check(&behind.with("pkg.libs/liby.so.1", last)), NONE);
}

#[test]
fn the_scope_of_the_loading_file_applies_to_its_libraries() {
    // The library uses `h` of the module that needs it.
    let source = format!("{INIT} int h(void) {{ return 1; }}");
    let module = native(linked(&source, &[("libx.so.1", "")], &NEEDS));
    let source = "extern int h(void); int k(void) { return h(); }";
    let library = || linked(source, &[], &["-Wl,-soname,libx.so.1"]);
    assert_eq!(check(&module.with(LIBRARY, library())), NONE);
    let alone = native(calling("h", &[])).with("pkg.libs/libz9.so", library());
    assert_eq!(check(&alone), [UNDEFINED, OF_A_LIBRARY]);
}

#[test]
fn versions_are_compared_if_the_library_defines_any() {
    let needs = [("f", "V_2", "libx.so.1")];
    let user = || module(&needs, &["-Wl,-rpath,$ORIGIN/pkg.libs"]);
    let with = |version| {
        let library = library("f", version, "libx.so.1");
        check(&native(user()).with(LIBRARY, library))
    };
    assert_eq!(with("V_2"), NONE);
    assert_eq!(with("V_1"), [("ELF031", Severity::Error)]);
    let bare = linked("void f(void) {}", &[], &["-Wl,-soname,libx.so.1"]);
    assert_eq!(check(&native(user()).with(LIBRARY, bare)), NONE);
    let name = "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl";
    let musl = Fixture::new(name).with("_pkg.abi3.so", user());
    assert_eq!(check(&musl.with(LIBRARY, library("f", "V_1", "libx.so.1"))), NONE);
}

/// The file without its `DT_NEEDED` entries, as from `patchelf --remove-needed`.
fn without_needs(mut bytes: Vec<u8>) -> Vec<u8> {
    let elf = goblin::elf::Elf::parse(&bytes).unwrap();
    let dynamic = elf.program_headers.iter().find(|it| it.p_type == 2).unwrap().file_range();
    for at in dynamic.step_by(16) {
        if bytes[at..at + 8] == 1_u64.to_le_bytes() {
            bytes[at..at + 8].copy_from_slice(&0x6000_dead_u64.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn an_unloaded_library_with_version_needs_is_an_error() {
    let of = |needs: &[(&str, &str, &str)]| {
        check(
            &native(without_needs(module(needs, &[])))
                .with(LIBRARY, library("f", "V_2", "libx.so.1")),
        )
    };
    assert_eq!(of(&[("f", "V_2", "libx.so.1")]), [("ELF031", Severity::Error)]);
    // Every process loads the C library.
    assert_eq!(of(&[("malloc", "GLIBC_2.2.5", "libc.so.6")]), NONE);
    assert_eq!(of(&[("log", "GLIBC_2.2.5", "libm.so.6")]), NONE, "the interpreter needs it");
}

#[test]
fn the_file_in_the_search_path_counts() {
    let with = |near: &str, far: &str| {
        let far = linked(far, &[], &["-Wl,-soname,libx.so.1"]);
        check(&with_library(&NEEDS, near).with("other/libx.so.1", far))
    };
    assert_eq!(with("int h;", "int f(void) { return 1; }"), [OF_A_LIBRARY]);
    assert_eq!(with("int f(void) { return 1; }", "int h;"), NONE);
}

#[test]
fn the_systems_library_replaces_an_unreachable_bundled_one() {
    let module = |library: &str, flags: &[&str]| {
        let calls = format!("{INIT} extern int f(void); int g(void) {{ return f(); }}");
        let defines = "int f(void) { return 1; }";
        let user = linked(&calls, &[(library, defines)], &[flags, &[library]].concat());
        let own = linked(defines, &[], &[&format!("-Wl,-soname,{library}")]);
        native(user).with(&format!("pkg.libs/{library}"), own)
    };
    let path = ["-Wl,-rpath,$ORIGIN/pkg.libs"];
    assert_eq!(check(&module("libstdc++.so.6", &[])), [UNDEFINED]);
    assert_eq!(check(&module("libstdc++.so.6", &path)), NONE);
    // The interpreter loads the system's library.
    assert_eq!(check(&module("libm.so.6", &path)), [UNDEFINED]);
    let loads = b"import ctypes\nctypes.CDLL(libs / 'libstdc++.so.6')".to_vec();
    let loaded = module("libstdc++.so.6", &[]).with("pkg/__init__.py", loads);
    assert_eq!(check(&loaded), NONE);
}

#[test]
fn files_for_another_machine_are_no_obstacle() {
    let mut foreign = calling("nowhere_at_all", &[]);
    foreign[18] = 0xb7;
    assert_eq!(check(&wheel(WHEEL).with("pkg.libs/liby.so", foreign)), NONE);
}

#[test]
fn libraries_that_only_the_interpreter_loads_are_reported() {
    let fixture = native(calling("tgamma", &[]));
    assert_eq!(check(&fixture), [("ELF032", Severity::Warning)]);
    let audit = audit(&fixture, &Expectations::default());
    let finding = audit.findings.iter().find(|it| it.code == "ELF032").unwrap();
    assert!(finding.message.contains("`tgamma`") && finding.message.contains("`libm.so.6`"));
    assert_eq!(check(&native(linked("", &[("libm.so.6", "")], &["libm.so.6"]))), NONE);
    // The C library of newer systems exports it.
    assert_eq!(check(&native(calling("dlopen", &[]))), [("ELF032", Severity::Note)]);
    assert_eq!(check(&native(calling("malloc", &[]))), NONE, "no process is without it");
    // Not every interpreter loads the C++ library.
    assert_eq!(check(&native(calling("_ZSt9terminatev", &[]))), [UNDEFINED]);
}

#[test]
fn unversioned_symbols_raise_the_floor() {
    let symbol = "_ZSt28__throw_bad_array_new_lengthv";
    let source = format!("{INIT} extern void {symbol}(void); void g(void) {{ {symbol}(); }}");
    let cxx = linked(&source, &[("libstdc++.so.6", "")], &["libstdc++.so.6"]);
    let at = |minor: u32| {
        let name = format!("pkg-1.0-cp311-cp311-manylinux_2_{minor}_x86_64.whl");
        audit(&Fixture::new(&name).with(MODULE, cxx.clone()), &Expectations::default())
    };
    let codes = |audit: &Audit| -> Vec<_> { audit.findings.iter().map(|it| it.code).collect() };
    assert_eq!(codes(&at(28)), ["ELF003"]);
    let good = at(34);
    assert_eq!(codes(&good), Vec::<&str>::new());
    assert_eq!(good.facts.floor["GLIBCXX"].to_string(), "3.4.29");
    assert_eq!(good.facts.overall_tag, "manylinux_2_34_x86_64");
    let culprit = &good.facts.elf[0].culprits[0];
    assert_eq!(culprit.symbol.as_deref(), Some(symbol));
    assert_eq!(
        (culprit.version.as_str(), culprit.library.as_str()),
        ("GLIBCXX_3.4.29", "libstdc++.so.6")
    );
    let callers = |audit: &Audit| audit.facts.elf[0].culprits[0].callers.clone();
    assert_eq!(callers(&at(28)), ["g"]);
    // The linker records no version if a library of another wheel defines the symbol too.
    let libraries = [("libstdc++.so.6", ""), ("libother.so.7", "")];
    let unknown = linked(&source, &libraries, &["libstdc++.so.6", "libother.so.7"]);
    let unknown = Fixture::new("pkg-1.0-cp311-cp311-linux_x86_64.whl").with(MODULE, unknown);
    let audit = audit(&unknown, &Expectations::default());
    assert!(!audit.facts.floor.contains_key("GLIBCXX"));
}

#[test]
fn symbols_that_the_interpreter_lacks_are_errors() {
    let of = |python: &str, abi: &str, symbol: &str| {
        let name = format!("pkg-1.0-{python}-{abi}-manylinux_2_36_x86_64.whl");
        let number = abi.strip_prefix("cp").unwrap();
        let path = format!("_pkg.cpython-{number}-x86_64-linux-gnu.so");
        check(&Fixture::new(&name).with(&path, calling(symbol, &[])))
    };
    assert_eq!(of("cp312", "cp312", "PyLong_AsInt"), FOREIGN);
    assert_eq!(of("cp313", "cp313", "PyLong_AsInt"), NONE);
    assert_eq!(of("cp314", "cp314", "_Py_MergeZeroLocalRefcount"), FOREIGN);
    assert_eq!(of("cp314", "cp314t", "_Py_MergeZeroLocalRefcount"), NONE);
    let pypy = "pkg-1.0-pp311-pypy311_pp73-manylinux_2_36_x86_64.whl";
    let path = "_pkg.pypy311-pp73-x86_64-linux-gnu.so";
    let module = || calling("pypy_init_embedded_cffi_module", &[]);
    assert_eq!(check(&Fixture::new(pypy).with(path, module())), NONE);
    assert_eq!(check(&native(module())), FOREIGN);
    assert_eq!(of("cp399", "cp399", "PyLong_AsInt"), NONE, "no table speaks of it");
    let plain = Fixture::new("pkg-1.0-cp312-cp312-manylinux_2_36_x86_64.whl");
    assert_eq!(check(&plain.with("_pkg.so", calling("PyLong_AsInt", &[]))), FOREIGN);
    // The ABI rules cover the stable ABIs.
    let stable = Fixture::new("pkg-1.0-cp310-abi3-manylinux_2_36_x86_64.whl");
    assert_eq!(check(&stable.with("_pkg.abi3.so", calling("PyLong_AsInt", &[]))), NONE);
}

#[test]
fn musl_has_other_symbols_than_glibc() {
    let of = |symbol: &str| {
        let source =
            format!("{INIT} extern int {symbol}(void); int g(void) {{ return {symbol}(); }}");
        let libc = "libc.musl-x86_64.so.1";
        let bytes = linked(&source, &[(libc, "")], &[libc]);
        let name = "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl";
        let fixture = Fixture::new(name).with("_pkg.cpython-311-x86_64-linux-musl.so", bytes);
        let audit = audit(&fixture, &Expectations::default());
        let words = audit.findings.first().map(|it| it.message.clone()).unwrap_or_default();
        (check(&fixture), words)
    };
    for symbol in ["__memcpy_chk", "__cxa_thread_atexit_impl"] {
        let (codes, words) = of(symbol);
        assert_eq!(codes, [UNDEFINED], "{symbol}");
        assert!(words.contains(&format!("-musl.so: {symbol}: symbol not found")), "{words}");
    }
    assert_eq!(of("tgamma").0, NONE, "it is one library with the mathematical functions");
    // Alpine 3.13 has musl 1.2.2, and 3.20 is the first with 1.2.5.
    assert_eq!(of("reallocarray").0, NONE);
    let (codes, words) = of("statx");
    assert_eq!(codes, [RELEASE_WARNING], "{words}");
}

#[test]
fn releases_of_libraries_without_symbol_versions_are_compared() {
    let glib = "libglib-2.0.so.0";
    let taking = |symbol: &str| {
        let source =
            format!("{INIT} extern int {symbol}(void); int g(void) {{ return {symbol}(); }}");
        native(linked(&source, &[(glib, "")], &[glib]))
    };
    assert_eq!(check(&taking("g_free")), NONE);
    // Since glib 2.75.3; Debian 12 has 2.74.6.
    let fixture = taking("g_string_free_and_steal");
    assert_eq!(check(&fixture), [("ELF042", Severity::Error)]);
    let audit = audit(&fixture, &Expectations::default());
    let on = |name: &str| {
        let system = crate::policy::distributions().iter().find(|it| it.to_string() == name);
        audit.on(system.unwrap()).state
    };
    let states = ["Debian 12", "Debian 13", "Fedora 43"].map(on);
    assert_eq!(states, [State::Breaks, State::Loads, State::Unknown]);
}

#[test]
fn python_code_that_opens_libraries_counts() {
    let init = |code: &str| code.as_bytes().to_vec();
    let shares = "import ctypes\nctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)";
    let fixture = native(calling("nowhere_at_all", &[])).with("pkg/__init__.py", init(shares));
    assert_eq!(check(&fixture), NONE, "that library may export it");

    let library = linked("extern int f(void); int g(void) { return f(); }", &[], &["-Wl,-z,lazy"]);
    let opened_by = |code: &str| {
        let fixture = wheel(WHEEL).with("pkg/libown.so", library.clone());
        check(&fixture.with("pkg/__init__.py", init(code)))
    };
    assert_eq!(opened_by("import ctypes\nctypes.CDLL(here / 'libown.so')"), [UNDEFINED]);
    assert_eq!(opened_by("import ctypes\nctypes.CDLL('libc.so.6')"), [OF_A_LIBRARY]);
    // It may be opened before the library with the symbols.
    let shares = format!("{shares}\nctypes.CDLL(here / 'libown.so')");
    assert_eq!(opened_by(&shares), [OF_A_LIBRARY]);
}

#[test]
fn symbols_that_newer_systems_lack_are_reported() {
    // glibc 2.35 keeps it only for old programs, which record its version.
    let fixture = native(calling("xdr_quad_t", &[]));
    assert_eq!(check(&fixture), [("ELF036", Severity::Error)]);
    let audit = audit(&fixture, &Expectations::default());
    let on = |name: &str| {
        let system = crate::policy::distributions().iter().find(|it| it.to_string() == name);
        audit.on(system.unwrap()).state
    };
    assert_eq!((on("Debian 12"), on("Debian 11")), (State::Breaks, State::Withheld));
}

#[test]
fn symbols_that_an_unknown_library_may_define_are_no_error() {
    let fixture = with_library(&["-Wl,-rpath,$ORIGIN/pkg.libs", "libx.so.1"], "");
    assert_eq!(check(&fixture), [UNDEFINED]);
    let calls = format!("{INIT} extern int f(void); int g(void) {{ return f(); }}");
    let user = linked(&calls, &[("libother.so.7", "")], &["libother.so.7"]);
    assert_eq!(check(&native(user)), [("ELF034", Severity::Note)]);
}

#[test]
fn programs_bind_functions_lazily() {
    let program = |source: &str, flags: &[&str]| {
        let folder = Folder::new();
        let defines = "int f(void) { return 1; } int d = 1;";
        gcc(&folder, "libx.so.1", defines, &["-Wl,-soname,libx.so.1"]);
        fs_err::write(folder.path().join("run.c"), source).unwrap();
        let own = ["-nostdlib", "-pie", "-fPIE", "run.c", "-o", "run", "libx.so.1"];
        let own = [&own[..], &["-Wl,-rpath,$ORIGIN/../../pkg.libs"], flags].concat();
        let mut command = Command::new("gcc");
        assert!(command.current_dir(folder.path()).args(own).status().unwrap().success());
        let bytes = fs_err::read(folder.path().join("run")).unwrap();
        let other = linked("int other(void) { return 1; }", &[], &["-Wl,-soname,libx.so.1"]);
        check(&wheel(WHEEL).with("pkg/bin/run", bytes).with(LIBRARY, other))
    };
    let calls = "extern int f(void); void _start(void) { f(); }";
    assert_eq!(program(calls, &["-Wl,-z,lazy"]), [OF_A_LIBRARY]);
    assert_eq!(program(calls, &["-Wl,-z,now"]), [UNDEFINED]);
    let points = "extern int f(void); void *_start(void) { return f; }";
    assert_eq!(program(points, &["-Wl,-z,lazy"]), [UNDEFINED]);
}

/// The message of glibc's loader for each file, opened as Python does.
#[test]
fn messages_equal_those_of_the_loader() {
    let folder = Folder::new();
    let open = "#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **a) { void *h = dlopen(a[1], RTLD_NOW); puts(h ? \"\" : dlerror()); return 0; }";
    fs_err::write(folder.path().join("open.c"), open).unwrap();
    let status = Command::new("gcc")
        .current_dir(folder.path())
        .args(["open.c", "-o", "open", "-ldl"])
        .status();
    assert!(status.unwrap().success());
    let printed_by = |fixture: &[(&str, Vec<u8>)]| {
        for (name, bytes) in fixture {
            fs_err::create_dir_all(folder.path().join("pkg.libs")).unwrap();
            fs_err::write(folder.path().join(name), bytes).unwrap();
        }
        let path = folder.path().join(MODULE);
        let output = Command::new(folder.path().join("open")).arg(path).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let words = |fixture: Fixture| {
        let audit = audit(&fixture, &Expectations::default());
        let message = audit.findings[0].message.clone();
        let (_, words) = message.split_once("the loader prints `").unwrap();
        words.trim_end_matches('`').to_owned()
    };
    for flags in ["-Wl,-z,lazy", "-Wl,-z,now"] {
        let undefined = calling("nowhere_at_all", &[flags]);
        let words = words(native(undefined.clone()));
        assert_eq!(words, "undefined symbol: nowhere_at_all");
        let printed = printed_by(&[(MODULE, undefined)]);
        assert!(printed.trim_end().ends_with(&words), "{printed}");
    }
    let user = module(&[("f", "V_2", "libx.so.1")], &["-Wl,-rpath,$ORIGIN/pkg.libs"]);
    let older = library("f", "V_1", "libx.so.1");
    let printed = printed_by(&[(MODULE, user.clone()), (LIBRARY, older.clone())]);
    let words = words(native(user).with(LIBRARY, older));
    assert!(words.contains("version `V_2' not found"), "{words}");
    assert!(printed.contains("version `V_2' not found"), "{printed}");
    assert_eq!(printed_by(&[(MODULE, calling("malloc", &[]))]).trim_end(), "");
}
