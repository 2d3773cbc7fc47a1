//! x86-64 code from GCC.

use std::process::Command;

use super::*;

/// Compiles C into a shared object, unless `flags` override this.
fn compile(source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.c"), folder.path().join("out"));
    fs_err::write(&input, source).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-shared", "-fPIC", "-w"]).arg(&input).arg("-o").arg(&output).args(flags);
    assert!(gcc.status().unwrap().success());
    fs_err::read(output).unwrap()
}

const SUM: &str = "
    int sum(const int *a, int n) { int s = 0; for (int i = 0; i < n; i++) s += a[i] * a[i] & i; return s; }
    double mix(const double *a, double b) { return a[0] * b + a[1] / b + __builtin_floor(a[2]); }
    int bits(unsigned long a) { return __builtin_popcountl(a) + __builtin_ctzl(a); }
    void *PyInit_sum(void) { return sum; }
";

#[test]
fn the_level_of_the_compiler_is_detected() {
    for (march, expected) in [
        ("x86-64", "x86-64-v1"),
        ("x86-64-v2", "x86-64-v2"),
        ("x86-64-v3", "x86-64-v3"),
        ("x86-64-v4", "x86-64-v4"),
    ] {
        for more in ["-g0", "-s", "-nostartfiles"] {
            let flags = [&format!("-march={march}"), "-O3", "-mprefer-vector-width=512", more];
            let facts = scan(&compile(SUM, &flags)).unwrap();
            assert_eq!(facts.required, level(expected), "{march} {more}");
            assert_eq!(facts.possible, level(expected), "{march} {more}");
            assert!(facts.features.iter().all(|each| each.certainty == Certainty::Certain));
            assert!(facts.checks.is_empty() && facts.bytes.undecodable == 0);
        }
    }
}

#[test]
fn places_have_the_names_of_symbols() {
    let (plain, stripped) = (compile(SUM, &["-mpopcnt"]), compile(SUM, &["-mpopcnt", "-s"]));
    for file in [plain, stripped] {
        let facts = scan(&file).unwrap();
        let popcnt = facts.features.iter().find(|each| each.feature == Feature::Popcnt).unwrap();
        assert_eq!((popcnt.functions, popcnt.instructions), (1, 1));
        // The function is exported, so the dynamic symbol table contains it.
        assert_eq!(popcnt.places[0].function.as_deref(), Some("bits"));
        assert_eq!(popcnt.places[0].instruction, "popcnt");
    }
}

/// Many baseline functions, and a selection at run time.
fn dispatched(choice: &str) -> String {
    let plain = (0..20).map(|i| {
        format!("double f{i}(const double *a) {{ double s = {i}; for (int i = 0; i < 99; i++) s += a[i] * s; return s; }}\n")
    });
    plain.collect::<String>() + choice
}

const BUILTIN: &str = r#"
    __attribute__((target("avx2,fma"))) static int wide(const int *a) { int s = 0; for (int i = 0; i < 64; i++) s += a[i]; return s; }
    int pick(const int *a) { return __builtin_cpu_supports("avx2") ? wide(a) : a[0]; }
"#;

const CLONES: &str = r#"
    __attribute__((target_clones("avx2", "default"))) int pick(const int *a) { int s = 0; for (int i = 0; i < 64; i++) s += a[i]; return s; }
"#;

#[test]
fn functions_selected_at_run_time_are_guarded() {
    for (choice, stripped) in [(BUILTIN, ""), (BUILTIN, "-s"), (CLONES, ""), (CLONES, "-s")] {
        let strip = if stripped.is_empty() { "-g0" } else { stripped };
        let facts = scan(&compile(&dispatched(choice), &["-O3", strip])).unwrap();
        assert_eq!(facts.required, level("x86-64-v1"), "{choice}");
        assert_eq!(facts.possible, level("x86-64-v3"), "{choice}");
        assert_eq!(found(&facts, "avx2"), Some(Certainty::Guarded), "{choice}");
        assert!(facts.certainty_text().contains("uses more"));
    }
    let clones = scan(&compile(&dispatched(CLONES), &["-O3", "-s"])).unwrap();
    assert!(clones.checks.contains(&ProcessorCheck::Ifunc), "{:?}", clones.checks);
}

#[test]
fn a_file_compiled_for_a_level_needs_it_despite_a_check() {
    for march in ["x86-64-v2", "x86-64-v3", "x86-64-v4"] {
        // Every function rounds, which is a single instruction since v2.
        let source = dispatched(BUILTIN).replace("return s; }\n", "return __builtin_floor(s); }\n");
        let flags = [
            &format!("-march={march}"),
            "-fno-trapping-math",
            "-mprefer-vector-width=512",
            "-O3",
            "-ffast-math",
        ];
        let facts = scan(&compile(&source, &flags)).unwrap();
        assert_eq!(facts.required, level(march), "{:#?}", facts.features);
        assert!(facts.checks.contains(&ProcessorCheck::Instruction));
    }
}

#[test]
fn code_that_runs_at_import_is_certain() {
    let choice = BUILTIN.replace("int pick", "__attribute__((target(\"avx2\"))) int PyInit_pick");
    // With the same target, GCC inlines the function.
    let choice = choice
        .replace("avx2,fma", "avx2")
        .replace("__builtin_cpu_supports(\"avx2\") ? wide(a) : a[0]", "wide(a)");
    let checks = "int checks(void) { return __builtin_cpu_supports(\"avx2\"); }";
    let facts = scan(&compile(&dispatched(&format!("{choice}{checks}")), &["-O3"])).unwrap();
    assert_eq!(facts.required, level("x86-64-v3"));
    let avx2 = facts.features.iter().find(|each| each.feature == Feature::Avx2).unwrap();
    assert_eq!(avx2.certainty, Certainty::Certain);
    assert_eq!(avx2.places[0].function.as_deref(), Some("PyInit_pick"));
}

#[test]
fn code_that_the_loader_runs_is_certain() {
    let source = "
        __attribute__((constructor, target(\"popcnt\"))) static void start(void) { extern volatile long v; v = __builtin_popcountl(v); }
        volatile long v; int checks(void) { return __builtin_cpu_supports(\"popcnt\"); }
    ";
    for strip in ["-g0", "-s"] {
        let facts = scan(&compile(&dispatched(source), &[strip])).unwrap();
        assert_eq!(found(&facts, "popcnt"), Some(Certainty::Certain), "{strip}");
        assert_eq!(facts.required, level("x86-64-v2"));
    }
}

#[test]
fn baseline_code_with_newer_encodings_is_baseline() {
    // `rep bsf`, `pause`, `endbr64`, long no-ops, and the checks themselves.
    let source = "
        int zeros(unsigned long a) { return a ? __builtin_ctzl(a) : 0; }
        void rest(int *a) { __builtin_ia32_pause(); __builtin_prefetch(a, 1); unsigned b; __builtin_ia32_rdtscp(&b); }
        void raw(void) { __asm__(\"rep bsf %rax, %rcx; prefetchw (%rax); nopw 0x200(%rax,%rax,1); endbr64; lfence; hlt\"); }
    ";
    let facts = scan(&compile(source, &["-fcf-protection=full"])).unwrap();
    assert!(facts.features.is_empty(), "{:?}", facts.features);
    assert_eq!((facts.required, facts.bytes.undecodable), (level("x86-64-v1"), 0));
}

#[test]
fn data_between_code_proves_nothing() {
    // vpaddd, lahf, 3DNow and invalid bytes, between functions and in one.
    let table = "__asm__(\".text; .p2align 4; .rept 40; .byte 0xc5,0xfd,0xfe,0xc1,0x9f,0x06,0x0f,0x0f,0xc1,0x9e; .endr; .p2align 4\");";
    let facts = scan(&compile(&format!("{table}{SUM}"), &["-s"])).unwrap();
    assert_eq!((facts.required, facts.possible), (level("x86-64-v1"), level("x86-64-v1")));
    assert!(facts.bytes.undecodable >= 40 && facts.bytes.doubtful >= 400, "{:?}", facts.bytes);
    let inside = "void f(void) { __asm__(\"jmp 1f; .byte 0xc5,0xfd,0xfe,0xc1,0x06,0x06; 1:\"); }";
    let facts = scan(&compile(inside, &["-s"])).unwrap();
    assert_eq!((facts.required, facts.features.len()), (level("x86-64-v1"), 0));
    // Code outside of known functions is only possible, not required.
    let lone = "__asm__(\".text; .p2align 4; .rept 9; vpaddd %ymm0,%ymm1,%ymm2; .endr; ret; .p2align 4\");";
    let facts = scan(&compile(&format!("{SUM}{lone}"), &["-s"])).unwrap();
    assert_eq!((facts.required, facts.possible), (level("x86-64-v1"), level("x86-64-v3")));
    assert_eq!(found(&facts, "avx2"), Some(Certainty::Outside));
}

#[test]
fn section_headers_are_not_required() {
    let file = compile(&dispatched(BUILTIN), &["-O3", "-s"]);
    let with = scan(&file).unwrap();
    let mut bare = file;
    bare[0x28..0x30].fill(0);
    bare[0x3a..0x40].fill(0);
    let without = scan(&bare).unwrap();
    assert_eq!((without.required, without.possible), (with.required, with.possible));
    assert_eq!(without.features, with.features);
}

#[test]
fn the_note_of_the_linker_counts() {
    let note = "int f(void) { return 1; }";
    let facts = scan(&compile(note, &["-Wl,-z,x86-64-v3"])).unwrap();
    assert_eq!(facts.note, Some(level("x86-64-v3")));
    assert_eq!(facts.required, level("x86-64-v3"));
    assert_eq!(scan(&compile(note, &[])).unwrap().note, None);
}

#[test]
fn callers_are_named() {
    let source = "
        #include <string.h>
        #include <stdlib.h>
        extern int elsewhere(void), never(void);
        static __attribute__((noinline)) int quiet(void) { return elsewhere() + 1; }
        int one(void) { return quiet() + elsewhere() * 2; }
        int tail(void) { return elsewhere(); }
        int (*address(void))(void) { return elsewhere; }
        char *other(char *a) { return strdup(a); }
    ";
    for flags in [&["-g0"][..], &["-fcf-protection=full"], &["-fno-plt"], &["-Wl,-z,now"], &["-s"]]
    {
        let file = compile(source, &[flags, &["-O1", "-fno-optimize-sibling-calls"]].concat());
        let found = callers(&file, &["elsewhere", "strdup", "nowhere"]).unwrap();
        let names = &found["elsewhere"];
        for name in ["one", "tail"] {
            assert!(names.iter().any(|each| each == name), "{flags:?} {names:?}");
        }
        let hidden = if flags == ["-s"] { "0x" } else { "quiet" };
        assert!(names.iter().any(|each| each.starts_with(hidden)), "{flags:?} {names:?}");
        assert!(!names.iter().any(|each| each == "other"), "{flags:?} {names:?}");
        assert_eq!(found["strdup"], ["other"], "{flags:?}");
        assert!(!found.contains_key("nowhere"));
    }
}

#[test]
fn mutated_files_do_not_panic() {
    let file = compile(&dispatched(CLONES), &["-s"]);
    let mut state = 1_u64;
    for _ in 0..300 {
        let mut broken = file.clone();
        for _ in 0..8 {
            // Knuth's linear congruential generator, for reproducible bytes.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = usize::try_from(state >> 33).unwrap() % broken.len();
            broken[place] = state.to_le_bytes()[5];
        }
        let _ = (scan(&broken), callers(&broken, &["malloc"]));
    }
}
