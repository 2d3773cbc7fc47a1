//! Files too large to be held in memory as a whole.

use super::*;

/// A shared object whose tables of functions and sections lie behind `size` bytes of data.
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
fn their_code_is_read_as_it_passes_by() {
    let folder = Folder::new();
    let settings = Settings { depth: Depth::Code, ..Settings::default() };
    let promise = Promise { isa: vec!["x86-64-v2".parse().unwrap()], ..Promise::default() };
    let found = [1, MAX_WHOLE_ELF + (9 << 20)].map(|size| {
        let audit = audit_file(&object(&folder, size), &promise, &settings).unwrap();
        let above = audit.findings.into_iter().find(|finding| finding.code == "ISA001").unwrap();
        assert_eq!(audit.facts.unwrap().isa.as_deref(), Some("x86-64-v3"));
        assert!(above.message.contains("`PyInit_pkg`"), "{}", above.message);
        // Where the code lies in memory is another matter.
        above.message.replace(|digit: char| digit.is_ascii_hexdigit(), "")
    });
    assert_eq!(found[0], found[1]);
}

#[test]
fn tables_without_an_end_are_no_pass() {
    // A section of symbols that is said to be larger than any real one.
    let folder = Folder::new();
    let path = object(&folder, 1);
    let mut bytes = fs_err::read(&path).unwrap();
    let number = |bytes: &[u8], at: usize| {
        usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
    };
    let sections = number(&bytes, 0x28);
    let mut headers = bytes[sections..].chunks_exact(64).enumerate();
    let symbols = headers.find(|(_, header)| header[4..8] == [2, 0, 0, 0]).unwrap().0;
    let at = sections + 64 * symbols;
    bytes[at + 24..at + 32].copy_from_slice(&0_u64.to_le_bytes());
    bytes[at + 32..at + 40].copy_from_slice(&(200_u64 << 20).to_le_bytes());
    fs_err::write(&path, bytes).unwrap();
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(MAX_WHOLE_ELF + (200 << 20)).unwrap();
    let settings = Settings { depth: Depth::Code, ..Settings::default() };
    let promise = Promise { isa: vec!["x86-64-v2".parse().unwrap()], ..Promise::default() };
    let audit = audit_file(&path, &promise, &settings).unwrap();
    let codes: Vec<_> = audit.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["ISA003"], "{:?}", audit.findings);
}
