//! `[ci]`: what hosted CI builds, and on what.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::job_settings::Select;
use super::{Config, Platform, Target, Word, build_identifier, words};
use wheel_audit::wheel::Interpreter;

/// `[ci]`: what `cargo xtask matrix` spreads over a hosted CI's machines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Ci {
    /// The targets, by name or image; all of them where absent.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The runner whose machine a platform is native to: `{ "linux/arm64" = "ubuntu-24.04-arm" }`.
    /// Those of [`Ci::runner`] need not be named.
    #[serde(default, deserialize_with = "words::label")]
    pub runners: BTreeMap<Platform, String>,
    /// The platforms that are emulated on the runner of `linux/amd64`, though it takes several times
    /// as long.
    #[serde(default)]
    pub emulate: Vec<Platform>,
    /// The runners of GitLab, by tag: `{ "linux/arm64" = "saas-linux-small-arm64" }`. Those of
    /// [`Ci::gitlab_runner`] need not be named.
    #[serde(default, deserialize_with = "words::label")]
    pub gitlab_runners: BTreeMap<Platform, String>,
    /// When GitHub builds all wheels without a commit and without cached layers, as a cron expression (UTC).
    #[serde(default, deserialize_with = "words::schedule")]
    pub schedule: Option<String>,
    /// The default branch, whose wheels are released; `main` where absent.
    pub branch: Option<Word>,
    /// Where the hosted workflow keeps layers for its next run.
    #[serde(default)]
    pub cache: LayerCache,
    /// The repository of a registry for `cache = "registry"`: `registry.example/owner/wheels-cache`.
    #[serde(default, deserialize_with = "words::repository")]
    pub cache_repository: Option<String>,
    /// The wheels that a release needs, as patterns of build identifiers; every wheel where absent. Any
    /// other wheel may be missing, with a warning.
    pub required: Option<Select>,
    /// Whether the findings of `verify` are uploaded to code scanning, which private repositories may
    /// lack.
    #[serde(default)]
    pub sarif: bool,
}

/// Where the hosted workflow keeps layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LayerCache {
    /// In the cache of GitHub Actions.
    #[default]
    Gha,
    /// In a repository of a container registry.
    Registry,
    /// Nowhere: each run begins with the base images.
    None,
}

/// Where a platform is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runner {
    /// The label that the CI knows the machine by.
    pub label: String,
    /// Whether it has to emulate the platform.
    pub emulated: bool,
}

impl Ci {
    /// Where `platform` is built: the configured runner, else GitHub's own native one (its
    /// documentation, "GitHub-hosted runners reference"); `None` where no machine is known and none
    /// is to emulate it.
    pub(crate) fn runner(&self, platform: &Platform) -> Option<Runner> {
        self.one_of(&self.runners, ["ubuntu-24.04", "ubuntu-24.04-arm"], platform)
    }

    /// Where GitLab builds `platform`: the configured runner, else its own native one (its documentation, "Hosted
    /// runners on Linux").
    pub(crate) fn gitlab_runner(&self, platform: &Platform) -> Option<Runner> {
        let hosted = ["saas-linux-small-amd64", "saas-linux-small-arm64"];
        self.one_of(&self.gitlab_runners, hosted, platform)
    }

    /// One of the `named` runners, else of the `hosted` ones for amd64 and arm64.
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
    /// Whether a release needs the wheel of this build.
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
