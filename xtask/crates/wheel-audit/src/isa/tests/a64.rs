//! arm64, without a compiler for it: instructions as GNU as assembles them.

use super::*;

/// Scans a function of these words. A comment next to each word is its assembly.
fn scan_words(words: &[u32], imports: &[&str]) -> IsaFacts {
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let functions = [("f", 0, code.len() as u64)];
    scan(&Build { machine: 183, code, functions: &functions, imports }.file()).unwrap()
}

const RET: u32 = 0xd65f_03c0; // ret

#[test]
fn each_extension_is_recognized_by_encoding() {
    for (word, feature) in include!("a64_words.in") {
        let facts = scan_words(&[word, RET], &[]);
        let names: Vec<_> = facts.features.iter().map(|each| each.feature.name()).collect();
        let expected: Vec<&str> = if feature.is_empty() { vec![] } else { vec![feature] };
        assert_eq!(names, expected, "{word:#010x}");
        assert_eq!(facts.bytes.undecodable, 0, "{word:#010x}");
    }
}

#[test]
fn features_without_a_check_are_certain() {
    let facts = scan_words(&[0x88e0_fc41, RET], &[]); // casal w0, w1, [x2]
    assert_eq!(facts.required, level("armv8-a+lse"));
    assert_eq!(found(&facts, "lse"), Some(Certainty::Certain));
    assert_eq!(facts.features[0].places[0].function.as_deref(), Some("f"));
    assert_eq!(facts.features[0].places[0].address, CODE);
    assert!(facts.beyond(&level("armv8.1-a")).is_empty());
    assert_eq!(facts.beyond(&level("armv8-a+crc")).len(), 1);
}

#[test]
fn features_in_few_functions_of_a_file_with_a_check_are_guarded() {
    let code: Vec<u8> = std::iter::repeat_n(RET, 31)
        .chain([0x4e82_9420]) // sdot v0.4s, v1.16b, v2.16b
        .flat_map(u32::to_le_bytes)
        .collect();
    let names: Vec<String> = (0..32).map(|index| format!("f{index}")).collect();
    let functions: Vec<_> = names.iter().zip(0..).map(|(name, at)| (&**name, at * 4, 4)).collect();
    let build =
        |imports| Build { machine: 183, code: code.clone(), functions: &functions, imports };
    let checks = scan(&build(&["getauxval"]).file()).unwrap();
    assert_eq!((checks.required, checks.possible), (level("armv8-a"), level("armv8-a+dotprod")));
    let without_check = scan(&build(&["malloc"]).file()).unwrap();
    assert_eq!(without_check.required, level("armv8-a+dotprod"));
}

/// The first instructions of libgcc's `__aarch64_cas4_acq_rel` (GCC 12).
const OUTLINE: [u32; 6] = [
    0xd503_245f, // bti c
    0xb000_0090, // adrp x16, __aarch64_have_lse_atomics
    0x3940_4210, // ldrb w16, [x16, #16]
    0x3400_0070, // cbz w16, 12 further
    0x88e0_fc41, // casal w0, w1, [x2]
    RET,
];

#[test]
fn helpers_for_atomics_are_guarded() {
    let facts = scan_words(&OUTLINE, &["__getauxval"]);
    assert_eq!((facts.required, facts.possible), (level("armv8-a"), level("armv8-a")));
    assert_eq!(facts.outline_atomics, 1);
    // Another register than the tested one.
    let mut other = OUTLINE;
    other[3] = 0x3400_0071;
    assert_eq!(scan_words(&other, &[]).required, level("armv8-a+lse"));
}

#[test]
fn the_check_of_helpers_for_atomics_guards_nothing_else() {
    let code = [&OUTLINE[..], &[0x4e82_9420]].concat(); // sdot
    assert_eq!(scan_words(&code, &["__getauxval"]).required, level("armv8-a+dotprod"));
    assert_eq!(scan_words(&code, &["getauxval"]).required, level("armv8-a"));
}

#[test]
fn helpers_are_also_recognized_by_name() {
    let code: Vec<u8> = [0x88e0_fc41, RET].into_iter().flat_map(u32::to_le_bytes).collect();
    let functions = [("__aarch64_cas4_acq_rel", 0, 8)];
    let facts = scan(&Build { machine: 183, code, functions: &functions, imports: &[] }.file());
    assert_eq!(facts.unwrap().required, level("armv8-a"));
}

#[test]
fn a_function_with_data_is_doubtful() {
    let facts = scan_words(&[0x4e82_9420, RET, 0x0000_1234], &[]);
    assert!(facts.features.is_empty());
    assert_eq!((facts.bytes.undecodable, facts.bytes.doubtful), (4, 12));
}

#[test]
fn calls_require_relocations() {
    // The small file has no relocations, so the import has no known slot.
    let code: Vec<u8> = RET.to_le_bytes().to_vec();
    let file = Build { machine: 183, code, functions: &[("f", 0, 4)], imports: &["getauxval"] };
    assert_eq!(callers(&file.file(), &["getauxval"]).unwrap().len(), 0);
}

const CASAL: u32 = 0x88e0_fc41; // casal w0, w1, [x2]
const ISAR0: u32 = 0xd538_0602; // mrs x2, id_aa64isar0_el1

/// A file that imports `import`, with `f` of these words and a function that calls it.
fn called(f: &[u32], caller: &[u32], import: &str) -> Option<Certainty> {
    let back = u32::try_from(f.len() + caller.len()).unwrap();
    let call = 0x9400_0000 | (0x0400_0000 - back);
    let words: Vec<u32> = f.iter().chain(caller).copied().chain([call, RET]).collect();
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let border = 4 * f.len() as u64;
    let functions = [("f", 0, border), ("caller", border, code.len() as u64 - border)];
    let build = Build { machine: 183, code, functions: &functions, imports: &[import] };
    found(&scan(&build.file()).unwrap(), "lse")
}

#[test]
fn atomics_are_guarded_by_their_function_or_its_caller() {
    let guarded = Some(Certainty::Guarded);
    assert_eq!(called(&[CASAL, RET], &[], "getauxval"), Some(Certainty::Certain));
    assert_eq!(called(&[ISAR0, CASAL, RET], &[], "getauxval"), guarded);
    assert_eq!(called(&[CASAL, RET], &[ISAR0], "getauxval"), guarded);
    assert_eq!(called(&[CASAL, RET], &[], "__aarch64_cpu_features"), guarded, "a resolver checks");
}

#[test]
fn a_flag_before_an_atomic_guards_it() {
    // adrp x3, flag; ldrb w3, [x3, #16]; nop; tbz w3, #0, 8 or -8 bytes further
    let flagged = |branch| [0xb000_0003, 0x3940_4063, 0xd503_201f, branch, CASAL, RET];
    assert_eq!(called(&flagged(0x3600_0043), &[], "getauxval"), Some(Certainty::Guarded));
    assert_eq!(called(&flagged(0x3607_ffc3), &[], "getauxval"), Some(Certainty::Certain));
    assert_eq!(called(&flagged(0x3600_0044), &[], "getauxval"), Some(Certainty::Certain), "x4");
}

#[test]
fn the_runtimes_helpers_for_sme_are_guarded() {
    // __arm_za_disable of libgcc: adrp x14, flag; ldrb w14, [x14, #1696]; cbz w14, 36 further; smstop za
    let helper = [0xd000_00ce, 0x395a_81ce, 0x3400_012e, 0xd503_447f, RET];
    let facts = scan_words(&helper, &["__getauxval"]);
    assert_eq!((facts.required, facts.outline_atomics), (level("armv8-a"), 1));
    assert_eq!(scan_words(&helper[3..], &[]).required, level("armv8-a+sme"));
}

#[test]
fn reading_the_auxiliary_vector_is_a_check() {
    let dotprod = |name| scan_words(&[0x4e82_9420, RET], &[name]);
    assert_eq!(found(&dotprod("/proc/self/auxv"), "dotprod"), Some(Certainty::Guarded));
    assert_eq!(found(&dotprod("/proc/self/maps"), "dotprod"), Some(Certainty::Certain));
}
