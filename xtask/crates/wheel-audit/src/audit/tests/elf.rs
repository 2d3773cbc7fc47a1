//! The needs of machine code, compared with the promises.

use super::*;

#[test]
fn a_floor_above_the_promise_is_reported_with_its_symbol() {
    let fixture = native(module(&[("__isoc23_strtol", "GLIBC_2.38", "libc.so.6")], &[]));
    let audit = audit(&fixture, &Expectations::default());
    assert_eq!(audit.findings.len(), 1, "{:?}", audit.findings);
    let finding = &audit.findings[0];
    assert_eq!((finding.code, finding.path.as_str()), ("ELF003", MODULE));
    assert_eq!(
        finding.message,
        "needs `GLIBC_2.38` of `libc.so.6` for `__isoc23_strtol`, which `manylinux_2_36_x86_64` does not promise"
    );
    assert_eq!(audit.verdict(), Verdict::Fail);
    assert_eq!(audit.facts.overall_tag, "manylinux_2_38_x86_64");
    assert_eq!(
        audit.facts.floor_tag(Arch::X86_64).map(String::from).as_deref(),
        Some("manylinux_2_38_x86_64")
    );
}

#[test]
fn libstdcxx_counts_in_addition_to_glibc() {
    let needs = [("f", "GLIBCXX_3.4.30", "libstdc++.so.6")];
    let fixture = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_34_x86_64.whl")
        .with(MODULE, module(&needs, &[]));
    assert_eq!(own(&fixture), ["ELF003"]);
}

#[test]
fn every_tag_of_a_set_is_checked() {
    let name = "pkg-1.0-cp311-cp311-manylinux_2_34_x86_64.manylinux2014_x86_64.whl";
    let needs = [("f", "GLIBC_2.28", "libc.so.6")];
    let audit =
        audit(&Fixture::new(name).with(MODULE, module(&needs, &[])), &Expectations::default());
    assert!(
        audit.findings.iter().all(|finding| finding.message.contains("`manylinux2014_x86_64`"))
    );
    assert_eq!(audit.findings.len(), 1);
}

#[test]
fn weak_version_needs_do_not_count() {
    // Set the flag before the index and the name of the version
    // need.
    let bytes = module(&[("f", "GLIBC_2.38", "libc.so.6")], &[]);
    let hash = b"GLIBC_2.38".iter().fold(0_u32, |hash, &byte| {
        let hash = (hash << 4) + u32::from(byte);
        (hash ^ ((hash & 0xf000_0000) >> 24)) & 0x0fff_ffff
    });
    let at = bytes.windows(4).position(|window| window == hash.to_le_bytes()).unwrap();
    let mut weak = bytes.clone();
    weak[at + 4] = 2;
    assert_eq!(own(&native(bytes.clone())), ["ELF003"]);
    assert_eq!(own(&native(weak)), Vec::<&str>::new());
    // The loader ignores the number of versions in the previous entry.
    let mut uncounted = bytes;
    uncounted[at - 14] = 0;
    assert_eq!(own(&native(uncounted)), ["ELF003"]);
}

#[test]
fn versions_that_no_policy_knows_are_errors_with_any_tag() {
    for version in ["GLIBC_PRIVATE", "GLIBC_ABI_GNU2_TLS"] {
        let module = module(&[("f", version, "libc.so.6")], &[]);
        assert_eq!(own(&native(module.clone())), ["ELF004"], "{version}");
        let untagged = Fixture::new("pkg-1.0-cp311-cp311-linux_x86_64.whl").with(MODULE, module);
        assert_eq!(own(&untagged), ["ELF004", "TAG004"], "{version}");
    }
}

#[test]
fn libraries_outside_of_system_and_wheel_are_errors() {
    let needs = [("SSL_new", "OPENSSL_3.0.0", "libssl.so.3")];
    let outside = native(module(&needs, &[]));
    assert_eq!(own(&outside), ["ELF006"]);
    let mut inside = native(module(&needs, &[]));
    let ssl = library("SSL_new", "OPENSSL_3.0.0", "libssl.so.3");
    inside.set("pkg.libs/libssl.so.3", ssl);
    assert_eq!(own(&inside), ["ELF011"], "bundled, but not in the search path");
    // A system library with versions that no policy covers.
    assert_eq!(own(&native(module(&[("f", "FOO_1", "libexpat.so.1")], &[]))), ["ELF008"]);
    let name = "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl";
    let zlib = module(&[("deflate", "ZLIB_1.2.0", "libz.so.1")], &[]);
    assert_eq!(own(&Fixture::new(name).with("_pkg.abi3.so", zlib)), Vec::<&str>::new());
}

#[test]
fn forbidden_symbols_are_errors() {
    let needs = [("uncompress2", "ZLIB_1.2.9", "libz.so.1")];
    let fixture = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")
        .with(MODULE, module(&needs, &[]));
    assert_eq!(own(&fixture), ["ELF007"]);
}

#[test]
fn packed_relocations_need_their_version() {
    let source = "extern void *malloc(unsigned long); void *f(void) { return malloc(1); } static int x; int *p[] = { &x, &x };";
    let folder = Folder::new();
    gcc(&folder, "packed.so", source, &["-Wl,-z,pack-relative-relocs", "-fno-builtin", "-lc"]);
    let packed = fs_err::read(folder.path().join("packed.so")).unwrap();
    let old = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_34_x86_64.whl")
        .with("libpacked.so", packed.clone());
    assert_eq!(own(&old), ["ELF003"], "the linker records the version, which 2.34 lacks");
    let needed = b"GLIBC_ABI_DT_RELR";
    let mut nameless = packed;
    let at = nameless.windows(needed.len()).position(|window| window == needed).unwrap();
    nameless[at..at + needed.len()].copy_from_slice(b"GLIBC_2.4\0\0\0\0\0\0\0\0");
    assert_eq!(own(&wheel(WHEEL).with("libpacked.so", nameless)), ["ELF005"]);
}

#[test]
fn packed_relocations_of_files_without_glibc_crash_on_old_glibc() {
    let source = "void *PyInit__pkg(void) { return 0; } static int x; int *p[] = { &x, &x };";
    let packed = linked(source, &[], &["-Wl,-z,pack-relative-relocs"]);
    let of = |platform: &str, file: &str| {
        let name = format!("pkg-1.0-cp311-cp311-{platform}.whl");
        audit(&Fixture::new(&name).with(file, packed.clone()), &Expectations::default())
    };
    let codes = |audit: &Audit| -> Vec<_> { audit.findings.iter().map(|it| it.code).collect() };
    let old = of("manylinux_2_28_x86_64", MODULE);
    assert_eq!(codes(&old), ["ELF005"]);
    let debian_11 = crate::policy::distributions().iter().find(|it| it.to_string() == "Debian 11");
    assert_eq!(old.on(debian_11.unwrap()).state, State::Breaks);
    assert_eq!(codes(&of("manylinux_2_36_x86_64", MODULE)), Vec::<&str>::new(), "none is older");
    let musl = "_pkg.cpython-311-x86_64-linux-musl.so";
    assert_eq!(codes(&of("musllinux_1_2_x86_64", musl)), Vec::<&str>::new());
}

#[test]
fn executable_stacks_of_loaded_files_are_errors() {
    let stack = || module(&[], &["-z", "execstack"]);
    let check = |fixture: &Fixture| {
        let audit = audit(fixture, &Expectations::default());
        let codes: Vec<_> = audit.findings.iter().map(|finding| finding.code).collect();
        (codes, audit.verdict())
    };
    assert_eq!(check(&native(stack())), (vec!["ELF009"], Verdict::Fail));
    let folder = Folder::new();
    gcc(&folder, "libplugin.so", "void f(void) {}", &["-z", "execstack"]);
    let plugin = fs_err::read(folder.path().join("libplugin.so")).unwrap();
    let plugin = wheel(WHEEL).with("pkg/libplugin.so", plugin);
    assert_eq!(check(&plugin), (vec!["ELF009"], Verdict::Pass), "nothing in the wheel needs it");
    let musl = Fixture::new("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl");
    assert_eq!(check(&musl.with("_pkg.abi3.so", stack())).1, Verdict::Pass, "musl ignores it");
}

#[test]
fn unreadable_files_are_errors_without_a_floor() {
    let audit = audit(&native(PLAIN[..600].to_vec()), &Expectations::default());
    assert_eq!(audit.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["ELF001"]);
    assert_eq!(audit.facts.overall_tag, "linux_x86_64");
}

#[test]
fn files_for_another_machine_are_errors() {
    let mut arm = PLAIN.clone();
    arm[18] = 183;
    assert_eq!(own(&native(arm)), ["ELF002"]);
    let suffix = Fixture::new(WHEEL).with("_pkg.cpython-311-aarch64-linux-gnu.so", PLAIN.clone());
    assert_eq!(own(&suffix), ["TAG202"]);
}

#[test]
fn the_libraries_of_a_wheel_determine_musl() {
    let name = "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl";
    assert_eq!(
        own(&Fixture::new(name).with("_pkg.abi3.so", PLAIN.clone())),
        ["ELF003"],
        "glibc in a musl wheel"
    );
}

#[test]
fn known_causes_of_a_floor_have_their_own_help() {
    for (symbol, version, help) in [
        ("__isoc23_strtol", "GLIBC_2.38", "before 2.38"),
        ("other", "GLIBC_PRIVATE", "no private symbol"),
        ("pthread_create", "GLIBC_2.34", "before 2.34"),
    ] {
        let wheel = Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")
            .with(MODULE, module(&[(symbol, version, "libc.so.6")], &[]));
        let audit = audit(&wheel, &Expectations::default());
        assert!(audit.findings.iter().any(|finding| finding.help.contains(help)), "{version}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn defect_16_code_above_the_promised_level_names_its_place() {
    let folder = Folder::new();
    let source = "typedef float v8 __attribute__((vector_size(32)));\n\
                  v8 PyInit__pkg(v8 a, v8 b) { return a * b; }";
    gcc(&folder, "module.so", source, &["-mavx", "-O2"]);
    let wheel = native(fs_err::read(folder.path().join("module.so")).unwrap());
    let audited = |level: &str| {
        let expectations =
            Expectations { isa: vec![level.parse().unwrap()], ..Expectations::default() };
        audit(&wheel, &expectations)
    };
    let above = audited("x86-64-v2");
    let finding = above.findings.iter().find(|finding| finding.code == "ISA001").unwrap();
    assert_eq!((above.verdict(), finding.path.as_str()), (Verdict::Fail, MODULE));
    let message = &finding.message;
    assert!(message.contains("vmulps") && message.contains("PyInit__pkg"), "{message}");
    assert_eq!(above.facts.isa.as_deref(), Some("x86-64-v3"));
    assert_eq!(audited("x86-64-v3").verdict(), Verdict::Pass);
}

#[test]
fn a_limit_replaces_the_tags() {
    let wheel = native(module(&[("strlcpy", "GLIBC_2.38", "libc.so.6")], &[]));
    let limit = |minor| {
        let limit = Some(Libc::Glibc(LibcVersion::new(2, minor)));
        codes(&wheel, &Expectations { limit, ..Expectations::default() })
    };
    assert_eq!(limit(37), ["ELF003"]);
    assert!(limit(38).is_empty());
    assert_eq!(limit(4), ["ELF001"], "no policy is that old");
    let limit = Some(Libc::Glibc(LibcVersion::new(2, 4)));
    let finding =
        audit(&wheel, &Expectations { limit, ..Expectations::default() }).findings.remove(0);
    assert!(finding.message.contains("needs `GLIBC_2.38`"), "{}", finding.message);
    assert!(finding.help.contains("limit"), "{}", finding.help);
}

#[test]
fn findings_that_an_index_rejects_are_errors_when_publishing() {
    let folder = Folder::new();
    let path = wheel("pkg-1.0-cp311-cp311-linux_x86_64.whl").write(folder.path());
    let verdict = |publish| {
        let settings = Settings { publish, ..Settings::default() };
        audit_wheel(&path, &Expectations::default(), &settings).unwrap().verdict()
    };
    assert_eq!((verdict(false), verdict(true)), (Verdict::Pass, Verdict::Fail));
}

#[test]
fn the_tag_determines_the_c_library() {
    // Linked without versions, as on musl, but with the soname of glibc.
    let folder = Folder::new();
    gcc(&folder, "libc.so", "void f(void) {}", &["-Wl,-soname,libc.so.6"]);
    let source = "extern void f(void); void *use = f; void *PyInit__pkg(void) { return 0; }";
    gcc(&folder, "module.so", source, &["libc.so"]);
    let module = fs_err::read(folder.path().join("module.so")).unwrap();
    let tag = |name| {
        audit(&Fixture::new(name).with(MODULE, module.clone()), &Expectations::default())
            .facts
            .overall_tag
    };
    assert_eq!(tag("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"), "musllinux_1_2_x86_64");
    assert_eq!(tag("pkg-1.0-cp311-cp311-linux_x86_64.whl"), "manylinux_2_5_x86_64");
}

#[test]
fn a_file_after_empty_blocks_counts_for_the_floor() {
    let module = module(&[("strtol", "GLIBC_2.38", "libc.so.6")], &[]);
    let bytes = native(module).bytes();
    for count in [1, 51, 52, 1_000, 30_000] {
        let bytes = crate::wheel::testing::after_empty_blocks(&bytes, MODULE, count);
        let folder = Folder::new();
        let path = folder.path().join(WHEEL);
        fs_err::write(&path, bytes).unwrap();
        for depth in [Depth::Floor, Depth::Bytes] {
            let settings = Settings { depth, ..Settings::default() };
            let audit = audit_wheel(&path, &Expectations::default(), &settings).unwrap();
            let codes: Vec<_> = audit.findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, ["ELF003"], "{count} {depth:?}");
        }
    }
}

#[test]
fn the_library_of_a_filter_object_is_a_need() {
    let filter = module(&[], &["-Wl,--filter=libstrange.so.1"]);
    let audit = audit(&native(filter), &Expectations::default());
    let absent = audit.findings.iter().find(|finding| finding.code == "ELF006").unwrap();
    assert!(absent.message.contains("`libstrange.so.1`"), "{}", absent.message);
    // The loader ignores a missing auxiliary library (glibc, `elf/dl-deps.c`).
    assert_eq!(own(&native(module(&[], &["-Wl,--auxiliary=libstrange.so.1"]))), Vec::<&str>::new());
}
