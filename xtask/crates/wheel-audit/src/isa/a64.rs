//! A64 code: the features that instructions need.

use std::sync::LazyLock;

use super::{
    a64_guard,
    a64_table::{ROWS, Row},
    class::{Class, PLAIN},
    feature::{Feature, FeatureSet},
    layout::Span,
    queries::Queries,
    run::Run,
};

/// The rows that may match an instruction, by its highest byte. Most bytes have none.
static BY_BYTE: LazyLock<Vec<Vec<&Row>>> = LazyLock::new(|| {
    let may_fit = |byte: u32, row: &&Row| (byte << 24) & row.0 == row.1 & (row.0 & 0xff00_0000);
    (0..=255).map(|byte| ROWS.iter().filter(|row| may_fit(byte, row)).collect()).collect()
});

/// The feature beyond Armv8.0 that an instruction needs, and its mnemonic.
fn needs(word: u32) -> Option<(Feature, &'static str)> {
    let rows = BY_BYTE.get((word >> 24) as usize)?;
    let row = rows.iter().find(|row| word & row.0 == row.1)?;
    Some((row.2?, row.3))
}

/// Returns whether the encoding is permanently undefined (`udf`) or unallocated (C4.1).
fn is_garbage(word: u32) -> bool {
    match word >> 25 & 0xf {
        // With the highest bit set, it is SME.
        0 => word >> 31 == 0,
        group => matches!(group, 1 | 3),
    }
}

/// Returns whether it is `mrs` from `MIDR_EL1`, `ID_AA64*_EL1` or similar registers, which Linux emulates.
fn checks(word: u32) -> bool {
    word & 0xffff_f000 == 0xd538_0000
}

/// The decoded function.
pub(super) struct Function<'a> {
    pub(super) span: &'a Span,
    pub(super) queries: &'a Queries,
}

impl Function<'_> {
    /// Notes the target of a direct branch, or that it checks the processor.
    fn branch(&self, word: u32, at: u64, run: &mut Run) {
        // b, bl: 26 bits, in words.
        let target = at.wrapping_add_signed(i64::from((word << 6).cast_signed() >> 6) * 4);
        let inside = target.wrapping_sub(self.span.address);
        if self.queries.stubs.binary_search(&target).is_ok() {
            run.function.note_query();
        } else if self.span.is_function && inside >= self.span.file.end - self.span.file.start {
            run.function.note_target(target);
        }
    }
}

/// Decodes the whole words of code at an address, and returns their number of bytes. Functions that are guarded
/// helpers by name (`outline`) need no feature.
pub(super) fn decode(bytes: &[u8], address: u64, function: &Function<'_>, run: &mut Run) -> usize {
    let words = bytes.chunks_exact(4);
    let length = bytes.len() - words.remainder().len();
    for (index, word) in words.enumerate() {
        let word = super::bytes::u32_at(word, 0);
        let at = address.wrapping_add(4 * index as u64);
        if let Some((feature, text)) = needs(word) {
            let needs = FeatureSet::of(&[feature]);
            let is_helper = match feature {
                Feature::Lse => function.span.outline || run.before.is_helper(),
                _ => a64_guard::SAVED.holds(needs) && run.before.begins_with_test(),
            };
            if is_helper {
                run.note_guarded();
            } else {
                run.note(&Class { needs, ..PLAIN }, needs, 4, at, || text.to_owned());
                if a64_guard::INLINE.holds(needs) && !run.before.is_flagged() {
                    run.function.note_bare(feature, at, text);
                }
            }
        } else if is_garbage(word) {
            run.note(&Class { is_garbage: true, ..PLAIN }, FeatureSet::EMPTY, 4, 0, String::new);
        } else if checks(word) {
            run.note(&Class { checks: true, ..PLAIN }, FeatureSet::EMPTY, 4, 0, String::new);
        } else if word & 0x7c00_0000 == 0x1400_0000 {
            function.branch(word, at, run);
        } else if !function.queries.slots.is_empty()
            && run.pages.loads(word, at, &function.queries.slots)
        {
            run.function.note_query();
        }
        run.before.push(word);
    }
    length
}
