//! Counts features while code is decoded, per function and per file.

use std::collections::HashMap;

#[allow(clippy::enum_glob_use, reason = "tables of features are read by their names alone")]
use super::feature::Feature::{self, *};
use super::{
    FeatureSet, Place,
    a64_guard::History,
    calls::{Calls, Function, Pages},
    class::Class,
    layout::{Layout, Span},
};

/// The features that indicate the x86-64 levels v2, v3 and v4.
pub(super) const LEVELS: [FeatureSet; 3] = [
    FeatureSet::of(&[Cx16, Sahf, Popcnt, Sse3, Ssse3, Sse41, Sse42]),
    FeatureSet::of(&[Avx, Avx2, Bmi, Bmi2, F16c, Fma, Lzcnt, Movbe]),
    FeatureSet::of(&[Avx512f, Avx512bw, Avx512cd, Avx512dq, Avx512vl]),
];

/// See [`Totals::parts`].
pub(super) const PARTS: usize = 8;

/// Maximum number of places per feature, one in each function.
pub(super) const MAX_PLACES: usize = 3;

/// The function or piece of code that is being decoded.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// Number of instructions per feature, and the first of them.
    hits: Vec<Hit>,
    garbage: u64,
    checks: bool,
    is_vector: bool,
    is_avx: bool,
    guarded: u64,
    /// The previous instructions (A64 only).
    pub(super) before: History,
    /// The known contents of registers (A64 only).
    pub(super) pages: Pages,
    /// Its calls and unguarded instructions (A64 only).
    pub(super) function: Function,
}

#[derive(Debug, Clone)]
struct Hit {
    feature: Feature,
    count: u64,
    first: (u64, String),
}

impl Run {
    /// Counts an instruction with its class, the features that it needs, its length in bytes and its address.
    pub(super) fn note(
        &mut self,
        class: &Class,
        needs: FeatureSet,
        length: usize,
        address: u64,
        text: impl Fn() -> String,
    ) {
        if class.is_garbage {
            self.garbage += length as u64;
        }
        self.checks |= class.checks;
        self.is_vector |= class.is_vector;
        self.is_avx |= class.is_avx;
        for feature in needs.iter() {
            let known = self.hits.iter().position(|each| each.feature == feature);
            let index = known.unwrap_or_else(|| {
                self.hits.push(Hit { feature, count: 0, first: (address, text()) });
                self.hits.len() - 1
            });
            self.hits[index].count += 1;
        }
    }

    /// Resets it, and keeps the memory.
    pub(super) fn clear(&mut self) {
        let (mut hits, mut function) =
            (std::mem::take(&mut self.hits), std::mem::take(&mut self.function));
        hits.clear();
        function.clear();
        *self = Self { hits, function, ..Self::default() };
    }

    /// Counts an instruction that a check in the surrounding code guards.
    pub(super) fn note_guarded(&mut self) {
        self.guarded += 1;
    }
}

/// The counts of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    pub(super) features: HashMap<Feature, Total>,
    /// Functions that decode completely.
    pub(super) functions: u64,
    /// Those with vector instructions.
    pub(super) vector: u64,
    /// Those with vector instructions in AVX encodings.
    pub(super) avx: u64,
    /// Functions that use features of an x86-64 level above the first, per level.
    pub(super) levels: [u64; 3],
    /// Counts for [`PARTS`] equal parts of the file: functions with vector instructions but no AVX encoding, and
    /// those of them that use features of v2.
    pub(super) parts: [[u64; 2]; PARTS],
    /// Bytes in functions, and elsewhere.
    pub(super) inside: u64,
    pub(super) outside: u64,
    /// Bytes that are not instructions.
    pub(super) garbage: u64,
    /// Bytes of functions that contain data.
    pub(super) doubtful: u64,
    /// True if an instruction checks the processor.
    pub(super) checks: bool,
    /// Guarded instructions.
    pub(super) guarded: u64,
    /// The calls of functions without a check (A64 only).
    pub(super) calls: Calls,
}

/// The counts of a feature.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    /// Functions that use it.
    pub(super) functions: u64,
    /// Instructions that always run.
    pub(super) always: u64,
    /// Instructions in functions.
    pub(super) instructions: u64,
    /// Instructions outside of functions, surrounded by code.
    pub(super) outside: u64,
    pub(super) places: Vec<Place>,
}

impl Totals {
    /// Adds a completely decoded piece of code.
    pub(super) fn add(&mut self, run: &Run, index: usize, layout: &Layout, all_unknown: bool) {
        let Some(span) = layout.spans.get(index) else {
            return;
        };
        let part = index * PARTS / layout.spans.len();
        let size = span.file.end - span.file.start;
        *(if span.is_function { &mut self.inside } else { &mut self.outside }) += size;
        self.garbage += run.garbage;
        self.guarded += run.guarded;
        let is_clean = run.garbage == 0;
        if !is_clean && !all_unknown {
            // Data between code: its instructions prove nothing.
            self.doubtful += size;
            return;
        }
        self.checks |= run.checks;
        if span.is_function && is_clean {
            self.add_function(run, part);
            self.calls.add(&run.function, run.checks, index, layout);
        }
        for hit in &run.hits {
            let total = self.features.entry(hit.feature).or_default();
            // A function with a check may skip the instructions after it.
            let always = span.always && !run.checks;
            if span.is_function && is_clean {
                total.functions += 1;
                total.instructions += hit.count;
                total.always += u64::from(always);
            } else {
                total.outside += hit.count;
            }
            total.add_places(hit, span, layout, always);
        }
    }
}

impl Totals {
    fn add_function(&mut self, run: &Run, part: usize) {
        self.functions += 1;
        self.vector += u64::from(run.is_vector);
        self.avx += u64::from(run.is_avx);
        let uses = |level: FeatureSet| {
            run.hits.iter().any(|hit| level.holds(FeatureSet::of(&[hit.feature])))
        };
        for (count, level) in self.levels.iter_mut().zip(LEVELS) {
            *count += u64::from(uses(level));
        }
        if let Some(part) = self.parts.get_mut(part).filter(|_| run.is_vector && !run.is_avx) {
            part[0] += 1;
            part[1] += u64::from(uses(LEVELS[0]));
        }
    }
}

impl Total {
    fn add_places(&mut self, hit: &Hit, span: &Span, layout: &Layout, first: bool) {
        // Prefer places that certainly run.
        if first && self.always == 1 {
            self.places.clear();
        }
        if self.places.len() < MAX_PLACES {
            let function = span.is_function.then(|| layout.names.get(span.address)).flatten();
            self.places.push(Place {
                function,
                start: span.is_function.then_some(span.address),
                address: hit.first.0,
                instruction: hit.first.1.clone(),
            });
        }
    }
}
