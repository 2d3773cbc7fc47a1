//! `[engine]`: which engine builds, if not the default one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Platform, words};

/// `[engine]`: which engine builds. These settings usually belong in `wheels.local.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// Program that builds. [default: docker if installed, else podman]
    pub tool: Option<Tool>,
    /// The engine, as an address or a docker context. [default: the current context of docker]
    #[serde(default, deserialize_with = "words::engine")]
    pub host: Option<String>,
    /// Engines for single platforms, such as `{ "linux/arm64" = "ssh://user@arm-box" }`. [default: `host`]
    #[serde(default, deserialize_with = "words::engine")]
    pub hosts: BTreeMap<Platform, String>,
    /// Name of the buildx builder. [default: the current builder]
    #[serde(default, deserialize_with = "words::builder")]
    pub builder: Option<String>,
    /// Network of build steps. [default: the engine's default network]
    pub network: Option<Network>,
}

/// A program that can build.
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
    /// The network of the engine's machine.
    Host,
}
