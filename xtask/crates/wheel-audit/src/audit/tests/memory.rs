//! Small malicious wheels that would use much memory: overlapping names.

#[path = "../../../tests/common/tables.rs"]
mod made;

use super::*;
use made::tables;

fn module_name(index: usize) -> String {
    format!("pkg/m{index}.cpython-311-x86_64-linux-gnu.so")
}

fn with_modules(count: usize, module: &[u8]) -> Fixture {
    (0..count).fold(Fixture::new(WHEEL), |all, index| all.with(&module_name(index), module))
}

fn unaudited(audit: &Audit) -> Vec<&str> {
    let all = audit.findings.iter().filter(|finding| finding.code == "ELF001");
    all.map(|finding| finding.message.as_str()).collect()
}

#[test]
fn all_files_share_one_budget() {
    // Each file alone is within the budget.
    let file = tables(500, 6_000, 1);
    let few = audit(&with_modules(2, &file), &Expectations::default());
    assert_eq!(unaudited(&few), Vec::<&str>::new());
    let many = audit(&with_modules(30, &file), &Expectations::default());
    assert_eq!(many.verdict(), Verdict::Fail);
    assert_eq!(unaudited(&many).len(), 1, "{:?}", many.findings);
    let message = unaudited(&many)[0];
    assert!(message.contains("30 ELF files"), "{message}");
    assert_eq!((many.facts.elf.len(), many.facts.overall_tag.as_str()), (0, "linux_x86_64"));
}

#[test]
fn version_needs_count_with_their_findings() {
    let file = tables(1, 10, 2_000);
    let many = audit(&with_modules(40, &file), &Expectations::default());
    assert!(unaudited(&many)[0].contains("the 40 ELF files"), "{:?}", many.findings.first());
}

#[test]
fn the_names_of_a_file_are_limited() {
    for (file, what) in [
        (tables(4_000, 60_000, 1), "too many symbols"),
        (tables(1, 4_000, 4_000), "names of version needs"),
    ] {
        let audit = audit(&with_modules(1, &file), &Expectations::default());
        assert!(unaudited(&audit)[0].contains(what), "{:?}", audit.findings);
    }
}

/// The number of symbols is checked before reading the table.
#[test]
fn the_symbols_of_a_file_are_limited() {
    let with = |count: u32| {
        let mut file = tables(1, 10, 1);
        let hash = [1_u32, 2].map(u32::to_le_bytes).concat();
        let at = file.windows(hash.len()).position(|window| window == hash).unwrap();
        file[at + 4..at + 8].copy_from_slice(&count.to_le_bytes());
        audit(&with_modules(1, &file), &Expectations::default())
    };
    assert!(unaudited(&with(3 << 20))[0].contains("too many symbols"));
    assert!(!unaudited(&with(1 << 20))[0].contains("too many symbols"), "the table is too short");
}

#[test]
fn the_limit_of_findings_is_reported() {
    let audit = audit(&with_modules(4_500, b"\x7fELF"), &Expectations::default());
    assert!(audit.findings.len() <= 4_001, "{}", audit.findings.len());
    let more = audit.findings.iter().find(|finding| finding.code == "MET040").unwrap();
    assert_eq!(more.severity, Severity::Error);
}

#[test]
fn members_with_too_long_names_are_not_read() {
    let wheel = wheel(WHEEL).with(&"a/".repeat(2_100), "").with("x.so", "\x7fELF");
    assert_eq!(own(&wheel), ["ARC002"]);
    let path = format!("{}x.py", "a/".repeat(2_000));
    assert!(!own(&super::wheel(WHEEL).with(&path, "")).contains(&"ARC002"));
}
