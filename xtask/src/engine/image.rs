//! What a base image is, whichever way it came.

use serde::{Deserialize, Serialize};

/// Where a base image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It was in the engine.
    Local,
    /// A registry gave it.
    Pulled,
    /// Made from the distribution's packages.
    Bootstrapped,
}

impl Origin {
    /// The word that the build metadata uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Pulled => "pulled",
            Self::Bootstrapped => "bootstrapped",
        }
    }
}

/// A base image that the engine can build from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// What `FROM` says.
    pub reference: String,
    /// Its manifest digest, `sha256:…`.
    pub digest: String,
    /// Where it came from.
    pub origin: Origin,
}
