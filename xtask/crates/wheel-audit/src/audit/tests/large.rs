//! Files that are too large for memory.

use super::*;

/// A shared object with `size` bytes of data before its tables of functions and sections.
fn object(folder: &Folder, size: u64) -> Utf8PathBuf {
    let source = format!(
        "typedef float v8 __attribute__((vector_size(32)));\n\
         const char large[{size}] = {{1}};\n\
         static v8 local(v8 a, v8 b);\n\
         v8 PyInit_pkg(v8 a, v8 b) {{ return local(a, b) + b; }}\n\
         __attribute__((noinline)) static v8 local(v8 a, v8 b) {{ return a * b; }}"
    );
    gcc(folder, "module.so", &source, &["-mavx", "-O2"]);
    folder.path().join("module.so")
}

#[cfg(target_arch = "x86_64")]
#[test]
fn code_of_large_files_is_read() {
    let folder = Folder::new();
    let settings = Settings { depth: Depth::Code, ..Settings::default() };
    let expectations =
        Expectations { isa: vec!["x86-64-v2".parse().unwrap()], ..Expectations::default() };
    let found = [1, MAX_WHOLE_ELF + (9 << 20)].map(|size| {
        let audit = audit_file(&object(&folder, size), &expectations, &settings).unwrap();
        let above = audit.findings.into_iter().find(|finding| finding.code == "ISA001").unwrap();
        assert_eq!(audit.facts.unwrap().isa.as_deref(), Some("x86-64-v3"));
        assert!(above.message.contains("`PyInit_pkg`"), "{}", above.message);
        // The addresses of the code differ.
        above.message.replace(|digit: char| digit.is_ascii_hexdigit(), "")
    });
    assert_eq!(found[0], found[1]);
}

/// The number of eight bytes at an offset.
fn number(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
}

fn set(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// The findings about a changed file that is too large for memory.
fn found(change: impl Fn(&mut [u8])) -> Vec<(&'static str, String)> {
    let folder = Folder::new();
    let path = object(&folder, 1);
    let mut bytes = fs_err::read(&path).unwrap();
    change(&mut bytes);
    fs_err::write(&path, bytes).unwrap();
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(MAX_WHOLE_ELF + (200 << 20)).unwrap();
    let settings = Settings { depth: Depth::Code, ..Settings::default() };
    let expectations =
        Expectations { isa: vec!["x86-64-v2".parse().unwrap()], ..Expectations::default() };
    let audit = audit_file(&path, &expectations, &settings).unwrap();
    audit.findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn unused_symbols_may_be_larger_than_memory() {
    let found = found(|bytes| {
        let sections = number(bytes, 0x28);
        let mut headers = bytes[sections..].chunks_exact(64);
        let symbols = headers.position(|header| header[4..8] == [2, 0, 0, 0]).unwrap();
        set(bytes, sections + 64 * symbols + 24, 0);
        set(bytes, sections + 64 * symbols + 32, 200 << 20);
    });
    assert!(matches!(&found[..], [("ISA001", _)]), "{found:?}");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn tables_larger_than_memory_fail() {
    let found = found(|bytes| {
        let segments = bytes[64..].chunks_exact(56).take(usize::from(bytes[0x38]));
        let kinds: Vec<u8> = segments.map(|header| header[0]).collect();
        let place = |kind| 64 + 56 * kinds.iter().rposition(|&each| each == kind).unwrap();
        let (load, dynamic) = (place(1), number(bytes, place(2) + 8));
        let address = number(bytes, load + 16) as u64;
        set(bytes, load + 32, 200 << 20);
        set(bytes, load + 40, 200 << 20);
        // Replace the first two entries by relocations (`DT_RELA`, `DT_RELASZ`).
        for (index, (tag, value)) in [(7, address), (8, 150 << 20)].into_iter().enumerate() {
            set(bytes, dynamic + 16 * index, tag);
            set(bytes, dynamic + 16 * index + 8, value);
        }
    });
    let (code, message) = found.first().unwrap();
    assert!(*code == "ELF001" && message.contains("memory"), "{found:?}");
}
