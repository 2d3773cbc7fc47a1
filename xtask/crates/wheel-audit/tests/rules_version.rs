//! The version of the rules depends on their source and data.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../build/rules.rs"]
mod rules;

use std::path::Path;

#[test]
fn the_version_in_the_program_is_that_of_its_source() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert_eq!(wheel_audit::audit::RULES_VERSION, rules::version(&source).unwrap());
}

#[test]
fn changes_of_rules_and_data_change_the_version_but_tests_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path();
    let write = |name: &str, text: &str| {
        let path = source.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        rules::version(source).unwrap()
    };
    for module in rules::MODULES {
        fs_err::create_dir_all(source.join(module)).unwrap();
    }
    let mut seen = vec![rules::version(source).unwrap()];
    for (name, text) in [
        ("audit/checks/isa.rs", "fn find() {}"),
        ("audit/checks/isa.rs", "fn find() { refuse() }"),
        ("audit/checks/new.rs", ""),
        ("policy/data/manylinux.toml", "a = 1"),
        ("policy/data/manylinux.toml", "a = 2"),
        ("wheel/tag.rs", "x"),
    ] {
        let version = write(name, text);
        assert!(!seen.contains(&version), "{name}: {text}");
        seen.push(version);
    }
    let last = seen.pop().unwrap();
    for name in ["audit/tests/isa.rs", "elf/tests.rs", "policy/tables_tests.rs", "report/x.rs"] {
        assert_eq!(write(name, "x"), last, "{name}");
    }
}
