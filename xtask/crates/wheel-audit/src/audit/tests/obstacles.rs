//! Obstacles, in the findings and in the matrix.

#![expect(clippy::panic, reason = "a test may stop at once")]

use super::*;
use crate::audit::obstacle::{Effect, Obstacle};
use crate::policy::distributions;

/// Checks that findings and matrix of a wheel agree: an obstacle on a system that its
/// tags allow has a finding, and a system that loads the wheel has no obstacle with an error.
#[track_caller]
pub(super) fn assert_agreement(audit: &Audit) {
    let promises = |tag: &String| {
        tag.parse().is_ok_and(|tag: PlatformTag| tag.glibc().is_some() || tag.musl().is_some())
    };
    let has = |code: &str| audit.findings.iter().any(|finding| finding.code == code);
    let needs = &audit.facts.needs;
    for (cell, system) in audit.systems().into_iter().zip(distributions()) {
        let holds = |code: &str, path: &str| {
            let mut all = needs.obstacles.iter();
            let is = |it: &&Obstacle| it.rule.code == code && it.path == path;
            all.any(|it| is(&it) && it.effect_on(system, needs.arch) == Some(Effect::Fails))
        };
        match cell.state {
            State::Breaks if audit.facts.tag_claim.iter().all(promises) => {
                let code = cell.blocker.as_ref().map_or("none", |blocker| blocker.code);
                assert!(has(code), "{system}: {code} without a finding: {}", cell.reason);
            }
            State::Loads => {
                let errors = audit.findings.iter().filter(|it| it.severity == Severity::Error);
                for error in errors {
                    let holds = holds(error.code, &error.path);
                    assert!(!holds, "{system} loads, and {} holds there", error.code);
                }
            }
            _ => {}
        }
    }
}

fn tagged(platform: &str, module: Vec<u8>) -> Fixture {
    Fixture::new(&format!("pkg-1.0-cp311-cp311-{platform}.whl")).with(MODULE, module)
}

fn state(audit: &Audit, system: &str) -> State {
    let system = distributions().iter().find(|each| each.to_string() == system);
    audit.on(system.unwrap_or_else(|| panic!("the system is in the table"))).state
}

/// The severity of the finding with a code.
fn severity(audit: &Audit, code: &str) -> Option<Severity> {
    audit.findings.iter().find(|finding| finding.code == code).map(|finding| finding.severity)
}

fn audited(fixture: &Fixture) -> Audit {
    audit(fixture, &Expectations::default())
}

/// A module from C source.
fn compiled(source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let source = format!("{source} void *PyInit__pkg(void) {{ return 0; }}");
    gcc(&folder, "module.so", &source, flags);
    fs_err::read(folder.path().join("module.so")).unwrap()
}

#[test]
fn findings_and_matrix_agree() {
    let stack = ["-z", "execstack"];
    let modules = [
        PLAIN.clone(),
        module(&[("f", "GLIBC_2.38", "libc.so.6")], &[]),
        module(&[("f", "GLIBC_2.38", "libc.so.6")], &stack),
        module(&[("f", "GLIBC_2.35", "ld-linux-x86-64.so.2")], &[]),
        module(&[("f", "GLIBC_PRIVATE", "ld-linux-x86-64.so.2")], &[]),
        module(&[("f", "GLIBC_2.7", "ld-linux-x86-64.so.2")], &[]),
        module(&[("f", "GLIBCXX_3.4.33", "libstdc++.so.6")], &[]),
        module(&[("f", "V_1", "libgone.so.1")], &[]),
        module(&[("f", "V_1", "libc.musl-x86_64.so.1")], &[]),
        module(&[], &["-Wl,-z,nodlopen"]),
        module(&[], &["-Wl,-z,x86-64-v3"]),
        compiled("static __thread char b[5000]; char *t(int i) { return b + i; }", &TLS),
        PLAIN[..600].to_vec(),
        Vec::new(),
    ];
    let tags = ["manylinux_2_17", "manylinux_2_28", "manylinux_2_38", "musllinux_1_2", "linux"];
    for (index, module) in modules.iter().enumerate() {
        for tag in tags {
            let wheel = audited(&tagged(&format!("{tag}_x86_64"), module.clone()));
            assert_agreement(&wheel);
            let breaks = wheel.systems().iter().any(|cell| cell.state == State::Breaks);
            if breaks && tag != "linux" {
                assert_eq!(wheel.verdict(), Verdict::Fail, "{index} {tag}");
            }
        }
    }
}

#[test]
fn an_executable_stack_fails_from_glibc_2_41_on() {
    let wheel = audited(&tagged("manylinux_2_28_x86_64", module(&[], &["-z", "execstack"])));
    assert_eq!(state(&wheel, "Debian 12"), State::Loads);
    assert_eq!(state(&wheel, "Debian 13"), State::Breaks);
    assert_eq!(severity(&wheel, "ELF009"), Some(Severity::Error));
    let blocked = &wheel.blocked;
    assert!(blocked.iter().all(|it| it.code == Some("ELF009") && it.state == "fails"));
    assert!(blocked.iter().any(|it| it.system == "Fedora 42"), "{blocked:?}");
    // Without the header, x86-64 defaults to an executable stack. `PT_NULL` hides the header.
    let mut bytes = PLAIN.clone();
    let mut headers = (0..usize::from(bytes[56])).map(|index| 64 + 56 * index);
    let at = headers.find(|&at| bytes[at..at + 4] == 0x6474_e551_u32.to_le_bytes()).unwrap();
    bytes[at..at + 4].fill(0);
    let hidden = audited(&tagged("manylinux_2_28_x86_64", bytes));
    assert_eq!(severity(&hidden, "ELF009"), Some(Severity::Error));
}

const RPATH: [&str; 1] = ["-Wl,-rpath,$ORIGIN/elsewhere"];

/// `libown.so.1`, which exports `f` in the version `V_1`.
fn own_library() -> Vec<u8> {
    let folder = Folder::new();
    fs_err::write(folder.path().join("own.map"), "V_1 { global: f; };").unwrap();
    let flags = ["-Wl,-soname,libown.so.1", "-Wl,--version-script,own.map"];
    gcc(&folder, "libown.so.1", "void f(void) {}", &flags);
    fs_err::read(folder.path().join("libown.so.1")).unwrap()
}

#[test]
fn a_library_off_the_search_path_is_an_error_unless_loaded() {
    let with = |path: &str, text: &str| {
        let user = module(&[("f", "V_1", "libown.so.1")], &RPATH);
        let wheel = native(user).with("pkg.libs/libown.so.1", own_library()).with(path, text);
        let audit = audited(&wheel);
        (severity(&audit, "ELF011").unwrap(), state(&audit, "Debian 12"))
    };
    let fails = (Severity::Error, State::Breaks);
    let may_fail = (Severity::Warning, State::Unknown);
    assert_eq!(with("pkg/__init__.py", "import os"), fails);
    assert_eq!(with("pkg/__init__.py", "ctypes.CDLL(libs / 'libother.so')"), fails);
    assert_eq!(with("pkg/README.txt", "ctypes.CDLL(libs / 'libown.so.1')"), fails);
    assert_eq!(with("pkg/__init__.py", "ctypes.CDLL(libs / 'libown.so.1')"), may_fail);
    assert_eq!(with("pkg/load.py", "for each in libs.iterdir(): ctypes.CDLL(each)"), may_fail);
    let long = "#".repeat(600 << 10);
    assert_eq!(with("pkg/long.py", &long), may_fail, "not searched");
}

#[test]
fn a_library_that_another_file_finds_may_already_be_loaded() {
    let needs = [("f", "V_1", "libown.so.1")];
    let finds = module(&needs, &["-Wl,-rpath,$ORIGIN/pkg.libs"]);
    let wheel = native(module(&needs, &RPATH))
        .with("_other.cpython-311-x86_64-linux-gnu.so", finds)
        .with("pkg.libs/libown.so.1", PLAIN.clone());
    assert_eq!(severity(&audited(&wheel), "ELF011"), Some(Severity::Warning));
    let opens =
        module(&[("f", "V_1", "libown.so.1"), ("dlopen", "GLIBC_2.34", "libc.so.6")], &RPATH);
    let wheel = native(opens).with("pkg.libs/libown.so.1", PLAIN.clone());
    assert_eq!(severity(&audited(&wheel), "ELF011"), Some(Severity::Warning));
}

#[test]
fn invalid_library_names_are_a_damaged_string_table() {
    let mut bytes = module(&[("f", "V_1", "libown.so.1")], &[]);
    let name = b"\0libown.so.1\0";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at + 1..at + 4].copy_from_slice(&[0xd4, 0x87, 0x01]);
    let audit = audited(&native(bytes));
    assert_eq!(severity(&audit, "ELF041"), Some(Severity::Error));
    assert_eq!((severity(&audit, "ELF006"), state(&audit, "Debian 12")), (None, State::Breaks));
}

const TLS: [&str; 1] = ["-ftls-model=initial-exec"];

/// A file with `size` bytes of thread-local storage.
fn with_tls(size: u32, flags: &[&str]) -> Vec<u8> {
    let source = format!("static __thread char b[{size}]; char *t(int i) {{ return b + i; }}");
    compiled(&source, flags)
}

#[test]
fn static_tls_is_limited() {
    let of = |platform: &str, module: Vec<u8>| {
        let audit = audited(&tagged(platform, module));
        let system =
            if platform.starts_with("musl") { "Alpine 3.13 and later" } else { "Debian 12" };
        (severity(&audit, "ELF039"), state(&audit, system))
    };
    let glibc = "manylinux_2_28_x86_64";
    assert_eq!(of(glibc, with_tls(5000, &TLS)), (Some(Severity::Error), State::Breaks));
    assert_eq!(of(glibc, with_tls(1700, &TLS)), (Some(Severity::Warning), State::Unknown));
    assert_eq!(of(glibc, with_tls(1600, &TLS)), (None, State::Loads));
    assert_eq!(of(glibc, with_tls(5000, &[])).0, None, "the dynamic model has no limit");
    let musl = Fixture::new("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl");
    let musl = audited(&musl.with("_pkg.abi3.so", with_tls(16, &TLS)));
    assert_eq!(severity(&musl, "ELF039"), Some(Severity::Error), "musl reserves nothing");
}

#[test]
fn static_tls_of_files_that_load_together_is_added() {
    let folder = Folder::new();
    let soname = ["-Wl,-soname,libtls.so", "-ftls-model=initial-exec"];
    gcc(
        &folder,
        "libtls.so",
        "static __thread char b[1000]; char *t(int i) { return b + i; }",
        &soname,
    );
    let library = fs_err::read(folder.path().join("libtls.so")).unwrap();
    let path = folder.path().join("libtls.so");
    let user = |size: u32| {
        with_tls(size, &[TLS[0], "-Wl,--no-as-needed", path.as_str(), "-Wl,-rpath,$ORIGIN"])
    };
    let wheel = |size| audited(&native(user(size)).with("libtls.so", library.clone()));
    assert_eq!(severity(&wheel(1000), "ELF039"), Some(Severity::Error));
    assert_eq!(severity(&wheel(100), "ELF039"), None);
}

/// Sets the machine in the header of an ELF file: 183 is aarch64, 21 is ppc64.
fn for_machine(mut bytes: Vec<u8>, machine: u8) -> Vec<u8> {
    bytes[18] = machine;
    bytes
}

#[test]
fn segments_for_small_pages_fail_on_kernels_with_larger_ones() {
    let of = |tag: &str, flags: &[&str]| {
        let module = for_machine(module(&[], flags), 183);
        let name = format!("pkg-1.0-cp311-cp311-{tag}_aarch64.whl");
        let path = "_pkg.cpython-311-aarch64-linux-gnu.so";
        let audit = audited(&Fixture::new(&name).with(path, module));
        (
            severity(&audit, "ELF037"),
            state(&audit, "Enterprise Linux 8"),
            state(&audit, "Debian 12"),
        )
    };
    let small = ["-Wl,-z,max-page-size=4096"];
    let found = of("manylinux_2_28", &small);
    assert_eq!(found, (Some(Severity::Error), State::Breaks, State::Loads));
    // EL 8 does not install it.
    assert_eq!(of("manylinux_2_34", &small), (None, State::Refused, State::Loads));
    let large = of("manylinux_2_28", &["-Wl,-z,max-page-size=65536"]);
    assert_eq!(large, (None, State::Loads, State::Loads));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_loader_compares_the_marker_with_the_processor() {
    let marked = || module(&[], &["-Wl,-z,x86-64-v3"]);
    let audit = audited(&tagged("manylinux_2_28_x86_64", marked()));
    assert_eq!(severity(&audit, "ELF038"), Some(Severity::Error));
    assert_eq!(state(&audit, "Debian 12"), State::LoadsOnSome);
    assert_eq!(state(&audit, "Enterprise Linux 10"), State::Loads);
    let isa = vec!["x86-64-v3".parse().unwrap()];
    let allowed = super::audit(
        &tagged("manylinux_2_28_x86_64", marked()),
        &Expectations { isa, ..Expectations::default() },
    );
    assert_eq!(severity(&allowed, "ELF038"), None, "the configuration promises these processors");
}

#[test]
fn a_required_project_with_the_name_of_the_library_provides_it() {
    let with = |requires: &str| {
        let mut fixture = native(module(&[("f", "V_1", "libcasadi.so.3.7")], &[]));
        let metadata = fixture.name.dist_info() + "/METADATA";
        let text = format!("Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n{requires}\n");
        fixture.set(&metadata, text);
        let audit = audited(&fixture);
        (severity(&audit, "ELF006"), severity(&audit, "ELF012"))
    };
    assert_eq!(with("Requires-Dist: casadi>=3.7"), (None, Some(Severity::Warning)));
    assert_eq!(with("Requires-Dist: numpy"), (Some(Severity::Error), None));
}
