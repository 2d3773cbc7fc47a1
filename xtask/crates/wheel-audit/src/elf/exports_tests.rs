//! Tests of the exports from the hash tables.

use super::*;

/// The defined names, according to `readelf`.
fn defined(path: &str) -> BTreeSet<String> {
    let output = Command::new("readelf").args(["-W", "--dyn-syms", path]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let symbol = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, _, binding, _, section, name, ..] = words[..] else { return None };
        let is_exported = binding != "LOCAL" && section != "UND" && section != "Ndx";
        is_exported.then(|| name.split('@').next().unwrap_or(name).to_owned())
    };
    text.lines().filter_map(symbol).collect()
}

#[test]
fn exports_equal_those_of_readelf() {
    for library in ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"] {
        let found =
            Command::new("gcc").arg(format!("-print-file-name={library}")).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        let names = defined(path.trim());
        assert!(names.len() > 10, "{library}");
        let facts = ElfFacts::parse(&fs_err::read(path.trim()).unwrap()).unwrap();
        let hashes: BTreeSet<u32> = names.iter().map(|name| symbol_hash(name.as_bytes())).collect();
        assert_eq!(facts.exports.count(), hashes.len(), "{library}");
        assert!(hashes.iter().all(|&hash| facts.exports.contains(hash) == Some(true)), "{library}");
    }
}

#[test]
fn exports_are_the_same_with_either_hash_table() {
    let exports = |style: &str| {
        let style = format!("-Wl,--hash-style={style}");
        let bytes = compile(MODULE, &["-shared", "-fPIC", "-Wl,-z,relro", &style]);
        assert_eq!(from_parts(&bytes).unwrap().exports, ElfFacts::parse(&bytes).unwrap().exports);
        ElfFacts::parse(&bytes).unwrap().exports
    };
    assert_eq!(exports("gnu").contains(symbol_hash(b"PyInit_fixture")), Some(true));
    assert_eq!(exports("gnu").contains(symbol_hash(b"malloc")), Some(false));
    assert_eq!(exports("sysv"), exports("gnu"));
    assert_eq!(exports("both"), exports("gnu"));
}

/// Linkers other than GNU ld write a single bucket, which does not determine the lowest bit of a hash.
#[test]
fn a_table_with_one_bucket_has_odd_and_even_hashes() {
    let flags = ["-shared", "-fPIC", "-nostdlib", "-Wl,--hash-style=gnu"];
    for (name, source) in [("a", "void a(void) {}"), ("b", "void b(void) {}")] {
        let hash = symbol_hash(name.as_bytes());
        let mut bytes = compile(source, &flags);
        // Number of buckets (2), first symbol in a chain, one word of the Bloom filter.
        let head = [2_u32, 1, 1].map(u32::to_le_bytes).concat();
        let table = bytes.windows(head.len()).position(|part| part == head).unwrap();
        let mut set = |offset: usize, value: u32| {
            let at = table + offset;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        };
        set(0, 1);
        set(24, 1);
        set(28, hash | 1);
        let exports = ElfFacts::parse(&bytes).unwrap().exports;
        assert_eq!(exports.contains(hash), Some(true), "{name}");
        assert_eq!(exports.contains(symbol_hash(b"malloc")), Some(false));
    }
}
