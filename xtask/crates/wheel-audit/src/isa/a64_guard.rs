//! Detects guards of A64 instructions within a function.

use super::feature::{Feature, FeatureSet};

/// Features with guards inside functions: atomics and ordered loads. Programs do not select whole functions for
/// them.
pub(super) const INLINE: FeatureSet =
    FeatureSet::of(&[Feature::Lse, Feature::Lse128, Feature::Rcpc, Feature::Rcpc2]);

/// Features that the compiler's runtime saves and restores (`__arm_za_disable` of libgcc and compiler-rt), in
/// functions that start with a test of a flag.
pub(super) const SAVED: FeatureSet = FeatureSet::of(&[Feature::Sme, Feature::Sve, Feature::Sve2]);

/// Maximum number of instructions between the test of a flag and the guarded instruction.
const WINDOW: usize = 16;

/// The last instructions of a function.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct History {
    words: [u32; WINDOW],
    count: usize,
    begins_with_test: bool,
}

impl History {
    pub(super) fn push(&mut self, word: u32) {
        // The mask keeps the index within the array.
        self.words[self.count & (WINDOW - 1)] = word;
        self.count = self.count.wrapping_add(1);
        // `bti c` may precede it.
        self.begins_with_test |= matches!(self.count, 3 | 4) && self.is_helper();
    }

    /// Returns whether the function starts with a test of a flag in memory, as the helpers do.
    pub(super) fn begins_with_test(&self) -> bool {
        self.begins_with_test
    }

    /// The instruction `back` places before the next one, counted from 1. 0 if there is none.
    fn word(&self, back: usize) -> u32 {
        let index = self.count.wrapping_sub(back);
        self.words.get(index & (WINDOW - 1)).copied().filter(|_| back <= WINDOW).unwrap_or(0)
    }

    /// Returns whether it is the start of the compilers' helpers for atomics: `adrp x16, flag; ldrb w16, [x16, flag];
    /// cbz w16, other` (GCC's `lse.S`, LLVM's `lse.S`). It guards the next instruction. Stripped files have no
    /// symbols for these helpers.
    pub(super) fn is_helper(&self) -> bool {
        let [page, load, branch] = [3, 2, 1].map(|back| self.word(back));
        let register = branch & 0x1f;
        page & 0x9f00_001f == 0x9000_0000 | register
            && load & 0xffc0_03ff == 0x3940_0000 | register << 5 | register
            && branch & 0xff80_0000 == 0x3400_0000
    }

    /// Returns whether a branch that tests a variable skips the next instruction. Go's atomics do this (`internal/cpu`), and
    /// programs that store `AT_HWCAP` in a variable.
    pub(super) fn is_flagged(&self) -> bool {
        (1..=WINDOW).any(|back| {
            let branch = self.word(back);
            branches_past(branch, back) && self.is_of_variable(branch & 0x1f, back)
        })
    }

    /// Returns whether `register` contains a variable at a fixed address, `back` instructions before.
    fn is_of_variable(&self, register: u32, back: usize) -> bool {
        let earlier = |from: usize, fits: &dyn Fn(u32) -> bool| {
            (from + 1..=WINDOW).find(|&at| fits(self.word(at)))
        };
        let Some(at) = earlier(back, &|word| is_load(word) && word & 0x1f == register) else {
            return false;
        };
        let base = self.word(at) >> 5 & 0x1f;
        earlier(at, &|word| word & 0x9f00_001f == 0x9000_0000 | base).is_some()
    }
}

/// Returns whether it is `cbz`, `cbnz`, `tbz` or `tbnz` past the next instruction, `back` instructions before that.
fn branches_past(word: u32, back: usize) -> bool {
    let offset = match word & 0x7e00_0000 {
        0x3400_0000 => (word << 8).cast_signed() >> 13,
        0x3600_0000 => (word << 13).cast_signed() >> 18,
        _ => return false,
    };
    usize::try_from(offset).is_ok_and(|offset| offset > back)
}

/// Returns whether it is `ldrb`, `ldr w` or `ldr x` with an unsigned offset, `ldarb` or `ldar`.
fn is_load(word: u32) -> bool {
    [0x3940_0000, 0xb940_0000, 0xf940_0000].contains(&(word & 0xffc0_0000))
        || [0x08df_fc00, 0x88df_fc00].contains(&(word & 0xffff_fc00))
}
