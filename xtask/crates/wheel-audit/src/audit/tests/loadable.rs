//! Files that the loader rejects because of their headers, and files that are not ELF files.

use super::*;

const LIBRARY: &str = "pkg.libs/libx-1.so.2";

/// The file with one byte of its header changed.
fn patched(bytes: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = byte;
    bytes
}

/// The module, compiled with these flags instead of `-shared`.
fn built(flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let source = "void *PyInit__pkg(void) { return 0; } void _start(void) {}";
    fs_err::write(folder.path().join("input.c"), source).unwrap();
    let mut command = Command::new("gcc");
    command.current_dir(folder.path()).args(["-nostdlib", "input.c", "-o", "output"]).args(flags);
    assert!(command.status().unwrap().success(), "{command:?}");
    fs_err::read(folder.path().join("output")).unwrap()
}

/// The codes of errors and warnings, at both depths.
#[track_caller]
fn check(fixture: &Fixture) -> Vec<&'static str> {
    let folder = Folder::new();
    let path = fixture.write(folder.path());
    let codes = |depth| {
        let settings = Settings { depth, ..Settings::default() };
        let audit = audit_wheel(&path, &Expectations::default(), &settings).unwrap();
        let findings = audit.findings.into_iter().filter(|it| it.severity != Severity::Note);
        let mut codes: Vec<_> = findings.map(|finding| finding.code).collect();
        codes.dedup();
        codes
    };
    let own = ["ELF022", "ELF023", "ELF024", "ELF025", "ELF026", "ELF027"];
    let shallow = codes(Depth::Floor);
    let mut deep = codes(Depth::Bytes);
    deep.retain(|code| own.contains(code));
    assert_eq!(shallow, deep, "`check-glibc` and `verify` differ");
    shallow
}

const NONE: [&str; 0] = [];

#[test]
fn modules_that_dlopen_rejects_are_errors() {
    assert_eq!(check(&wheel(WHEEL)), NONE);
    for flags in [["-c"].as_slice(), &["-no-pie", "-static"], &["-pie", "-fPIE"]] {
        assert_eq!(check(&native(built(flags))), ["ELF022"], "{flags:?}");
        let plain = wheel(WHEEL).with("pkg/_x.so", built(flags));
        assert_eq!(check(&plain), ["ELF022"], "{flags:?}");
        // Programs are not affected.
        assert_eq!(check(&wheel(WHEEL).with("pkg/bin/run", built(flags))), NONE, "{flags:?}");
    }
    let unopened = module(&[], &["-Wl,-z,nodlopen"]);
    assert_eq!(check(&native(unopened)), ["ELF022"]);
}

#[test]
fn identifications_that_the_loader_rejects_are_errors() {
    // EI_OSABI, EI_ABIVERSION, EI_PAD (elf(5)); 3 is GNU, 9 is FreeBSD, 64 is ARM.
    for (at, byte, good) in [
        (7, 0, true),
        (7, 3, true),
        (7, 9, false),
        (7, 64, false),
        (8, 1, false),
        (9, 1, false),
        (15, 1, false),
        (20, 2, false),
    ] {
        let wheel = native(patched(&PLAIN, at, byte));
        assert_eq!(check(&wheel), if good { vec![] } else { vec!["ELF022"] }, "{at} {byte}");
    }
    let unique = patched(&patched(&PLAIN, 7, 3), 8, 1);
    assert_eq!(check(&native(unique)), NONE);
}

#[test]
fn misaligned_and_truncated_segments_are_errors() {
    let number = |at: usize| u64::from_le_bytes(PLAIN[at..at + 8].try_into().unwrap());
    let mut headers = (0..usize::from(PLAIN[56])).map(|index| 64 + 56 * index);
    let last = headers.rfind(|&at| PLAIN[at..at + 4] == [1, 0, 0, 0]).unwrap();
    let with = |values: &[(usize, u64)]| {
        let mut bytes = PLAIN.clone();
        for &(at, value) in values {
            bytes[last + at..last + at + 8].copy_from_slice(&value.to_le_bytes());
        }
        check(&native(bytes))
    };
    assert_eq!(with(&[(48, 1 << 16)]), NONE);
    assert_eq!(with(&[(48, 2048)]), ["ELF022"]);
    let left = PLAIN.len() as u64 - number(last + 8);
    assert_eq!(with(&[(32, left), (40, left)]), NONE);
    assert_eq!(with(&[(32, left + 1), (40, left + 1)]), ["ELF022"]);
}

#[test]
fn musl_omits_some_checks_of_the_loader() {
    let name = "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl";
    let of = |module: Vec<u8>| check(&Fixture::new(name).with("_pkg.abi3.so", module));
    let bare = module(&[], &[]);
    assert_eq!(of(patched(&bare, 7, 9)), NONE);
    assert_eq!(of(built(&["-pie", "-fPIE"])), NONE);
    assert_eq!(of(built(&["-c"])), ["ELF022"]);
}

#[test]
fn needed_libraries_are_errors() {
    let broken = patched(&PLAIN, 7, 9);
    let unneeded = wheel(WHEEL).with(LIBRARY, broken.clone());
    assert_eq!(check(&unneeded), ["ELF023"]);
    let needs = [("f", "V_1", "libx-1.so.2")];
    let user = module(&needs, &["-Wl,-rpath,$ORIGIN/pkg.libs"]);
    assert_eq!(check(&native(user.clone()).with(LIBRARY, broken)), ["ELF022"]);
    assert_eq!(check(&native(user).with(LIBRARY, PLAIN.clone())), NONE);
}

#[test]
fn a_file_with_only_the_name_of_a_library_is_not_bundled() {
    let user = module(&[("f", "V_1", "libx-1.so.2")], &["-Wl,-rpath,$ORIGIN/pkg.libs"]);
    let with = |bytes: Vec<u8>| own(&native(user.clone()).with(LIBRARY, bytes));
    assert_eq!(with(library("f", "V_1", "libx-1.so.2")), NONE);
    assert_eq!(
        own(&native(user.clone()).with("pkg/doc/libx-1.so.2", "a text")),
        ["ELF006", "MET037"]
    );
    assert!(with(patched(&PLAIN, 18, 183)).contains(&"ELF006"), "for another machine");
    assert!(with(built(&["-c"])).contains(&"ELF006"), "an object file");
}

#[test]
fn versions_of_the_loader_are_compared_with_the_promise() {
    let fixture = native(module(&[("f", "GLIBC_2.99", "ld-linux-x86-64.so.2")], &[]));
    assert_eq!(check(&fixture), ["ELF024"]);
    let audit = audit(&fixture, &Expectations::default());
    let message = &audit.findings[0].message;
    assert!(message.contains("`GLIBC_2.99`") && message.contains("`f`"), "{message}");
    assert_eq!(audit.facts.overall_tag, "manylinux_2_5_x86_64", "as auditwheel has it");
    let old = module(&[("__tls_get_addr", "GLIBC_2.3", "ld-linux-x86-64.so.2")], &[]);
    assert_eq!(check(&native(old)), NONE);
    let rseq = [("__rseq_offset", "GLIBC_2.35", "ld-linux-x86-64.so.2")];
    let at = |minor: u32| {
        let name = format!("pkg-1.0-cp311-cp311-manylinux_2_{minor}_x86_64.whl");
        check(&Fixture::new(&name).with(MODULE, module(&rseq, &[])))
    };
    assert_eq!(at(34), ["ELF024"]);
    assert_eq!(at(35), NONE);
    let name = "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl";
    let musl = check(&Fixture::new(name).with("_pkg.abi3.so", module(&rseq, &[])));
    assert!(!musl.contains(&"ELF024"), "musl has no versions");
}

#[test]
fn versions_that_the_loader_has_on_no_system_are_errors() {
    let of = |version: &str, name: &str| {
        let needs = [("f", version, "ld-linux-x86-64.so.2")];
        check(&Fixture::new(name).with(MODULE, module(&needs, &[])))
    };
    // Only the C library defines it.
    for version in ["GLIBC_2.17", "GLIBC_2.14", "GLIBC_PRIVATE"] {
        assert_eq!(of(version, WHEEL), ["ELF027"], "{version}");
        let needs = [("f", version, "ld-linux-x86-64.so.2")];
        let bare = Fixture::new("pkg-1.0-cp311-cp311-linux_x86_64.whl");
        let bare = own(&bare.with(MODULE, module(&needs, &[])));
        assert!(bare.contains(&"ELF027"), "{version}: {bare:?}");
        let musl = of(version, "pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl");
        assert!(!musl.contains(&"ELF027"), "{version}: {musl:?}");
    }
    for version in ["GLIBC_2.2.5", "GLIBC_2.3", "GLIBC_2.35"] {
        assert_eq!(of(version, WHEEL), NONE, "{version}");
    }
    let private = native(module(&[("f", "GLIBC_PRIVATE", "ld-linux-x86-64.so.2")], &[]));
    let audit = audit(&private, &Expectations::default());
    let help = &audit.findings.iter().find(|each| each.code == "ELF027").unwrap().help;
    assert!(help.contains("private symbol"), "{help}");
}

#[test]
fn modules_that_are_not_elf_files_are_errors() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    for (bytes, word) in [
        (b"".as_slice(), "empty"),
        (pointer.as_bytes(), "git-lfs"),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "macOS"),
        (b"MZ\x90\0\x03", "Windows"),
        (b"!<arch>\nx", "archive"),
        (b"void", "text"),
    ] {
        let fixture = native(bytes.to_vec());
        assert_eq!(check(&fixture), ["ELF025"], "{word}");
        let audit = audit(&fixture, &Expectations::default());
        let found = audit.findings.iter().find(|each| each.code == "ELF025").unwrap();
        assert!(found.message.contains(word), "{}", found.message);
        assert_eq!(audit.facts.overall_tag, "linux_x86_64");
        assert_eq!(check(&wheel(WHEEL).with("pkg/_x.so", bytes)), ["ELF026"], "{word}");
    }
    assert_eq!(check(&wheel(WHEEL).with("pkg/libx.so", "INPUT(libx.so.1)")), NONE);
}

#[test]
fn modules_for_other_systems_are_valid_in_their_wheels() {
    let mach = b"\xcf\xfa\xed\xfe\x07\0\0\x01".as_slice();
    let pure = || Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg/__init__.py", "");
    for path in ["pkg/_x.so", "pkg/_x.abi3.so", "pkg/_x.cpython-311-darwin.so"] {
        assert_eq!(check(&pure().with(path, mach)), NONE, "{path}");
        assert_eq!(check(&pure().with(path, "")), ["ELF026"], "{path}");
    }
    let darwin = wheel(WHEEL).with("pkg/_x.cpython-311-darwin.so", mach);
    assert_eq!(check(&darwin), ["ELF026"]);
}

#[test]
fn the_name_of_a_file_outside_of_a_wheel_determines_its_kind() {
    let folder = Folder::new();
    let check = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        audit_file(&path, &Expectations::default(), &Settings::default()).unwrap().verdict
    };
    let program = built(&["-pie", "-fPIE"]);
    assert_eq!(check("run", program.clone()), Verdict::Pass);
    assert_eq!(check(MODULE, program), Verdict::Fail);
    assert_eq!(check("_x.so", PLAIN.clone()), Verdict::Pass);
}
