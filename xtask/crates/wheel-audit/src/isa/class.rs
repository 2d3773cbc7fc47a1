//! Properties of an instruction, for every architecture.

use super::feature::FeatureSet;

/// Conclusions from an instruction about the code around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) needs: FeatureSet,
    /// No compiler emits it, so the bytes are not code.
    pub(super) is_garbage: bool,
    /// It checks the processor.
    pub(super) checks: bool,
    /// It uses vector registers, in the SSE or AVX encoding.
    pub(super) is_vector: bool,
    /// It uses the AVX encoding.
    pub(super) is_avx: bool,
}

/// An instruction that allows no conclusion.
pub(super) const PLAIN: Class = Class {
    needs: FeatureSet::EMPTY,
    is_garbage: false,
    checks: false,
    is_vector: false,
    is_avx: false,
};
