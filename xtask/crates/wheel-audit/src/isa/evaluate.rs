//! Computes the needed level from the counts.

#[allow(clippy::enum_glob_use, reason = "tables of features are read by their names alone")]
use super::feature::Feature::{self, *};
use super::{
    Certainty, Coverage, FeatureSet, FeatureUse, IsaFacts, Level, Machine, ProcessorCheck,
    layout::Layout,
    run::{LEVELS, MAX_PLACES, Total, Totals},
};

pub(super) fn evaluate(layout: &Layout, totals: &Totals) -> IsaFacts {
    let machine = layout.machine;
    let mut checks = layout.checks.clone();
    if totals.checks {
        checks.insert(ProcessorCheck::Instruction);
    }
    let checks_processor = checks.iter().any(|each| !is_for_atomics(each, totals.guarded));
    let is_chosen = checks.iter().any(chooses_functions);
    let uses = Feature::all(machine).filter_map(|feature| {
        let total = totals.features.get(&feature)?;
        let unguarded =
            if is_chosen { Vec::new() } else { totals.calls.unguarded(feature, layout) };
        let by_file = certainty(feature, total, totals, true);
        let if_checked_elsewhere = if unguarded.is_empty() { by_file } else { Certainty::Certain };
        let mut found = FeatureUse {
            feature,
            certainty: if checks_processor {
                if_checked_elsewhere
            } else {
                certainty(feature, total, totals, false)
            },
            if_checked_elsewhere,
            functions: total.functions,
            instructions: total.instructions,
            outside: total.outside,
            places: total.places.clone(),
        };
        if checks_processor && if_checked_elsewhere > by_file {
            found.functions = unguarded.len() as u64;
            found.instructions = unguarded.iter().map(|(bare, _)| bare.count).sum();
            found.places = unguarded.into_iter().map(|each| each.1).take(MAX_PLACES).collect();
        }
        Some(found)
    });
    let features: Vec<FeatureUse> = uses.collect();
    let noted = layout.note.map_or(FeatureSet::EMPTY, |note| note.features());
    let level = |least| level_of(machine, &features, least).with(noted);
    IsaFacts {
        machine,
        required: level(Certainty::Throughout),
        possible: level(Certainty::Outside),
        note: layout.note,
        checks,
        functions: totals.functions,
        outline_atomics: totals.guarded,
        bytes: Coverage {
            functions: totals.inside,
            outside: totals.outside,
            undecodable: totals.garbage,
            doubtful: totals.doubtful,
        },
        features,
    }
}

/// The level for the features with at least this certainty.
pub(super) fn level_of(machine: Machine, features: &[FeatureUse], least: Certainty) -> Level {
    let sure = features.iter().filter(|each| each.certainty >= least);
    Level::of(machine, sure.map(|each| each.feature).collect())
}

/// Returns whether it is the `__getauxval` of GCC's helpers for atomics, which checks no other feature.
pub(super) fn is_for_atomics(question: &ProcessorCheck, guarded: u64) -> bool {
    guarded > 0 && matches!(question, ProcessorCheck::Import(name) if name == "__getauxval")
}

/// Returns whether the loader or a resolver selects functions, so that callers need no check.
fn chooses_functions(question: &ProcessorCheck) -> bool {
    match question {
        ProcessorCheck::Ifunc => true,
        ProcessorCheck::Import(name) => name == "__aarch64_cpu_features",
        ProcessorCheck::Auxv | ProcessorCheck::Instruction => false,
    }
}

/// Applies these rules in order:
///
/// 1. Code outside of known functions proves nothing.
/// 2. A file that never checks the processor needs the features that it uses. This also applies if a function
///    that always runs uses the feature without a check.
/// 3. A file that checks the processor but was compiled for a level as a whole needs it. See [`is_throughout`].
/// 4. Other features of a file that checks the processor count as guarded. For [`super::a64_guard::INLINE`], see
///    [`super::calls`].
///
/// The rules do not follow paths: a function without a guard counts as guarded if the file checks the processor.
/// `audit/dispatch.rs` considers checks in other files.
fn certainty(feature: Feature, total: &Total, totals: &Totals, checks: bool) -> Certainty {
    if total.functions == 0 {
        Certainty::Outside
    } else if !checks || total.always > 0 {
        Certainty::Certain
    } else if is_throughout(feature, total, totals) {
        Certainty::Throughout
    } else {
        Certainty::Guarded
    }
}

/// Returns whether the whole file was compiled for a feature.
///
/// - v3: compilers emit all vector code in AVX encodings, so at least nine tenths of the functions with vector
///   code have them. Files that select code at run time stay below three quarters.
/// - v4: as v3, and a third of that code uses AVX-512.
/// - v2: compilers use its instructions in a fifth to a half of the functions with vector code (and without
///   AVX), throughout the file. Code that is selected at run time is in few places, and a smaller share.
/// - Other features: a tenth of all functions. SVE: a half, because libraries with code for several kinds of SVE
///   have it in a third of their functions (libjxl, with Highway).
fn is_throughout(feature: Feature, total: &Total, totals: &Totals) -> bool {
    let [v2, v3, v4] = LEVELS.map(|level| level.holds(FeatureSet::of(&[feature])));
    let avx = totals.vector >= MIN_FUNCTIONS && totals.avx * 10 >= totals.vector * 9;
    if v4 {
        avx && totals.levels[2] * 3 >= totals.avx
    } else if v3 {
        avx
    } else if v2 {
        avx || is_v2_throughout(totals)
    } else {
        OTHERS.holds(FeatureSet::of(&[feature]))
            && totals.functions >= MIN_FUNCTIONS
            && total.functions * if SVE.holds(FeatureSet::of(&[feature])) { 2 } else { 10 }
                >= totals.functions
    }
}

fn is_v2_throughout(totals: &Totals) -> bool {
    let parts = || totals.parts.iter().filter(|part| part[0] > 0);
    let [vector, uses] = [0, 1].map(|index| parts().map(|part| part[index]).sum::<u64>());
    let with = parts().filter(|part| part[1] * 10 >= part[0]).count();
    vector >= MIN_FUNCTIONS && uses * 5 >= vector && with * 4 >= parts().count() * 3
}

const SVE: FeatureSet = FeatureSet::of(&[Sve, Sve2]);
/// Minimum number of functions for meaningful shares.
const MIN_FUNCTIONS: u64 = 8;
/// Features outside of the x86-64 levels that compilers use automatically.
const OTHERS: FeatureSet = FeatureSet::of(&[
    Mmx, Sse, Sse2, Crc, Lse, Rdma, Fp16, Dotprod, Fcma, Jscvt, Rcpc, Rcpc2, Pauth, Bf16, I8mm,
    Fp16fml, Flagm, Flagm2, Frintts, Memtag, Sve, Sve2, Mops, Cssc, Lse128,
]);
