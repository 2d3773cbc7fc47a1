#![expect(clippy::unwrap_used, reason = "a test may stop at once")]
#![expect(clippy::panic, reason = "a test may stop at once")]

use std::{process::Command, sync::LazyLock};

use proptest::prelude::*;

use super::*;

#[path = "exports_tests.rs"]
mod exports;

/// Compiles C into a shared object or, with other flags, an executable.
fn compile(source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.c"), folder.path().join("out"));
    fs_err::write(&input, source).unwrap();
    let status =
        Command::new("gcc").arg(&input).arg("-o").arg(&output).args(flags).status().unwrap();
    assert!(status.success());
    fs_err::read(output).unwrap()
}

const MODULE: &str = r#"
    #include <string.h>
    #include <stdlib.h>
    extern int elsewhere(void);
    extern int perhaps(void) __attribute__((weak));
    void *PyInit_fixture(void) { return perhaps ? 0 : memcpy(malloc(elsewhere()), "x", elsewhere()); }
"#;

static SHARED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    compile(
        MODULE,
        &["-shared", "-fPIC", "-fno-builtin", "-Wl,-soname,libfixture.so.1", "-Wl,-rpath,$ORIGIN"],
    )
});

/// The file without its section headers, which the loader never reads.
fn without_sections(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[0x28..0x30].fill(0);
    bytes[0x3a..0x40].fill(0);
    bytes
}

fn import<'a>(facts: &'a ElfFacts, name: &str) -> &'a Import {
    facts.imports.iter().find(|each| each.name == name).unwrap()
}

#[test]
fn a_shared_object_is_read() {
    let facts = ElfFacts::parse(&SHARED).unwrap();
    assert_eq!(facts.kind, ElfKind::Shared);
    assert_eq!(facts.soname.as_deref(), Some("libfixture.so.1"));
    assert!(facts.needed.contains(&"libc.so.6".to_owned()));
    assert_eq!(facts.runpath.as_deref().or(facts.rpath.as_deref()), Some("$ORIGIN"));
    assert_eq!(facts.module_inits, BTreeSet::from(["PyInit_fixture".to_owned()]));
    let need = &facts.version_needs[import(&facts, "memcpy").need.unwrap()];
    assert_eq!(need.library, "libc.so.6");
    assert!(need.version.starts_with("GLIBC_2."));
    assert!(import(&facts, "perhaps").weak);
    assert_eq!(import(&facts, "elsewhere").need, None);
    assert!(!facts.executable_stack && !facts.text_relocations && !facts.writable_code);
    assert!(facts.compilers.iter().any(|line| line.contains("GCC")), "{:?}", facts.compilers);
}

#[test]
fn section_headers_change_nothing() {
    let (mut with, without) =
        (ElfFacts::parse(&SHARED).unwrap(), ElfFacts::parse(&without_sections(&SHARED)).unwrap());
    with.compilers.clear();
    assert!(!without.version_needs.is_empty());
    assert_eq!(with, without);
}

/// Reads a file in parts: first the header, then the requested parts.
fn from_parts(bytes: &[u8]) -> Result<ElfFacts, ElfError> {
    let keep = |mut buffer: RegionBuffer| {
        bytes.chunks(1000).for_each(|piece| buffer.feed(piece));
        buffer.finish()
    };
    let nothing = RegionBuffer::new(bytes.len() as u64, 0).finish();
    let mut kept = keep(RegionBuffer::again(&nothing, std::slice::from_ref(&(0..64))));
    for _ in 0..8 {
        match ElfFacts::read(&kept) {
            Reading::Done(result) => return *result,
            Reading::More(more) => {
                kept = keep(
                    RegionBuffer::again(&kept, &more.parts).with_filter(more.names, &mut kept),
                );
            }
        }
    }
    panic!("requests parts endlessly");
}

#[test]
fn a_file_in_parts_is_read_like_the_whole() {
    for style in ["-Wl,--hash-style=gnu", "-Wl,--hash-style=sysv", "-Wl,-z,noseparate-code"] {
        let bytes = compile(MODULE, &["-shared", "-fPIC", "-g", style]);
        let (mut parts, mut whole) =
            (from_parts(&bytes).unwrap(), ElfFacts::parse(&bytes).unwrap());
        // Only hints, which are not requested.
        for facts in [&mut parts, &mut whole] {
            facts.compilers.clear();
            facts.debug_bytes = 0;
        }
        assert_eq!(parts, whole);
    }
    assert_eq!(from_parts(&SHARED[..5000]), ElfFacts::parse(&SHARED[..5000]));
}

/// A shared object with 36 MiB of names, including imports and an init function.
fn with_long_names() -> Vec<u8> {
    let long = "x".repeat(60_000);
    let numbers: Vec<String> = (0..630).map(|number| number.to_string()).collect();
    let source = format!(
        "{MODULE}\n__asm__(\".irp number,{}\\n.globl {long}\\\\number\\n{long}\\\\number:\\n.endr\");",
        numbers.join(",")
    );
    compile(&source, &["-shared", "-fPIC", "-fno-builtin", "-s"])
}

/// The file offsets of the sections with these names.
fn sections(bytes: &[u8], names: &[&str]) -> Vec<Range<u64>> {
    let elf = goblin::elf::Elf::parse(bytes).unwrap();
    let named = |name: &&str| {
        let is_it =
            |each: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(each.sh_name) == Some(name);
        let section = elf.section_headers.iter().find(is_it).unwrap();
        section.sh_offset..section.sh_offset + section.sh_size
    };
    names.iter().map(named).collect()
}

#[test]
fn names_of_interest_are_kept_from_a_large_table() {
    let mut bytes = with_long_names();
    let found = sections(&bytes, &[".dynsym", ".dynstr", ".rela.dyn", ".dynamic"]);
    let [symbols, names, relocations, dynamic] = &found[..] else { panic!() };
    assert!(names.end - names.start > MAX_STRINGS);
    let whole = ElfFacts::parse(&bytes).unwrap();
    assert!(whole.imports.iter().any(|each| each.name == "memcpy"));
    let parts = [0..names.start, names.end..relocations.start, relocations.end..bytes.len() as u64];
    let keep = |bytes: &[u8], mut buffer: RegionBuffer| {
        bytes.chunks(1 << 16).for_each(|piece| buffer.feed(piece));
        buffer.finish()
    };
    let read = |bytes: &[u8]| {
        let nothing = RegionBuffer::new(bytes.len() as u64, 0).finish();
        let mut kept = keep(bytes, RegionBuffer::again(&nothing, &parts));
        for pass in 0..8 {
            let more = match ElfFacts::read(&kept) {
                Reading::Done(facts) => return (pass, *facts),
                Reading::More(more) => more,
            };
            let buffer = RegionBuffer::again(&kept, &more.parts).with_filter(more.names, &mut kept);
            assert!(buffer.budget() < MAX_STRINGS, "{}", buffer.budget());
            kept = keep(bytes, buffer);
        }
        panic!("requests parts endlessly");
    };
    // All parts are requested at once, although only the relocations contain the number of symbols.
    assert_eq!(read(&bytes), (1, Ok(whole.clone())));
    // Another table seems to be within the symbol table (the entry replaces the last one).
    let (at, inside) = (usize::try_from(dynamic.end).unwrap() - 32, symbols.start + 24);
    assert_eq!(bytes[at..at + 32], [0; 32]);
    // `DT_REL`, which has no meaning without a size.
    bytes[at..at + 8].copy_from_slice(&17_u64.to_le_bytes());
    bytes[at + 8..at + 16].copy_from_slice(&inside.to_le_bytes());
    let end = (0..).map(|entry| usize::try_from(dynamic.start).unwrap() + 16 * entry);
    for place in end
        .take_while(|&place| place < at)
        .filter(|&place| bytes[place..place + 16] == [0; 16])
        .collect::<Vec<_>>()
    {
        // An entry without a meaning (`DT_LOOS`).
        bytes[place..place + 8].copy_from_slice(&0x6000_000d_u64.to_le_bytes());
    }
    assert_eq!(read(&bytes), (2, Ok(whole)));
}

#[test]
fn only_the_required_parts_of_a_large_file_are_kept() {
    let source = "char data[14 << 20] = {1}; int PyInit_large(void) { return data[5]; }";
    let bytes = compile(source, &["-shared", "-fPIC"]);
    let mut buffer = RegionBuffer::new(bytes.len() as u64, 1 << 20);
    bytes.chunks(60_000).for_each(|piece| buffer.feed(piece));
    assert!(buffer.budget() < 13 << 20, "{}", buffer.budget());
    let Reading::Done(facts) = ElfFacts::read(&buffer.finish()) else {
        panic!("something is missing")
    };
    assert_eq!(*facts, ElfFacts::parse(&bytes));
}

#[test]
fn symbols_are_counted_with_each_kind_of_hash_table() {
    // The file exports nothing, so the GNU hash table is empty.
    let quiet = "#include <stdlib.h>\nstatic void *f(void) { return malloc(1); } __attribute__((constructor)) static void g(void) { f(); }";
    for style in ["gnu", "sysv", "both"] {
        let style = format!("-Wl,--hash-style={style}");
        let facts = ElfFacts::parse(&compile(quiet, &["-shared", "-fPIC", "-O0", &style])).unwrap();
        assert!(import(&facts, "malloc").need.is_some(), "{style}");
    }
}

#[test]
fn executables_have_a_loader_and_startup_needs() {
    let facts =
        ElfFacts::parse(&compile("int main(void) { return 0; }", &["-pie", "-fPIE"])).unwrap();
    assert_eq!((facts.kind, facts.interpreter.is_some()), (ElfKind::Shared, true));
    assert!(import(&facts, "__libc_start_main").need.is_some());
    let facts = ElfFacts::parse(&compile("int main(void) { return 0; }", &["-static"])).unwrap();
    assert_eq!(
        (facts.kind, facts.needed.len(), facts.version_needs.len()),
        (ElfKind::Executable, 0, 0)
    );
}

#[test]
fn copied_variables_keep_their_version() {
    let source = "#include <stdio.h>\nint main(void) { return stdout == 0; }";
    let facts = ElfFacts::parse(&compile(source, &["-no-pie", "-fno-pie"])).unwrap();
    assert!(import(&facts, "stdout").need.is_some());
}

#[test]
fn imports_have_the_time_of_their_lookup() {
    let source = "extern int called(void), pointed(void), data, both(void);
        void *p = pointed, *q = both; int f(void) { return called() + both() + data; }";
    let with = |flags: &[&str]| {
        let flags = [&["-shared", "-fPIC", "-nostdlib"], flags].concat();
        let facts = ElfFacts::parse(&compile(source, &flags)).unwrap();
        ["called", "pointed", "data", "both"].map(|name| import(&facts, name).binding)
    };
    assert_eq!(with(&["-Wl,-z,lazy"])[0], Binding::Call);
    assert_eq!(with(&["-Wl,-z,lazy"])[1..], [Binding::Load; 3]);
    assert_eq!(with(&["-Wl,-z,now"]), [Binding::Load; 4]);
    assert_eq!(with(&["-Wl,-z,lazy", "-fno-plt"]), [Binding::Load; 4]);
}

#[test]
fn hidden_symbols_are_not_looked_up() {
    // The entry of `elsewhere` becomes hidden (`STV_HIDDEN`).
    let mut bytes = SHARED.clone();
    assert_eq!(import(&ElfFacts::parse(&bytes).unwrap(), "elsewhere").binding, Binding::Call);
    let symbols = sections(&bytes, &[".dynsym"])[0].clone();
    let elf = goblin::elf::Elf::parse(&SHARED).unwrap();
    let is_it =
        |symbol: &goblin::elf::Sym| elf.dynstrtab.get_at(symbol.st_name) == Some("elsewhere");
    let index = elf.dynsyms.iter().position(|symbol| is_it(&symbol)).unwrap();
    bytes[usize::try_from(symbols.start).unwrap() + 24 * index + 5] = 2;
    assert_eq!(import(&ElfFacts::parse(&bytes).unwrap(), "elsewhere").binding, Binding::Never);
}

#[test]
fn defined_versions_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("map");
    fs_err::write(&script, "V_1 { global: f; }; V_2 { global: g; local: *; } V_1;").unwrap();
    let script = format!("-Wl,--version-script,{}", script.display());
    let flags = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libv.so.1", &script];
    let bytes = compile("void f(void) {} void g(void) {} void h(void) {}", &flags);
    let facts = ElfFacts::parse(&bytes).unwrap();
    assert_eq!(facts.version_defs, ["libv.so.1", "V_1", "V_2"]);
    let has = |name: &str| facts.exports.contains(symbol_hash(name.as_bytes())).unwrap();
    assert_eq!(["f", "g", "h"].map(has), [true, true, false]);
    assert_eq!(from_parts(&bytes).unwrap().version_defs, facts.version_defs);
    assert!(ElfFacts::parse(&SHARED).unwrap().version_defs.is_empty());
}

#[test]
fn hardening_is_read() {
    let full =
        ElfFacts::parse(&compile(MODULE, &["-shared", "-fPIC", "-Wl,-z,relro,-z,now"])).unwrap();
    assert_eq!(full.relro, Relro::Full);
    let none = ElfFacts::parse(&compile(
        MODULE,
        &["-shared", "-fPIC", "-Wl,-z,norelro,-z,lazy", "-z", "execstack"],
    ))
    .unwrap();
    assert_eq!((none.relro, none.executable_stack), (Relro::None, true));
}

#[test]
fn packed_relocations_are_detected() {
    let source = "int x; int *p[] = { &x, &x, &x };";
    let packed =
        ElfFacts::parse(&compile(source, &["-shared", "-fPIC", "-Wl,-z,pack-relative-relocs"]))
            .unwrap();
    assert!(packed.relative_relocations);
    assert!(!ElfFacts::parse(&SHARED).unwrap().relative_relocations);
}

#[test]
fn an_object_file_has_no_needs() {
    let facts = ElfFacts::parse(&compile("int x;", &["-c"])).unwrap();
    assert_eq!(facts.kind, ElfKind::Object);
}

/// A file with appended tables in additional segments, as tools such as patchelf create them. They replace unused
/// program headers.
struct Patched {
    bytes: Vec<u8>,
    /// The address of the tables.
    address: usize,
    /// Their file offset.
    offset: usize,
}

impl Patched {
    fn new() -> Self {
        let mut bytes = SHARED.clone();
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        let offset = bytes.len();
        Self { bytes, address: offset + (1 << 30), offset }
    }

    fn number(&self, at: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())).unwrap()
    }

    fn set(&mut self, at: usize, value: usize) {
        self.bytes[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }

    /// The offset of the program header of a kind.
    fn header(&self, kind: u32) -> usize {
        let mut all = (64..).step_by(56).take(usize::from(self.bytes[0x38]));
        all.find(|&at| self.bytes[at..at + 4] == kind.to_le_bytes()).unwrap()
    }

    /// The offset of the dynamic entry with a tag.
    fn entry(&self, tag: usize) -> usize {
        let start = self.number(self.header(PT_DYNAMIC) + 8);
        (start..).step_by(16).find(|&at| self.number(at) == tag).unwrap()
    }

    /// Loads bytes of the tables with a replaced program header.
    fn load(&mut self, kind: u32, skip: usize, size: usize) {
        let at = self.header(kind);
        self.bytes[at..at + 4].copy_from_slice(&PT_LOAD.to_le_bytes());
        let (offset, address) = (self.offset + skip, self.address + skip);
        for (field, value) in [(8, offset), (16, address), (32, size), (40, size)] {
            self.set(at + field, value);
        }
    }
}

#[test]
fn a_dynamic_section_after_its_segment_on_the_same_page_is_read() {
    let mut file = Patched::new();
    let at = file.header(PT_DYNAMIC);
    let (start, size) = (file.number(at + 8), file.number(at + 32));
    file.bytes.resize(file.offset + 0x928, 0);
    file.bytes.extend_from_within(start..start + size);
    file.set(at + 8, file.offset + 0x928);
    file.set(at + 16, file.address + 0x928);
    file.load(PT_GNU_STACK, 0, 0x910);
    let facts = ElfFacts::parse(&file.bytes).unwrap();
    assert_eq!(facts.imports, ElfFacts::parse(&SHARED).unwrap().imports);
    // The rest of a segment that is longer in memory is zeros.
    let mut longer = file;
    let loads = (64..).step_by(56).take(usize::from(longer.bytes[0x38]));
    let load =
        loads.filter(|&at| longer.bytes[at..at + 4] == PT_LOAD.to_le_bytes()).last().unwrap();
    longer.set(load + 40, 0x2000);
    let outside = ElfFacts::parse(&longer.bytes);
    assert!(matches!(outside, Err(ElfError::Outside { .. })), "{outside:?}");
}

#[test]
fn a_string_table_may_span_two_segments() {
    let mut file = Patched::new();
    let (entry, size) = (file.entry(5), file.number(file.entry(10) + 8));
    // The first segment maps the file's start at address 0.
    let start = file.number(entry + 8);
    let skip = 0x1000 - size / 2;
    file.bytes.resize(file.offset + skip, 0);
    file.bytes.extend_from_within(start..start + size);
    file.set(entry + 8, file.address + skip);
    file.load(PT_GNU_STACK, 0, 0x1000);
    file.load(PT_GNU_RELRO, 0x1000, size);
    let facts = ElfFacts::parse(&file.bytes).unwrap();
    assert_eq!(facts.imports, ElfFacts::parse(&SHARED).unwrap().imports);
}

#[test]
fn unreadable_files_are_errors() {
    assert!(ElfFacts::parse(b"").is_err());
    assert!(ElfFacts::parse(b"\x7fELF").is_err());
    let mut no_segments = SHARED.clone();
    no_segments[0x38..0x3a].fill(0);
    assert_eq!(ElfFacts::parse(&no_segments), Err(ElfError::Dynamic("missing in a shared object")));
    for length in (0..SHARED.len()).step_by(97) {
        // Truncation never hides needs without an error.
        if let Ok(facts) = ElfFacts::parse(&SHARED[..length]) {
            assert_eq!(facts.version_needs, ElfFacts::parse(&SHARED).unwrap().version_needs);
        }
    }
}

#[test]
fn an_overlapping_chain_of_version_needs_ends() {
    let mut bytes = SHARED.clone();
    let source = SHARED.as_slice();
    let mut image = Image::open(&source).unwrap();
    image.read_segments().unwrap();
    let dynamic =
        Dynamic::parse(&image, image.segment(PT_DYNAMIC).unwrap().unwrap().p_vaddr).unwrap();
    let address = dynamic.get(goblin::elf::dynamic::DT_VERNEED).unwrap();
    // The first segment maps the file's start at address 0.
    let offset = usize::try_from(address).unwrap();
    bytes[offset + 12..offset + 16].copy_from_slice(&1_u32.to_le_bytes());
    bytes[offset + 28..offset + 32].copy_from_slice(&1_u32.to_le_bytes());
    assert!(ElfFacts::parse(&bytes).is_err());
}

proptest! {
    #[test]
    fn exports_contain_exactly_their_hashes(
        names in prop::collection::btree_set("[a-z_]{0,12}", 0..60),
        others in prop::collection::vec("[a-z_]{0,12}", 0..30),
    ) {
        let hash = |name: &String| symbol_hash(name.as_bytes());
        let exports = Exports::of(names.iter().map(hash).collect());
        for name in names.iter().chain(&others) {
            let is_in = names.iter().any(|each| hash(each) == hash(name));
            prop_assert_eq!(exports.contains(hash(name)), Some(is_in));
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = ElfFacts::parse(&bytes);
        let _ = ElfFacts::parse(&[b"\x7fELF\x02\x01\x01".as_slice(), &bytes].concat());
        let _ = ElfFacts::parse(&[b"\x7fELF\x01\x02\x01".as_slice(), &bytes].concat());
    }

    #[test]
    fn changes_of_a_real_file_do_not_panic(
        changes in prop::collection::vec((0_usize..4096, any::<u8>()), 1..24),
        length in 0_usize..20_000,
    ) {
        let mut bytes = SHARED.clone();
        let end = bytes.len();
        for (at, value) in changes {
            bytes[at % end] = value;
        }
        let _ = ElfFacts::parse(&bytes);
        let _ = ElfFacts::parse(&bytes[..length.min(end)]);
    }
}
