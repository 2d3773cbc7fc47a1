//! `[base-image]`: base images that were built beforehand.

use serde::Deserialize;

/// `[base-image]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseImages {
    /// The repository of a registry that they are pushed to and looked for in:
    /// `registry.example/wheels-base`.
    pub repository: Option<String>,
}
