//! Wheels that are small and would take much memory: names that lie in the same few bytes.

use super::*;

/// A shared object with nothing but tables: so many symbols that are bound to a version, and version
/// needs; each name is a part of one long one.
fn tables(symbols: usize, name: usize, needs: usize) -> Vec<u8> {
    fn words(values: &[usize]) -> Vec<u8> {
        values.iter().flat_map(|&value| (value as u64).to_le_bytes()).collect()
    }
    fn halves(values: &[usize]) -> Vec<u8> {
        values.iter().flat_map(|&value| u32::try_from(value).unwrap().to_le_bytes()).collect()
    }
    fn shorts(values: &[usize]) -> Vec<u8> {
        values.iter().flat_map(|&value| u16::try_from(value).unwrap().to_le_bytes()).collect()
    }
    const HEADERS: usize = 64 + 2 * 56;
    let strings = [b"\0libc.so.6\0", "a".repeat(name).as_bytes(), b"\0"].concat();
    let (library, names) = (1, 11);
    let symbol = |index: usize| {
        let entry = halves(&[names + index % name]);
        [entry, vec![0x12, 0, 0, 0], words(&[0, 0])].concat()
    };
    let table: Vec<u8> = [vec![0; 24], (0..symbols).flat_map(symbol).collect()].concat();
    let versions = shorts(
        &[0].into_iter().chain((0..symbols).map(|index| 2 + index % needs)).collect::<Vec<_>>(),
    );
    let need = |index: usize| {
        let next = if index + 1 == needs { 0 } else { 16 };
        let number = shorts(&[0, 2 + index]);
        [halves(&[0]), number, halves(&[names + name - 1 - index % name.min(4_000), next])].concat()
    };
    let first = [shorts(&[1, needs]), halves(&[library, 16, 0])].concat();
    let needs: Vec<u8> = [first, (0..needs).flat_map(need).collect()].concat();
    let hash = halves(&[1, symbols + 1]);
    let mut at = HEADERS;
    let mut body = Vec::new();
    let places = [table, versions, needs, strings.clone(), hash].map(|part| {
        body.resize(at - HEADERS, 0);
        let place = at;
        body.extend(part);
        at = (HEADERS + body.len()).next_multiple_of(8);
        place
    });
    body.resize(at - HEADERS, 0);
    let [table, versions, needs, text, hash] = places;
    let dynamic = [
        (1, library),
        (5, text),
        (10, strings.len()),
        (6, table),
        (4, hash),
        (0x6fff_fff0, versions),
        (0x6fff_fffe, needs),
        (0, 0),
    ];
    body.extend(dynamic.iter().flat_map(|&(tag, value)| words(&[tag, value])));
    let (size, length) = (dynamic.len() * 16, HEADERS + body.len());
    let header = [
        b"\x7fELF\x02\x01\x01".to_vec(),
        vec![0; 9],
        shorts(&[3, 62]),
        halves(&[1]),
        words(&[0, 64, 0]),
        halves(&[0]),
        shorts(&[64, 56, 2, 64, 0, 0]),
    ];
    let load = [halves(&[1, 4]), words(&[0, 0, 0, length, length, 4096])].concat();
    let dynamic = [halves(&[2, 4]), words(&[at, at, at, size, size, 8])].concat();
    [header.concat(), load, dynamic, body].concat()
}

fn module_name(index: usize) -> String {
    format!("pkg/m{index}.cpython-311-x86_64-linux-gnu.so")
}

fn with_modules(count: usize, module: &[u8]) -> Fixture {
    (0..count).fold(Fixture::new(WHEEL), |all, index| all.with(&module_name(index), module))
}

fn unjudged(audit: &Audit) -> Vec<&str> {
    let all = audit.findings.iter().filter(|finding| finding.code == "ELF001");
    all.map(|finding| finding.message.as_str()).collect()
}

#[test]
fn the_names_of_all_files_have_one_budget() {
    // Each file alone is none too many.
    let file = tables(500, 6_000, 1);
    let few = audit(&with_modules(2, &file), &Promise::default());
    assert_eq!(unjudged(&few), Vec::<&str>::new());
    let many = audit(&with_modules(30, &file), &Promise::default());
    assert_eq!(many.verdict(), Verdict::Fail);
    assert_eq!(unjudged(&many).len(), 1, "{:?}", many.findings);
    let message = unjudged(&many)[0];
    assert!(message.contains("the 30 ELF files of the wheel"), "{message}");
    assert_eq!((many.facts.elf.len(), many.facts.overall_tag.as_str()), (0, "linux_x86_64"));
}

#[test]
fn version_needs_count_as_what_they_may_come_to() {
    let file = tables(1, 10, 2_000);
    let many = audit(&with_modules(40, &file), &Promise::default());
    assert!(unjudged(&many)[0].contains("the 40 ELF files"), "{:?}", many.findings.first());
}

#[test]
fn the_names_of_one_file_have_an_end() {
    for (file, what) in [
        (tables(4_000, 60_000, 1), "too many symbols"),
        (tables(1, 4_000, 4_000), "names of version needs"),
    ] {
        let audit = audit(&with_modules(1, &file), &Promise::default());
        assert!(unjudged(&audit)[0].contains(what), "{:?}", audit.findings);
    }
}

#[test]
fn findings_have_an_end_that_is_told() {
    let audit = audit(&with_modules(4_500, b"\x7fELF"), &Promise::default());
    assert!(audit.findings.len() <= 4_001, "{}", audit.findings.len());
    let more = audit.findings.iter().find(|finding| finding.code == "MET040").unwrap();
    assert_eq!(more.severity, Severity::Error);
}

#[test]
fn of_names_that_no_system_takes_nothing_more_is_read() {
    let wheel = wheel(WHEEL).with(&"a/".repeat(2_100), "").with("x.so", "\x7fELF");
    assert_eq!(own(&wheel), ["ARC002"]);
    let path = format!("{}x.py", "a/".repeat(2_000));
    assert!(!own(&super::wheel(WHEEL).with(&path, "")).contains(&"ARC002"));
}
