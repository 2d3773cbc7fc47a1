//! From counts to an answer.

#[allow(clippy::enum_glob_use, reason = "tables of features are read by their names alone")]
use super::feature::Feature::{self, *};
use super::{
    Certainty, Coverage, FeatureSet, FeatureUse, IsaFacts, Level, Machine, Question,
    layout::Layout,
    run::{LEVELS, MAX_PLACES, Total, Totals},
};

pub(super) fn judge(layout: &Layout, totals: &Totals) -> IsaFacts {
    let machine = layout.machine;
    let mut asks = layout.asks.clone();
    if totals.asks {
        asks.insert(Question::Instruction);
    }
    let asks_for_more = asks.iter().any(|each| !is_for_atomics(each, totals.guarded));
    let is_chosen = asks.iter().any(chooses_functions);
    let uses = Feature::all(machine).filter_map(|feature| {
        let total = totals.features.get(&feature)?;
        let unguarded =
            if is_chosen { Vec::new() } else { totals.calls.unguarded(feature, layout) };
        let by_file = certainty(feature, total, totals, true);
        let if_asked = if unguarded.is_empty() { by_file } else { Certainty::Certain };
        let mut found = FeatureUse {
            feature,
            certainty: if asks_for_more {
                if_asked
            } else {
                certainty(feature, total, totals, false)
            },
            if_asked,
            functions: total.functions,
            instructions: total.instructions,
            outside: total.outside,
            places: total.places.clone(),
        };
        if asks_for_more && if_asked > by_file {
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
        asks,
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

/// The level that the features take which are used with at least this certainty.
pub(super) fn level_of(machine: Machine, features: &[FeatureUse], least: Certainty) -> Level {
    let sure = features.iter().filter(|each| each.certainty >= least);
    Level::of(machine, sure.map(|each| each.feature).collect())
}

/// GCC's helpers for atomics bring a call of `__getauxval` into a file that asks for nothing else.
pub(super) fn is_for_atomics(question: &Question, guarded: u64) -> bool {
    guarded > 0 && matches!(question, Question::Import(name) if name == "__getauxval")
}

/// Whether the loader or a resolver chooses functions, so that their callers need no question.
fn chooses_functions(question: &Question) -> bool {
    match question {
        Question::Ifunc => true,
        Question::Import(name) => name == "__aarch64_cpu_features",
        Question::Auxv | Question::Instruction => false,
    }
}

/// The rules, first to last:
///
/// 1. Code outside of known functions proves nothing.
/// 2. A file that never asks the processor needs what it uses. So does one in which a function
///    uses it that runs in any case and does not itself ask.
/// 3. A file that asks, and was evidently compiled for a level as a whole, needs it. See
///    [`is_throughout`].
/// 4. What else a file that asks uses is taken to be guarded. For [`super::a64_guard::INLINE`] that takes
///    more: see [`super::calls`].
///
/// They are about files, not about paths through them: a file with one guarded function and another
/// that forgot its guard counts as guarded. `audit/dispatch.rs` looks for a question in other files.
fn certainty(feature: Feature, total: &Total, totals: &Totals, asks: bool) -> Certainty {
    if total.functions == 0 {
        Certainty::Outside
    } else if !asks || total.always > 0 {
        Certainty::Certain
    } else if is_throughout(feature, total, totals) {
        Certainty::Throughout
    } else {
        Certainty::Guarded
    }
}

/// Was all of the file compiled for a feature?
///
/// - For v3 compilers write all vector code in AVX's encodings, so at least nine tenths of the
///   functions with vector code have them. Files that choose at run time stay below three quarters:
///   they have code for those who do not have AVX.
/// - For v4 that holds, and a third of that code uses AVX-512.
/// - For v2 compilers use now one instruction and now another of it, wherever there is vector code:
///   in a fifth to a half of the functions that have such (and no AVX), all along the file. Code
///   chosen at run time lies together in few places, and makes up less.
/// - Of other features nothing is known but how many functions use them: a tenth is too many for
///   code that few processors get to run. Of SVE it takes a half: libraries with code for each of its
///   kinds have it in a third of their functions (libjxl, by way of Highway).
fn is_throughout(feature: Feature, total: &Total, totals: &Totals) -> bool {
    let [v2, v3, v4] = LEVELS.map(|level| level.holds(FeatureSet::of(&[feature])));
    let avx = totals.vector >= ENOUGH && totals.avx * 10 >= totals.vector * 9;
    if v4 {
        avx && totals.levels[2] * 3 >= totals.avx
    } else if v3 {
        avx
    } else if v2 {
        avx || is_v2_throughout(totals)
    } else {
        OTHERS.holds(FeatureSet::of(&[feature]))
            && totals.functions >= ENOUGH
            && total.functions * if SVE.holds(FeatureSet::of(&[feature])) { 2 } else { 10 }
                >= totals.functions
    }
}

fn is_v2_throughout(totals: &Totals) -> bool {
    let parts = || totals.parts.iter().filter(|part| part[0] > 0);
    let [vector, uses] = [0, 1].map(|index| parts().map(|part| part[index]).sum::<u64>());
    let with = parts().filter(|part| part[1] * 10 >= part[0]).count();
    vector >= ENOUGH && uses * 5 >= vector && with * 4 >= parts().count() * 3
}

const SVE: FeatureSet = FeatureSet::of(&[Sve, Sve2]);
/// Of fewer functions shares say nothing.
const ENOUGH: u64 = 8;
/// What compilers use of their own accord, other than x86-64's levels.
const OTHERS: FeatureSet = FeatureSet::of(&[
    Mmx, Sse, Sse2, Crc, Lse, Rdma, Fp16, Dotprod, Fcma, Jscvt, Rcpc, Rcpc2, Pauth, Bf16, I8mm,
    Fp16fml, Flagm, Flagm2, Frintts, Memtag, Sve, Sve2, Mops, Cssc, Lse128,
]);
