//! Hardening by the linker, and wrong search paths.

use super::*;

/// The codes and messages for a module that was linked with these flags, including notes.
fn findings(flags: &[&str]) -> Vec<(&'static str, String)> {
    let fixture = native(module(&[("malloc", "GLIBC_2.2.5", "libc.so.6")], flags));
    let findings = audit(&fixture, &Expectations::default()).findings;
    findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

fn codes_of(flags: &[&str]) -> Vec<&'static str> {
    findings(flags).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn missing_relro_is_a_note() {
    assert_eq!(codes_of(&[]), Vec::<&str>::new());
    assert_eq!(codes_of(&["-Wl,-z,norelro"]), ["ELF019"]);
    assert_eq!(codes_of(&["-Wl,-z,lazy"]), ["ELF020"]);
    let (_, message) = findings(&["-Wl,-z,lazy"]).remove(0);
    assert!(message.contains("1 of 1 files") && message.contains(MODULE), "{message}");
}

#[test]
fn writable_code_is_a_warning() {
    // This machine's linker puts the code into the second program header.
    let mut bytes = PLAIN.clone();
    let [start, code, flags] = [64, 56, 4];
    let at = start + code + flags;
    assert_eq!(bytes[at], 5, "readable and executable");
    bytes[at] = 7;
    assert_eq!(own(&native(bytes)), ["ELF014"]);
}

#[test]
fn much_debug_information_is_noted_with_its_size() {
    assert_eq!(codes_of(&["-g"]), Vec::<&str>::new(), "small debug information is not reported");
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).into_string();
    fs_err::write(path("module.so"), &*PLAIN).unwrap();
    fs_err::write(path("info"), vec![1; 2_500_000]).unwrap();
    let mut command = Command::new("objcopy");
    command.args(["--add-section", &format!(".debug_info={}", path("info"))]);
    assert!(command.arg(path("module.so")).status().unwrap().success(), "{command:?}");
    let fixture = native(fs_err::read(path("module.so")).unwrap());
    let findings = audit(&fixture, &Expectations::default()).findings;
    let [finding] = findings.as_slice() else { unreachable!("{findings:?}") };
    assert_eq!((finding.code, finding.severity), ("ELF021", Severity::Note));
    assert!(finding.message.starts_with("3 MB of "), "{}", finding.message);
}

#[test]
fn search_paths_of_build_and_caller_are_reported() {
    let with = |path: &str| {
        let flag = format!("-Wl,-rpath,{path}");
        codes_of(&[&flag, "-Wl,--enable-new-dtags"])
    };
    for path in ["/home/me/pkg/build/lib", "/tmp/x", "/build/lib", "/builds/me/lib"] {
        assert_eq!(with(path), ["ELF015"], "{path}");
    }
    for path in ["/usr/local/lib", "/opt/intel/lib"] {
        assert_eq!(with(path), ["ELF016"], "{path}");
    }
    for path in ["$ORIGIN", "$ORIGIN/nvidia/cublas/lib"] {
        assert_eq!(with(path), Vec::<&str>::new(), "{path}");
    }
    assert_eq!(with("$ORIGIN/../../../../../lib"), ["ELF017"]);
    assert_eq!(with("$ORIGIN/../.."), ["ELF017"]);
    for path in [".", "lib", "$ORIGIN::/usr/lib", "../x"] {
        assert!(with(path).contains(&"ELF018"), "{path}");
    }
}

#[test]
fn scripts_may_use_libraries_of_data_folders() {
    let tool = module(&[], &["-Wl,-rpath,$ORIGIN/../lib", "-Wl,--enable-new-dtags"]);
    let fixture = wheel(WHEEL).with("pkg-1.0.data/scripts/tool", tool);
    assert_eq!(own(&fixture), Vec::<&str>::new());
}
