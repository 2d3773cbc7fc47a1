//! The matrix of wheels and distributions.

#![expect(clippy::panic, reason = "a test may stop at once")]

use super::*;
use crate::policy::distributions;

fn on(audit: &Audit, system: &str) -> Cell {
    let named = distributions().iter().find(|each| each.to_string() == system);
    audit.on(named.unwrap_or_else(|| panic!("{system} is in the table")))
}

fn tagged(platform: &str, module: Vec<u8>) -> Audit {
    let name = format!("pkg-1.0-cp311-cp311-{platform}.whl");
    audit(&Fixture::new(&name).with(MODULE, module), &Expectations::default())
}

#[track_caller]
fn assert_cell(audit: &Audit, system: &str, state: State, words: &[&str]) {
    let cell = on(audit, system);
    assert_eq!(cell.state, state, "{system}: {}", cell.reason);
    for word in words {
        assert!(cell.reason.contains(word), "{system}: {}", cell.reason);
    }
}

const ALPINE: &str = "Alpine 3.13 and later";

#[test]
fn a_wheel_that_keeps_its_promise_loads_where_it_installs() {
    let wheel =
        tagged("manylinux_2_36_x86_64", module(&[("strlcpy", "GLIBC_2.36", "libc.so.6")], &[]));
    assert_cell(&wheel, "Debian 12", State::Loads, &[]);
    assert!(on(&wheel, "Debian 12").reason.is_empty());
    assert_cell(&wheel, "Ubuntu 22.04", State::Refused, &["glibc 2.35", "`strlcpy`", MODULE]);
    assert_cell(&wheel, ALPINE, State::Refused, &["musl 1.2", "-linux-gnu.so"]);
}

#[test]
fn defect_18_every_system_is_compared_by_its_own_glibc() {
    for minor in [28, 34, 36, 39] {
        let version = format!("GLIBC_2.{minor}");
        let wheel = tagged(
            &format!("manylinux_2_{minor}_x86_64"),
            module(&[("f", version.as_str(), "libc.so.6")], &[]),
        );
        let floor = LibcVersion::new(2, minor);
        for system in distributions() {
            let cell = wheel.on(system);
            let wanted = system.has_glibc(floor) && system.machines.contains(&Arch::X86_64);
            assert_eq!(cell.state == State::Loads, wanted, "2.{minor}, {system}: {}", cell.reason);
        }
    }
    let old = tagged("manylinux_2_36_x86_64", module(&[("f", "GLIBC_2.36", "libc.so.6")], &[]));
    assert_cell(&old, "Ubuntu 22.04", State::Refused, &["glibc 2.35"]);
}

#[test]
fn a_wheel_that_installs_but_does_not_load_has_the_missing_symbol() {
    let needs = [("__isoc23_strtol", "GLIBC_2.38", "libc.so.6")];
    let wheel = tagged("linux_x86_64", module(&needs, &[]));
    let words = ["`GLIBC_2.38` for `__isoc23_strtol`", MODULE, "it has GLIBC_2.36"];
    assert_cell(&wheel, "Debian 12", State::Breaks, &words);
    assert_cell(&wheel, "Ubuntu 24.04", State::Loads, &[]);
    assert_cell(&wheel, ALPINE, State::Breaks, &["glibc"]);
}

#[test]
fn versions_of_the_loader_count() {
    let rseq = [("__rseq_offset", "GLIBC_2.35", "ld-linux-x86-64.so.2")];
    let wheel = tagged("manylinux_2_28_x86_64", module(&rseq, &[]));
    assert_cell(&wheel, "Enterprise Linux 9", State::Breaks, &["`GLIBC_2.35`", "GLIBC_2.34"]);
    assert_cell(&wheel, "Debian 12", State::Loads, &[]);
}

#[test]
fn files_that_the_loader_rejects_load_nowhere() {
    let mut foreign = PLAIN.clone();
    foreign[7] = 9;
    let wheel = tagged("manylinux_2_28_x86_64", foreign);
    assert_cell(&wheel, "Debian 12", State::Breaks, &["EI_OSABI", MODULE]);
    let empty = tagged("manylinux_2_28_x86_64", Vec::new());
    assert_cell(&empty, "Debian 12", State::Breaks, &["an empty file", MODULE]);
}

#[test]
fn libstdcxx_is_a_separate_limit() {
    let wheel =
        |version| tagged("manylinux_2_17_x86_64", module(&[("f", version, "libstdc++.so.6")], &[]));
    let cxx = wheel("GLIBCXX_3.4.30");
    assert_cell(&cxx, "Enterprise Linux 9", State::Breaks, &["it has GLIBCXX_3.4.29"]);
    assert_cell(&cxx, "Debian 12", State::Loads, &[]);
    let abi = wheel("CXXABI_1.3.14");
    assert_cell(&abi, "Debian 12", State::Breaks, &["it has CXXABI_1.3.13"]);
    assert_cell(&abi, "Debian 13", State::Loads, &[]);
}

#[test]
fn versions_of_bundled_libraries_are_no_system_needs() {
    let flags = ["-Wl,-rpath,$ORIGIN/pkg.libs"];
    let module = module(&[("f", "GLIBCXX_3.4.33", "libstdc++-0123.so.6")], &flags);
    let own = library("f", "GLIBCXX_3.4.33", "libstdc++-0123.so.6");
    let fixture = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
        .with(MODULE, module)
        .with("pkg.libs/libstdc++-0123.so.6", own);
    assert_cell(&audit(&fixture, &Expectations::default()), "Debian 11", State::Loads, &[]);
}

#[test]
fn a_tag_stricter_than_the_files_prevents_installation() {
    let wheel = tagged("manylinux_2_39_x86_64", PLAIN.clone());
    assert_cell(&wheel, "Debian 12", State::Withheld, &["`manylinux_2_39_x86_64`", "glibc 2.36"]);
    assert_cell(&wheel, "Enterprise Linux 10", State::Loads, &[]);
}

#[test]
fn uncertain_cases_are_unknown() {
    let ssl = tagged("linux_x86_64", module(&[("f", "OPENSSL_3.0.0", "libssl.so.3")], &[]));
    assert_cell(&ssl, "Debian 12", State::Unknown, &["`libssl.so.3`"]);
    let private = tagged("linux_x86_64", module(&[("f", "GLIBC_PRIVATE", "libc.so.6")], &[]));
    assert_cell(&private, "Debian 12", State::Unknown, &["`GLIBC_PRIVATE` for `f`"]);
    let broken = tagged("linux_x86_64", PLAIN[..600].to_vec());
    assert_cell(&broken, "Debian 12", State::Unknown, &["cannot be checked"]);
    // The name does not contain the C library, and musl replaces `libc.so.6` with itself.
    let name = "pkg-1.0-cp311-abi3-linux_x86_64.whl";
    let stable =
        audit(&Fixture::new(name).with("_pkg.abi3.so", PLAIN.clone()), &Expectations::default());
    assert_cell(&stable, ALPINE, State::Unknown, &["linked with glibc"]);
}

#[test]
fn systems_without_the_architecture_are_absent() {
    let mut riscv = PLAIN.clone();
    riscv[18] = 243;
    let wheel = tagged("manylinux_2_39_riscv64", riscv);
    assert_cell(&wheel, "Enterprise Linux 10", State::Absent, &["riscv64"]);
    assert_cell(&wheel, "Debian 13", State::Loads, &[]);
}

#[test]
fn files_for_another_machine_do_not_load() {
    let mut arm = PLAIN.clone();
    arm[18] = 183;
    let wheel = tagged("manylinux_2_17_x86_64", arm);
    assert_cell(&wheel, "Debian 12", State::Breaks, &["another machine", MODULE]);
}

#[test]
fn pure_wheels_load_everywhere_and_foreign_ones_install_nowhere() {
    let pure = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg.py", "");
    let pure = audit(&pure, &Expectations::default());
    assert!(pure.systems().iter().all(|cell| cell.state == State::Loads));
    for platform in ["win_amd64", "macosx_11_0_arm64"] {
        let name = format!("pkg-1.0-py3-none-{platform}.whl");
        let other = Fixture::new(&name).with("pkg.py", "");
        let other = audit(&other, &Expectations::default());
        assert_cell(&other, "Debian 12", State::Refused, &[platform, "another system"]);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_system_for_newer_processors_loads_their_code() {
    let folder = Folder::new();
    let source = "typedef float v8 __attribute__((vector_size(32)));\n\
                  v8 PyInit__pkg(v8 a, v8 b) { return a * b; }";
    gcc(&folder, "module.so", source, &["-mavx", "-O2"]);
    let module = fs_err::read(folder.path().join("module.so")).unwrap();
    let wheel = tagged("manylinux_2_17_x86_64", module);
    assert_cell(&wheel, "Enterprise Linux 10", State::Loads, &[]);
    let words = ["x86-64-v3", "x86-64-v2"];
    assert_cell(&wheel, "Enterprise Linux 9", State::LoadsOnSome, &words);
    assert_cell(&wheel, "Debian 12", State::LoadsOnSome, &["x86-64-v3", "x86-64-v1"]);
}

#[test]
fn musl_wheels_do_not_load_on_glibc() {
    let folder = Folder::new();
    gcc(&folder, "libc.so", "void abs(void) {}", &["-Wl,-soname,libc.musl-x86_64.so.1"]);
    let source = "extern void abs(void); void *use = abs; void *PyInit__pkg(void) { return 0; }";
    gcc(&folder, "module.so", source, &["libc.so"]);
    let module = fs_err::read(folder.path().join("module.so")).unwrap();
    let of = |platform: &str| {
        let name = format!("pkg-1.0-cp311-cp311-{platform}.whl");
        let path = "_pkg.cpython-311-x86_64-linux-musl.so";
        audit(&Fixture::new(&name).with(path, module.clone()), &Expectations::default())
    };
    assert_cell(&of("musllinux_1_2_x86_64"), ALPINE, State::Loads, &[]);
    assert_cell(&of("musllinux_1_2_x86_64"), "Debian 12", State::Refused, &["glibc 2.36"]);
    assert_cell(&of("linux_x86_64"), "Debian 12", State::Breaks, &["`libc.musl-x86_64.so.1`"]);
}

#[test]
fn levels_of_distributions_are_valid() {
    for system in distributions() {
        let level = system.isa.as_ref().map(|isa| isa.parse::<Level>());
        assert!(level.is_none_or(|level| level.is_ok()), "{system}");
        assert!(!system.machines.is_empty(), "{system}");
    }
}
