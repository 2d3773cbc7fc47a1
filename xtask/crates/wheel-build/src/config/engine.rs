//! `[engine]`: which engine builds, for those who cannot take the one that answers by itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Platform, words};

/// `[engine]`. Mostly a matter of one machine, and so of `wheels.local.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// The program that builds; `docker` where absent.
    pub tool: Option<Tool>,
    /// The engine, as an address or a context.
    #[serde(default, deserialize_with = "words::engine")]
    pub host: Option<String>,
    /// Engines for single platforms: `{ "linux/arm64" = "ssh://user@arm-box" }`.
    #[serde(default, deserialize_with = "words::engine")]
    pub hosts: BTreeMap<Platform, String>,
    /// The buildx builder.
    #[serde(default, deserialize_with = "words::builder")]
    pub builder: Option<String>,
    /// The network of build steps: the engine's own where absent.
    pub network: Option<Network>,
}

/// The programs that can carry builds out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tool {
    /// `docker` with buildx.
    #[default]
    Docker,
    /// `podman build`.
    Podman,
}

/// The network of build steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// That of the engine's machine.
    Host,
}
