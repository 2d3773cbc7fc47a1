//! A64 code: which instruction needs what.

use std::sync::LazyLock;

use super::{
    a64_table::{ROWS, Row},
    class::{Class, PLAIN},
    feature::{Feature, FeatureSet},
    run::Run,
};

/// The rows that may fit an instruction, by its highest byte. Most code has none to look at.
static BY_BYTE: LazyLock<Vec<Vec<&Row>>> = LazyLock::new(|| {
    let may_fit = |byte: u32, row: &&Row| (byte << 24) & row.0 == row.1 & (row.0 & 0xff00_0000);
    (0..=255).map(|byte| ROWS.iter().filter(|row| may_fit(byte, row)).collect()).collect()
});

/// What an instruction needs beyond Armv8.0, and what it is.
fn needs(word: u32) -> Option<(Feature, &'static str)> {
    let rows = BY_BYTE.get((word >> 24) as usize)?;
    let row = rows.iter().find(|row| word & row.0 == row.1)?;
    Some((row.2?, row.3))
}

/// Is it in the part of the encoding that is reserved for ever (`udf`), or in none (C4.1)?
fn is_garbage(word: u32) -> bool {
    match word >> 25 & 0xf {
        // With the highest bit it is SME.
        0 => word >> 31 == 0,
        group => matches!(group, 1 | 3),
    }
}

/// `mrs` of `MIDR_EL1`, `ID_AA64*_EL1` and their like, which Linux answers in the processor's place.
fn asks(word: u32) -> bool {
    word & 0xffff_f000 == 0xd538_0000
}

/// The head of the compilers' helpers for atomics: `adrp x16, flag; ldrb w16, [x16, flag];
/// cbz w16, other` (GCC's `lse.S`, LLVM's `lse.S`). The instruction after it runs only where the
/// processor has it. Symbols that would tell are not there in stripped files.
fn is_guard(before: [u32; 3]) -> bool {
    let [page, load, branch] = before;
    let register = branch & 0x1f;
    page & 0x9f00_001f == 0x9000_0000 | register
        && load & 0xffc0_03ff == 0x3940_0000 | register << 5 | register
        && branch & 0xff80_0000 == 0x3400_0000
}

/// Decodes code from an address on, whole words of it, and says how many bytes that was. In an
/// `outline` function, one that is a guarded helper by its name, nothing is needed.
pub(super) fn decode(bytes: &[u8], address: u64, outline: bool, run: &mut Run) -> usize {
    let words = bytes.chunks_exact(4);
    let length = bytes.len() - words.remainder().len();
    for (index, word) in words.enumerate() {
        let word = super::bytes::u32_at(word, 0);
        if let Some((feature, text)) = needs(word) {
            if feature == Feature::Lse && (outline || is_guard(run.before)) {
                run.note_guarded();
            } else {
                let needs = FeatureSet::of(&[feature]);
                let at = address.wrapping_add(4 * index as u64);
                run.note(&Class { needs, ..PLAIN }, needs, 4, at, || text.to_owned());
            }
        } else if is_garbage(word) {
            run.note(&Class { is_garbage: true, ..PLAIN }, FeatureSet::EMPTY, 4, 0, String::new);
        } else if asks(word) {
            run.note(&Class { asks: true, ..PLAIN }, FeatureSet::EMPTY, 4, 0, String::new);
        }
        run.before = [run.before[1], run.before[2], word];
    }
    length
}
