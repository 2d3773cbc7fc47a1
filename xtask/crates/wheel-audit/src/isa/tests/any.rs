//! Arbitrary bytes, in arbitrary pieces.

use proptest::prelude::*;

use super::*;

/// x86-64 code with instructions of every length, some of them beyond v1.
fn some_code() -> Vec<u8> {
    [
        &[0xc5, 0xfd, 0xfe, 0xc1][..],         // vpaddd ymm0, ymm0, ymm1
        &[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8], // mov rax, 8 bytes
        &[0x66, 0x0f, 0x38, 0x00, 0xc1],       // pshufb xmm0, xmm1
        &[0x90, 0xc3],                         // nop; ret
        &[0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0], // nop of 11 bytes
        &[0xf3, 0x0f, 0xb8, 0xc1],             // popcnt eax, ecx
        &[0xc3],
    ]
    .concat()
    .repeat(5)
}

fn in_pieces(file: &[u8], mut size: impl FnMut() -> usize) -> Result<IsaFacts, IsaError> {
    let mut scanner = Scanner::new(Layout::of(&file)?);
    let mut at = 0;
    while at < file.len() {
        let end = file.len().min(at + size());
        scanner.feed(at as u64, &file[at..end]);
        at = end;
    }
    scanner.finish()
}

fn fixture() -> Vec<u8> {
    let code = some_code();
    let functions = [("f", 0, 37), ("g", 37, 74), ("PyInit_h", 111, 37)];
    Build { machine: 62, code, functions: &functions, imports: &["__cpu_model"] }.file()
}

#[test]
fn pieces_of_any_size_have_the_same_result() {
    let file = fixture();
    let whole = scan(&file).unwrap();
    assert!(whole.features.len() >= 3, "{whole:?}");
    for size in 1..200 {
        assert_eq!(in_pieces(&file, || size).unwrap(), whole, "{size}");
    }
}

#[test]
fn only_pieces_without_code_may_be_omitted() {
    let file = fixture();
    let layout = Layout::of(&&*file).unwrap();
    let span = |index: usize| layout.spans[index].file.clone();
    let (first, last) = (span(0), span(layout.spans.len() - 1));
    let feed = |from: u64, to: u64| {
        let mut scanner = Scanner::new(layout.clone());
        let piece = &file[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()];
        scanner.feed(from, piece);
        // Bytes that are fed twice count once.
        scanner.feed(from, piece);
        scanner.finish()
    };
    assert_eq!(feed(first.start, last.end), scan(&file));
    assert_eq!(feed(first.start + 1, last.end), Err(IsaError::Incomplete));
    assert_eq!(feed(first.start, last.end - 1), Err(IsaError::Incomplete));
}

#[test]
fn other_machines_are_not_supported() {
    let file = Build { machine: 243, code: vec![0; 64], functions: &[], imports: &[] }.file();
    assert_eq!(scan(&file), Err(IsaError::Machine(243)));
    assert!(IsaError::Machine(243).to_string().contains("machine 243"));
    for bytes in [&b""[..], b"\x7fELF", &[0; 100]] {
        assert!(matches!(scan(bytes), Err(IsaError::Headers(_))));
    }
}

#[test]
fn a_file_without_known_functions_has_an_uncertain_level() {
    let file = Build { machine: 62, code: some_code(), functions: &[], imports: &[] }.file();
    let facts = scan(&file).unwrap();
    assert_eq!((facts.required, facts.possible), (level("x86-64-v1"), level("x86-64-v3")));
    assert_eq!(found(&facts, "avx2"), Some(Certainty::Outside));
    assert!(facts.certainty_text().contains("no function"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_code_has_the_same_result_in_any_pieces(
        code in proptest::collection::vec(any::<u8>(), 1..600),
        machine in prop_oneof![Just(62_u16), Just(183)],
        start in 0_u64..300, size in 0_u64..300,
        sizes in proptest::collection::vec(1_usize..40, 1..20),
    ) {
        let functions = [("f", start, size)];
        let file = Build { machine, code, functions: &functions, imports: &[] }.file();
        let mut next = sizes.iter().cycle();
        let pieces = in_pieces(&file, || *next.next().unwrap());
        prop_assert_eq!(pieces, scan(&file));
    }

    #[test]
    fn broken_files_do_not_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..30),
        cut in any::<proptest::sample::Index>(),
        head in any::<bool>(),
    ) {
        let mut file = fixture();
        let tables = file.len() - 0x1000;
        for (index, byte) in changes {
            // Changes of padding have no effect.
            let index = if head { index.index(120) } else { 0x1000 + index.index(tables) };
            file[index] = byte;
        }
        let _ = (scan(&file), callers(&file, &["__cpu_model"]));
        file.truncate(cut.index(file.len()));
        let _ = (scan(&file), callers(&file, &["__cpu_model"]));
    }
}
