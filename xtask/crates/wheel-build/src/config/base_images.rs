//! `[base-image]`: where prebuilt base images are stored.

use serde::Deserialize;

use super::words;

/// `[base-image]`: where prebuilt base images are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct BaseImages {
    /// Registry repository for prebuilt base images, such as `registry.example/wheels-base`. Builds pull
    /// images from it, and `base-image push` uploads to it. [default: none]
    #[serde(default, deserialize_with = "words::image")]
    pub repository: Option<String>,
}
