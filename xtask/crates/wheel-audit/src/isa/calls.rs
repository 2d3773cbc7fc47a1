//! Determines the functions of an A64 file that check the processor, and those that are called without a check.
//!
//! This follows only direct branches. A caller may check the processor before it selects a function pointer.

use super::{Place, feature::Feature, layout::Layout};

/// Maximum number of unguarded functions to keep. One is enough for a verdict.
const MAX_BARE: usize = 1 << 12;
/// Maximum number of branches to keep per function.
const MAX_TARGETS: usize = 1 << 14;

/// The page that `adrp` loaded into each register.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages([u64; 32]);

impl Pages {
    /// Tracks an instruction. Returns whether it loads one of the `slots`.
    pub(super) fn loads(&mut self, word: u32, at: u64, slots: &[u64]) -> bool {
        let (low, high) = ((word & 0x1f) as usize, (word >> 5 & 0x1f) as usize);
        if word & 0x9f00_0000 == 0x9000_0000 {
            let pages_on = (word >> 3 & 0x001f_fffc) | (word >> 29 & 3);
            let offset = (i64::from((pages_on << 11).cast_signed()) >> 11) * 4096;
            self.0[low] = (at & !0xfff).wrapping_add_signed(offset);
            return false;
        }
        // ldr x, [x, #12 bits, in eight bytes]
        let target = self.0[high].wrapping_add(u64::from(word >> 10 & 0xfff) * 8);
        word & 0xffc0_0000 == 0xf940_0000 && slots.binary_search(&target).is_ok()
    }
}

/// Instructions of a feature in a function without a local guard.
#[derive(Debug, Clone)]
pub(super) struct Bare {
    pub(super) feature: Feature,
    pub(super) count: u64,
    first: (u64, &'static str),
}

/// The calls and unguarded instructions of a function.
#[derive(Debug, Clone, Default)]
pub(super) struct Function {
    targets: Vec<u64>,
    bare: Vec<Bare>,
    checks: bool,
}

impl Function {
    pub(super) fn note_query(&mut self) {
        self.checks = true;
    }

    pub(super) fn note_target(&mut self, address: u64) {
        if self.targets.last() != Some(&address) && self.targets.len() < MAX_TARGETS {
            self.targets.push(address);
        }
    }

    pub(super) fn note_bare(&mut self, feature: Feature, at: u64, text: &'static str) {
        match self.bare.iter_mut().find(|each| each.feature == feature) {
            Some(bare) => bare.count += 1,
            None => self.bare.push(Bare { feature, count: 1, first: (at, text) }),
        }
    }

    /// Resets it, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.targets.clear();
        self.bare.clear();
        self.checks = false;
    }
}

/// The calls and unguarded instructions of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    /// A bit for each piece of code that a function without a check calls.
    called: Vec<u64>,
    bare: Vec<(usize, Bare)>,
}

impl Calls {
    /// Adds the function with this index. `checks`: whether one of its instructions checks the processor.
    pub(super) fn add(&mut self, function: &Function, checks: bool, index: usize, layout: &Layout) {
        if checks || function.checks {
            return;
        }
        self.called.resize(layout.spans.len().div_ceil(64), 0);
        for target in &function.targets {
            let found = layout.spans.binary_search_by_key(target, |span| span.address);
            if let Some(bits) = found.ok().and_then(|index| self.called.get_mut(index / 64)) {
                *bits |= 1 << (found.unwrap_or_default() % 64);
            }
        }
        let left = MAX_BARE.saturating_sub(self.bare.len());
        self.bare.extend(function.bare.iter().take(left).map(|bare| (index, bare.clone())));
    }

    /// The unguarded uses of a feature in functions that other files or functions call without a check.
    pub(super) fn unguarded(&self, feature: Feature, layout: &Layout) -> Vec<(&Bare, Place)> {
        let is_called = |index: usize| {
            let bits = self.called.get(index / 64).copied().unwrap_or_default();
            bits >> (index % 64) & 1 == 1
        };
        let of_feature = self.bare.iter().filter(|(_, bare)| bare.feature == feature);
        let found = of_feature.filter_map(|(index, bare)| {
            let span = layout.spans.get(*index)?;
            let place = || Place {
                function: layout.names.get(span.address),
                start: Some(span.address),
                address: bare.first.0,
                instruction: bare.first.1.to_owned(),
            };
            (span.exported || is_called(*index)).then(|| (bare, place()))
        });
        found.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_from_a_slot_is_recognized_by_page_and_offset() {
        let mut pages = Pages::default();
        // adrp x0, 17 pages further; ldr x0, [x0, #4000]
        assert!(!pages.loads(0xb000_0080, 0x1014, &[0x12fa0]));
        assert!(pages.loads(0xf947_d000, 0x1018, &[0x12fa0]));
        assert!(!pages.loads(0xf947_d000, 0x1018, &[0x12fa8]));
    }
}
