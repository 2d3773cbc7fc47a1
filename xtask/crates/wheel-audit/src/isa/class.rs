//! What an instruction tells, whatever the machine.

use super::feature::FeatureSet;

/// What an instruction says of the code that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) needs: FeatureSet,
    /// No compiler makes it, so what was decoded is no code.
    pub(super) is_garbage: bool,
    /// It asks the processor what it can do.
    pub(super) asks: bool,
    /// It works on vector registers, in the old encoding or in that of AVX.
    pub(super) is_vector: bool,
    /// In that of AVX.
    pub(super) is_avx: bool,
}

/// What nothing follows from.
pub(super) const PLAIN: Class = Class {
    needs: FeatureSet::EMPTY,
    is_garbage: false,
    asks: false,
    is_vector: false,
    is_avx: false,
};
