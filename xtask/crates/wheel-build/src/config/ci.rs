//! `[ci]`: what hosted CI builds, and on which machines.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::job_settings::Select;
use super::{Config, Platform, Target, Word, build_identifier, words};
use wheel_audit::wheel::Interpreter;

/// `[ci]`: what hosted CI builds, and on which machines. `cargo xtask matrix` shows the result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Ci {
    /// Targets that hosted CI builds, by name or image. [default: all targets]
    #[serde(default)]
    pub targets: Vec<String>,
    /// GitHub runner for each platform, such as `{ "linux/arm64" = "ubuntu-24.04-arm" }`. [default: GitHub's hosted
    /// runners for `linux/amd64` and `linux/arm64`]
    #[serde(default, deserialize_with = "words::label")]
    pub runners: BTreeMap<Platform, String>,
    /// Platforms to emulate on the runner of `linux/amd64`. Emulated builds take several times as long. [default: none]
    #[serde(default)]
    pub emulate: Vec<Platform>,
    /// GitLab runner for each platform, by tag, such as `{ "linux/arm64" = "saas-linux-small-arm64" }`. [default: GitLab's
    /// hosted runners for `linux/amd64` and `linux/arm64`]
    #[serde(default, deserialize_with = "words::label")]
    pub gitlab_runners: BTreeMap<Platform, String>,
    /// Cron expression (UTC) for a GitHub run that builds all wheels without cached layers. [default: no scheduled run]
    #[serde(default, deserialize_with = "words::schedule")]
    pub schedule: Option<String>,
    /// Default branch of the repository. Hosted CI publishes its wheels as a pre-release. [default: `main`]
    pub branch: Option<Word>,
    /// Where the hosted workflow stores layers for its next run. [default: `gha`]
    #[serde(default)]
    pub cache: LayerCache,
    /// Registry repository for `cache = "registry"`, such as `registry.example/owner/wheels-cache`. [default: none]
    #[serde(default, deserialize_with = "words::repository")]
    pub cache_repository: Option<String>,
    /// Wheels that a release requires, as patterns of build identifiers. Other wheels may be missing, with a warning.
    /// [default: every wheel]
    pub required: Option<Select>,
    /// Upload the findings of `verify` to code scanning. Private repositories may not support it. [default: false]
    #[serde(default)]
    pub sarif: bool,
}

/// Where the hosted workflow stores layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LayerCache {
    /// The cache of GitHub Actions.
    #[default]
    Gha,
    /// A repository in a container registry.
    Registry,
    /// Nowhere: each run starts from the base images.
    None,
}

/// The machine that builds a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runner {
    /// The label of the machine in the CI.
    pub label: String,
    /// True if the machine emulates the platform.
    pub emulated: bool,
}

impl Ci {
    /// The machine that builds `platform`: the configured runner, or GitHub's native one (its documentation,
    /// "GitHub-hosted runners reference"). `None` if no machine is known and `emulate` does not list the platform.
    pub(crate) fn runner(&self, platform: &Platform) -> Option<Runner> {
        self.one_of(&self.runners, ["ubuntu-24.04", "ubuntu-24.04-arm"], platform)
    }

    /// The machine that builds `platform` on GitLab: the configured runner, or GitLab's native one (its documentation,
    /// "Hosted runners on Linux").
    pub(crate) fn gitlab_runner(&self, platform: &Platform) -> Option<Runner> {
        let hosted = ["saas-linux-small-amd64", "saas-linux-small-arm64"];
        self.one_of(&self.gitlab_runners, hosted, platform)
    }

    /// One of the `named` runners, or one of the `hosted` runners for amd64 and arm64.
    fn one_of(
        &self,
        named: &BTreeMap<Platform, String>,
        hosted: [&str; 2],
        platform: &Platform,
    ) -> Option<Runner> {
        let emulated = self.emulate.contains(platform);
        let arch = if emulated { "amd64" } else { platform.engine_arch() };
        let label = named.iter().find(|(platform, _)| platform.engine_arch() == arch);
        let label = label.map(|(_, label)| label.as_str()).or(match arch {
            "amd64" => Some(hosted[0]),
            "arm64" => Some(hosted[1]),
            _ => None,
        })?;
        Some(Runner { label: label.to_owned(), emulated })
    }
}

impl Config {
    /// Returns whether a release requires the wheel of this build.
    pub(crate) fn requires(
        &self,
        interpreter: Interpreter,
        target: &Target,
        platform: &Platform,
    ) -> bool {
        let identifier = || build_identifier(interpreter, target, platform);
        self.ci.required.as_ref().is_none_or(|select| select.matches(&identifier()))
    }
}
