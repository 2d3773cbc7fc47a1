//! `[base-image]`: base images that were built beforehand.

use serde::Deserialize;

use super::words;

/// `[base-image]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct BaseImages {
    /// The repository of a registry that they are pushed to and looked for in:
    /// `registry.example/wheels-base`.
    #[serde(default, deserialize_with = "words::image")]
    pub repository: Option<String>,
}
