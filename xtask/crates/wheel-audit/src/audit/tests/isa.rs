//! The processor level of code and markers.

#![cfg(target_arch = "x86_64")]

use super::*;

fn built(source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    gcc(&folder, "module.so", source, flags);
    fs_err::read(folder.path().join("module.so")).unwrap()
}

const INIT: &str = "void *PyInit__pkg(void) { return 0; }";

#[test]
fn a_marker_above_the_baseline_excludes_a_manylinux_tag() {
    let tag = |flags: &[&str]| {
        let facts = audit(&native(built(INIT, flags)), &Expectations::default()).facts;
        facts.overall_tag
    };
    assert_eq!(tag(&["-Wl,-z,x86-64-v3"]), "linux_x86_64");
    assert_eq!(tag(&["-Wl,-z,x86-64-baseline"]), "manylinux_2_5_x86_64");
    assert_eq!(tag(&[]), "manylinux_2_5_x86_64");
}

/// The codes of findings about the processor, each with its severity.
fn found(fixture: &Fixture, promised: &[&str]) -> Vec<(&'static str, Severity)> {
    let isa = promised.iter().map(|level| level.parse().unwrap()).collect();
    let audit = audit(fixture, &Expectations { isa, ..Expectations::default() });
    let own = audit.findings.iter().filter(|finding| finding.code.starts_with("ISA"));
    own.map(|finding| (finding.code, finding.severity)).collect()
}

/// A function that needs AVX2 and is not called at import.
const WIDE: &str = "typedef int v8 __attribute__((vector_size(32)));\n\
    __attribute__((target(\"avx2\"))) void wide(v8 *a, v8 *b) { *a += *b; }\n";

#[test]
fn without_a_promise_code_above_the_baseline_is_a_warning() {
    let wide = native(built(&format!("{WIDE}{INIT}"), &["-O2"]));
    assert_eq!(found(&wide, &[]), [("ISA004", Severity::Warning)]);
    assert_eq!(found(&wide, &["x86-64-v2"]), [("ISA001", Severity::Error)]);
    assert_eq!(found(&wide, &["x86-64-v3"]), []);
    assert_eq!(found(&wide, &["armv8-a"]), [], "no promise for this architecture");
    assert_eq!(found(&native(PLAIN.clone()), &[]), []);
}

#[test]
fn files_with_the_same_level_and_certainty_are_one_finding() {
    let file = |count: usize| {
        let wide = |index| WIDE.replace("wide(", &format!("wide{index}("));
        built(&(0..count).map(wide).collect::<String>(), &["-O2"])
    };
    let fixture =
        (1..6).fold(wheel(WHEEL), |all, count| all.with(&format!("pkg/_m{count}.so"), file(count)));
    let places = |isa: &[&str]| {
        let isa = isa.iter().map(|level| level.parse().unwrap()).collect();
        let audit = audit(&fixture, &Expectations { isa, ..Expectations::default() });
        let own = audit.findings.into_iter().filter(|finding| finding.code.starts_with("ISA"));
        own.map(|finding| (finding.code, finding.places().count())).collect::<Vec<_>>()
    };
    assert_eq!(places(&[]), [("ISA004", 5)]);
    assert_eq!(places(&["x86-64-v2"]), [("ISA001", 5)]);
}

#[test]
fn guarded_code_is_no_warning() {
    let check = "int checks(void) { int a = 7, b, c, d; __asm__ volatile(\"cpuid\" : \"+a\"(a), \"=b\"(b), \"=c\"(c), \"=d\"(d)); return b; }";
    let guarded = native(built(&format!("{WIDE}{check}{INIT}"), &["-O2"]));
    assert_eq!(found(&guarded, &[]), []);
    assert_eq!(found(&guarded, &["x86-64-v1"]), [("ISA002", Severity::Warning)]);
}

/// A wheel whose module needs AVX2 in one function, and is linked with a library.
fn linked(library: &str, name: &str) -> Fixture {
    let folder = Folder::new();
    gcc(&folder, name, library, &["-O2", &format!("-Wl,-soname,{name}")]);
    let source = format!("extern int level(void); int (*use)(void) = level; {WIDE}{INIT}");
    gcc(&folder, "module.so", &source, &["-O2", name]);
    let read = |name| fs_err::read(folder.path().join(name)).unwrap();
    native(read("module.so")).with(&format!("pkg.libs/{name}"), read(name))
}

const LEVEL: &str = "int level(void) { int a = 7, b, c, d; __asm__ volatile(\"cpuid\" : \"+a\"(a), \"=b\"(b), \"=c\"(c), \"=d\"(d)); return b; }";

#[test]
fn a_check_in_a_linked_file_leaves_the_guard_unclear() {
    let querying = linked(LEVEL, "libquery.so.1");
    assert_eq!(found(&querying, &["x86-64-v1"]), [("ISA005", Severity::Warning)]);
    assert_eq!(found(&querying, &[]), [("ISA005", Severity::Note)]);
    let silent = linked("int level(void) { return 1; }", "libquery.so.1");
    assert_eq!(found(&silent, &["x86-64-v1"]), [("ISA001", Severity::Error)]);
    // A runtime library checks only for its own code.
    let runtime = linked(LEVEL, "libopenblas.so.0");
    assert_eq!(found(&runtime, &["x86-64-v1"]), [("ISA001", Severity::Error)]);
}

#[test]
fn code_that_runs_at_import_needs_its_own_check() {
    let folder = Folder::new();
    gcc(&folder, "libquery.so.1", LEVEL, &["-Wl,-soname,libquery.so.1"]);
    let source = "extern int level(void); int (*use)(void) = level;\n\
                  typedef int v8 __attribute__((vector_size(32))); v8 a, b;\n\
                  __attribute__((target(\"avx2\"))) void *PyInit__pkg(void) { a += b; return 0; }";
    gcc(&folder, "module.so", source, &["-O2", "libquery.so.1"]);
    let read = |name| fs_err::read(folder.path().join(name)).unwrap();
    let wheel = native(read("module.so")).with("pkg.libs/libquery.so.1", read("libquery.so.1"));
    assert_eq!(found(&wheel, &["x86-64-v1"]), [("ISA001", Severity::Error)]);
}

#[test]
fn a_variant_for_a_processor_is_unclear() {
    let wide = built(&format!("{WIDE}int f(void) {{ return 0; }}"), &["-O2"]);
    let with = |name: &str| native(PLAIN.clone()).with(name, wide.clone());
    assert_eq!(found(&with("pkg/libk_avx2.so"), &["x86-64-v1"]), [("ISA005", Severity::Warning)]);
    assert_eq!(found(&with("pkg/libk.so"), &["x86-64-v1"]), [("ISA001", Severity::Error)]);
}

/// A file from this machine's compiler, with A64 instructions as its code.
fn arm(functions: &[(&str, &[u32])]) -> Fixture {
    let function = |(name, words): &(&str, &[u32])| {
        let words: Vec<String> = words.iter().map(|word| format!("{word:#x}")).collect();
        let words = words.join(", ");
        format!(
            ".globl {name}; .type {name}, @function; {name}: .long {words}; .size {name}, .-{name}; "
        )
    };
    let code: String = functions.iter().map(function).collect();
    let mut file = built(&format!("__asm__(\".text; .p2align 4; {code}\");"), &["-nostartfiles"]);
    file[18..20].copy_from_slice(&183_u16.to_le_bytes());
    Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_28_aarch64.whl")
        .with("_pkg.cpython-311-aarch64-linux-gnu.so", file)
}

#[test]
fn an_exported_function_needs_a_check_before_atomics() {
    const LDADDAL: u32 = 0xf8e0_0020; // ldaddal x0, x0, [x1]
    const ISAR0: u32 = 0xd538_0602; // mrs x2, id_aa64isar0_el1
    const RET: u32 = 0xd65f_03c0;
    let check: (&str, &[u32]) = ("check", &[ISAR0, RET]);
    let init: (&str, &[u32]) = ("PyInit__pkg", &[RET]);
    let of = |words: &[u32]| found(&arm(&[init, check, ("f", words)]), &[]);
    assert_eq!(of(&[LDADDAL, RET]), [("ISA004", Severity::Warning)]);
    assert_eq!(of(&[ISAR0, LDADDAL, RET]), []);
    assert_eq!(found(&arm(&[init, ("f", &[LDADDAL, RET])]), &[]), [("ISA004", Severity::Warning)]);
    assert_eq!(found(&arm(&[init, check]), &[]), []);
}
