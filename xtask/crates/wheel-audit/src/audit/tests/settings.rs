//! Overrides of severities.

use glob::Pattern;

use super::*;

fn over(rule: &str, path: Option<&str>, severity: Severity) -> Override {
    let path = path.map(|path| Pattern::new(path).unwrap());
    Override { rule: rule.to_owned(), path, severity, reason: format!("reason of {rule}") }
}

/// The severity and the reason of the only finding of a rule with these settings.
fn audited(fixture: &Fixture, code: &str, publish: bool, overrides: &[Override]) -> Finding {
    let folder = Folder::new();
    let settings = Settings { publish, overrides: overrides.to_vec(), ..Settings::default() };
    let path = fixture.write(folder.path());
    let audit = audit_wheel(&path, &Expectations::default(), &settings).unwrap();
    let mut findings = audit.findings.into_iter().filter(|finding| finding.code == code);
    let finding = findings.next().unwrap();
    assert_eq!(findings.next(), None);
    finding
}

/// A wheel whose module, two folders deep, has a search path of the build machine.
fn with_build_path() -> Fixture {
    let module = module(&[("malloc", "GLIBC_2.2.5", "libc.so.6")], &["-Wl,-rpath,/tmp/build"]);
    Fixture::new(WHEEL).with(&format!("a/b/{MODULE}"), module)
}

#[test]
fn codes_names_and_families_are_overridden_and_the_reason_is_kept() {
    let wheel = with_build_path();
    let build_path = |overrides: &[Override]| {
        let finding = audited(&wheel, "ELF015", false, overrides);
        (finding.severity, finding.reason.unwrap_or_default())
    };
    assert_eq!(build_path(&[]), (Severity::Warning, String::new()));
    for rule in ["ELF015", "search-path-of-the-build", "ELF"] {
        let found = build_path(&[over(rule, None, Severity::Ignored)]);
        assert_eq!(found, (Severity::Ignored, format!("reason of {rule}")));
    }
    assert_eq!(build_path(&[over("ELF010", None, Severity::Error)]).0, Severity::Warning);
    let both = [over("ELF", None, Severity::Ignored), over("ELF015", None, Severity::Error)];
    assert_eq!(build_path(&both).0, Severity::Error, "the later override applies");
}

#[test]
fn an_override_decides_the_verdict() {
    let folder = Folder::new();
    let path = with_build_path().write(folder.path());
    let verdict = |overrides| {
        let settings = Settings { overrides, ..Settings::default() };
        audit_wheel(&path, &Expectations::default(), &settings).unwrap().verdict()
    };
    assert_eq!(verdict(Vec::new()), Verdict::Pass);
    assert_eq!(verdict(vec![over("ELF015", None, Severity::Error)]), Verdict::Fail);
    let broken = module(&[("strlcpy", "GLIBC_2.38", "libc.so.6")], &[]);
    let path = native(broken).write(folder.path());
    let verdict = |overrides| {
        let settings = Settings { overrides, ..Settings::default() };
        audit_wheel(&path, &Expectations::default(), &settings).unwrap().verdict()
    };
    assert_eq!(verdict(Vec::new()), Verdict::Fail);
    assert_eq!(verdict(vec![over("ELF003", None, Severity::Ignored)]), Verdict::Pass);
}

#[test]
fn a_path_matches_the_member_or_the_file_name() {
    let wheel = with_build_path();
    for (path, fits) in [
        ("a/b/*.so", true),
        ("**/*.so", true),
        ("a/**", true),
        ("pkg-*-cp311-*.whl", true),
        ("*.so", false),
        ("a/*.so", false),
        ("pkg-*-cp312-*.whl", false),
    ] {
        let settings = [over("ELF015", Some(path), Severity::Note)];
        let severity = audited(&wheel, "ELF015", false, &settings).severity;
        assert_eq!(severity == Severity::Note, fits, "{path}");
    }
}

#[test]
fn overrides_do_not_apply_to_files_that_an_index_rejects() {
    let wheel = wheel("pkg-1.0-cp311-cp311-linux_x86_64.whl");
    let found =
        |publish, severity| audited(&wheel, "TAG004", publish, &[over("TAG", None, severity)]);
    assert_eq!(found(false, Severity::Ignored).severity, Severity::Ignored);
    let refused = found(true, Severity::Ignored);
    assert_eq!((refused.severity, refused.reason), (Severity::Error, None));
    assert!(
        refused.message.contains("`ignored` in wheels.toml (reason of TAG)"),
        "{}",
        refused.message
    );
    assert!(!found(true, Severity::Error).message.contains("wheels.toml"));
}
