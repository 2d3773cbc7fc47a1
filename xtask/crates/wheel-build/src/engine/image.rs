//! What a base image is, whichever way it came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a base image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// It was in the engine.
    Local,
    /// A registry gave it.
    Pulled,
    /// Made from the distribution's packages.
    Bootstrapped,
}

impl Origin {
    /// The word that the build metadata uses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Pulled => "pulled",
            Self::Bootstrapped => "bootstrapped",
        }
    }
}

/// A base image that the engine can build from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseImage {
    /// What `FROM` says.
    pub reference: String,
    /// Its manifest digest, `sha256:…`.
    pub digest: String,
    /// Where it came from.
    pub origin: Origin,
    /// The named contexts that a build has to be given with it: the image itself, where the builder
    /// does not see those of the engine, and what was built on it beforehand.
    pub contexts: BTreeMap<String, String>,
    /// The same system's image for the engine's own platform, where an emulated compiler's work may be
    /// done by programs from there.
    pub native: Option<String>,
}

impl BaseImage {
    /// An image that builders find by its reference.
    pub(crate) fn new(
        reference: impl Into<String>,
        digest: impl Into<String>,
        origin: Origin,
    ) -> Self {
        let (reference, digest) = (reference.into(), digest.into());
        Self { reference, digest, origin, contexts: BTreeMap::new(), native: None }
    }
}
