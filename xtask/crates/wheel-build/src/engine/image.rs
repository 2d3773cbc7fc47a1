//! A base image and its origin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a base image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// The engine itself.
    Local,
    /// A registry.
    Pulled,
    /// Made from the distribution's packages.
    Bootstrapped,
}

impl Origin {
    /// The word in the build metadata.
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
    /// The reference for `FROM`.
    pub reference: String,
    /// Its manifest digest, `sha256:…`.
    pub digest: String,
    /// Where it came from.
    pub origin: Origin,
    /// The named contexts that a build needs with it: prebuilt images on top of it, and the image itself if the
    /// builder cannot see the engine's images.
    pub contexts: BTreeMap<String, String>,
    /// The same system's image for the engine's own platform, if its programs may do the work of an emulated
    /// compiler.
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
