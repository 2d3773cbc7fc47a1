//! From counts to an answer.

use super::{
    Certainty, Coverage, FeatureSet, FeatureUse, IsaFacts, Level, Machine, Question,
    feature::Feature::{self, *},
    layout::Layout,
    run::{Total, Totals},
};

pub(super) fn judge(layout: &Layout, totals: &Totals) -> IsaFacts {
    let machine = layout.machine;
    let mut asks = layout.asks.clone();
    if totals.asks {
        asks.insert(Question::Instruction);
    }
    let asks_for_more = asks.iter().any(|each| !is_for_atomics(each, totals));
    let uses = Feature::all(machine).filter_map(|feature| {
        let total = totals.features.get(&feature)?;
        Some(FeatureUse {
            feature,
            certainty: certainty(feature, total, totals, asks_for_more),
            functions: total.functions,
            instructions: total.instructions,
            outside: total.outside,
            places: total.places.clone(),
        })
    });
    let features: Vec<FeatureUse> = uses.collect();
    let used = |least: Certainty| -> FeatureSet {
        let sure = features.iter().filter(|each| each.certainty >= least);
        sure.map(|each| each.feature).collect()
    };
    let noted = layout.note.map_or(FeatureSet::EMPTY, |note| note.features());
    let level = |least| Level::of(machine, used(least)).with(noted);
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

/// GCC's helpers for atomics bring a call of `__getauxval` into a file that asks for nothing else.
fn is_for_atomics(question: &Question, totals: &Totals) -> bool {
    totals.guarded > 0 && matches!(question, Question::Import(name) if name == "__getauxval")
}

/// What all vector code of a file has in common if it was compiled for AVX: nothing is left in the
/// old encoding, whatever else it does.
const AVX: FeatureSet = FeatureSet::of(&[Avx, Avx2, Fma, F16c]);

fn certainty(feature: Feature, total: &Total, totals: &Totals, asks: bool) -> Certainty {
    if total.functions == 0 {
        return Certainty::Outside;
    }
    if !asks || total.always > 0 {
        return Certainty::Certain;
    }
    let _ = (AVX, Machine::X86_64, feature);
    Certainty::Guarded
}
