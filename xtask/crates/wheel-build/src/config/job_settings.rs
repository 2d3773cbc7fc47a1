//! Settings of one job: `[build]`, `[repair]` and `[test]`, with the `[[override]]` tables that select the job.

use std::collections::BTreeMap;

use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::build::{BuildFrontend, ConfigSettings, Env, NamePattern, OneOrMany, Script};
use super::{Build, Config, Family, Platform, Rust, Target, words};
use wheel_audit::wheel::Interpreter;

/// `[repair]`: add libraries that the wheel needs and its tag does not allow as external.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Repair {
    /// When to repair wheels. [default: `auto`]
    #[serde(default)]
    pub mode: RepairMode,
    /// Libraries to leave out of the wheel, as names or patterns such as `libcuda.so.*`. [default: none]
    #[serde(default, deserialize_with = "words::library")]
    pub exclude: Vec<String>,
    /// Remove symbols that only debuggers read. [default: false]
    #[serde(default)]
    pub strip: bool,
}

/// When a wheel is repaired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum RepairMode {
    /// Repair a wheel that needs a library its tag does not allow as external.
    #[default]
    Auto,
    /// Repair every wheel.
    Always,
    /// Repair no wheel. A missing library is an error.
    Off,
}

/// `[test]`: the package's own tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    /// Shell command that tests the installed wheel. It may contain `{project}`, `{package}` and `{wheel}`, which are
    /// replaced by paths. [default: no tests]
    #[serde(default)]
    pub command: Option<Script>,
    /// Requirements of the tests, in pip's syntax. [default: none]
    #[serde(default, deserialize_with = "words::value")]
    pub requires: Vec<String>,
    /// Extras of the wheel to install for the tests. [default: none]
    #[serde(default, deserialize_with = "words::project")]
    pub extras: Vec<String>,
    /// Dependency groups of pyproject.toml to install for the tests (PEP 735). [default: none]
    #[serde(default, deserialize_with = "words::project")]
    pub groups: Vec<String>,
    /// Files and folders of the source to copy into the tests' folder. [default: none]
    #[serde(default, deserialize_with = "words::source_path")]
    pub sources: Vec<String>,
    /// Environment variables of the tests. [default: none]
    #[serde(default)]
    pub env: Env,
    /// Skip the tests. [default: false]
    #[serde(default)]
    pub skip: bool,
    /// Allow the tests to use the network. [default: false]
    #[serde(default)]
    pub network: bool,
    /// Requirements of the wheel to ignore in the smoke test and the tests, because the interpreter provides them.
    /// [default: none]
    #[serde(default, rename = "ignore-requirements", deserialize_with = "words::project")]
    pub ignore_requirements: Vec<String>,
    /// System packages to install in the clean container, by package family: libraries that the tag allows as external and
    /// that not every system has. [default: none]
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
}

/// `[[override]]`: different settings for some jobs. A later table overrides an earlier one.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct JobOverride {
    /// Jobs to change, as patterns of build identifiers. Required.
    pub select: Select,
    /// Keys of `[build]` to change.
    #[serde(default)]
    pub build: BuildChange,
    /// Keys of `[toolchain]` to change.
    #[serde(default)]
    pub toolchain: ToolchainChange,
    /// Keys of `[repair]` to change.
    #[serde(default)]
    pub repair: RepairChange,
    /// Keys of `[test]` to change.
    #[serde(default)]
    pub test: TestChange,
}

/// Keys of `[build]` that an override can change.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct BuildChange {
    /// Variables to add to `[build] env`.
    #[serde(default)]
    pub env: Env,
    /// Replaces `[build] env-pass`.
    #[serde(default, rename = "env-pass")]
    pub env_pass: Option<Vec<NamePattern>>,
    /// Replaces the packages of the named families in `[build] system_packages`.
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
    /// Replaces `[build] before`.
    #[serde(default)]
    pub before: Option<Script>,
    /// Replaces `[build] before-build`.
    #[serde(default, rename = "before-build")]
    pub before_build: Option<Script>,
    /// Settings to add to `[build] config-settings`. A key replaces the same key there.
    #[serde(default, rename = "config-settings")]
    pub config_settings: ConfigSettings,
    /// Replaces `[build] build-frontend`.
    #[serde(default, rename = "build-frontend")]
    pub build_frontend: Option<BuildFrontend>,
    /// Replaces `[build] requires`.
    #[serde(default)]
    pub requires: Option<Vec<String>>,
    /// Replaces `[build] network`.
    #[serde(default)]
    pub network: Option<bool>,
}

/// Keys of `[toolchain]` that an override can change.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolchainChange {
    /// Replaces `[toolchain] rust`.
    pub rust: Option<Rust>,
}

/// Keys of `[repair]` that an override can change.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RepairChange {
    /// Replaces `[repair] mode`.
    pub mode: Option<RepairMode>,
    /// Replaces `[repair] exclude`.
    #[serde(default, deserialize_with = "words::library")]
    pub exclude: Option<Vec<String>>,
    /// Replaces `[repair] strip`.
    pub strip: Option<bool>,
}

/// Keys of `[test]` that an override can change.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct TestChange {
    /// Replaces `[test] command`.
    pub command: Option<Script>,
    /// Replaces `[test] requires`.
    #[serde(default, deserialize_with = "words::value")]
    pub requires: Option<Vec<String>>,
    /// Replaces `[test] extras`.
    #[serde(default, deserialize_with = "words::project")]
    pub extras: Option<Vec<String>>,
    /// Replaces `[test] groups`.
    #[serde(default, deserialize_with = "words::project")]
    pub groups: Option<Vec<String>>,
    /// Replaces `[test] sources`.
    #[serde(default, deserialize_with = "words::source_path")]
    pub sources: Option<Vec<String>>,
    /// Variables to add to `[test] env`.
    #[serde(default)]
    pub env: Env,
    /// Replaces `[test] skip`.
    pub skip: Option<bool>,
    /// Replaces `[test] network`.
    pub network: Option<bool>,
    /// Replaces `[test] ignore-requirements`.
    #[serde(default, rename = "ignore-requirements", deserialize_with = "words::project")]
    pub ignore_requirements: Option<Vec<String>>,
    /// Replaces the packages of the named families in `[test] system_packages`.
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
}

/// Patterns of build identifiers, such as `cp314t-*` and `*-debian12_aarch64`. Write several as a list, or as
/// one string with spaces between them, as in cibuildwheel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "OneOrMany"))]
#[serde(try_from = "OneOrMany")]
pub(crate) struct Select(Vec<Pattern>);

impl TryFrom<OneOrMany> for Select {
    type Error = String;

    fn try_from(value: OneOrMany) -> Result<Self, String> {
        let words = match value {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(list) => list,
        };
        Self::parse(words.iter().map(String::as_str))
    }
}

impl Select {
    /// Parses patterns; a word of `words` may hold several.
    ///
    /// # Errors
    /// If a pattern is invalid, or there is none.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let pattern = |text: &str| {
            if text.contains(['{', '}']) {
                return Err(format!(
                    "`{text}` contains braces: write one pattern for each alternative"
                ));
            }
            Pattern::new(text)
                .map_err(|error| format!("`{text}` is not a valid pattern: {}", error.msg))
        };
        let words = words.into_iter().flat_map(|text| {
            text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
        });
        let patterns: Vec<Pattern> = words.map(pattern).collect::<Result<_, _>>()?;
        if patterns.is_empty() {
            return Err("there is no pattern; write one such as `cp314t-*`".to_owned());
        }
        Ok(Self(patterns))
    }

    /// Returns whether a pattern matches `identifier`.
    pub(crate) fn matches(&self, identifier: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(identifier))
    }

    /// The patterns that match none of `identifiers`.
    pub(crate) fn unused<'a>(&'a self, identifiers: &[String]) -> Vec<&'a str> {
        let unused = |pattern: &&Pattern| !identifiers.iter().any(|it| pattern.matches(it));
        self.0.iter().filter(unused).map(Pattern::as_str).collect()
    }
}

/// The name of a job, in cibuildwheel's form: `cp313-debian12_x86_64`.
pub(crate) fn build_identifier(
    interpreter: Interpreter,
    target: &Target,
    platform: &Platform,
) -> String {
    format!("{interpreter}-{}", environment_identifier(target, platform))
}

fn environment_identifier(target: &Target, platform: &Platform) -> String {
    format!("{}_{}", target.name, platform.arch().wheel_name())
}

/// The settings of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JobSettings {
    /// How to build the wheel.
    pub build: BuildSettings,
    /// Where the container's Rust comes from.
    pub rust: Rust,
    /// Settings of the repair.
    pub repair: Repair,
    /// The package's own tests.
    pub test: Test,
}

/// How to build the wheel of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct BuildSettings {
    /// Recipe of the justfile.
    pub recipe: String,
    /// Program that calls the build backend.
    pub build_frontend: BuildFrontend,
    /// Shell command that runs once for all interpreters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Script>,
    /// Shell command that runs before the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_build: Option<Script>,
    /// Additional system packages.
    #[serde(rename = "system_packages")]
    pub system_packages: Vec<String>,
    /// Environment variables, including those that this machine passes on.
    pub env: Env,
    /// Settings for the build backend.
    pub config_settings: ConfigSettings,
    /// Additional requirements to fetch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// True if the package's code may use the network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
}

impl Config {
    /// The files and folders that any `[test] sources` names.
    pub(crate) fn test_sources(&self) -> impl Iterator<Item = &String> {
        let others = self.job_overrides.iter().filter_map(|each| each.test.sources.as_ref());
        self.test.sources.iter().chain(others.flatten())
    }

    /// The settings of the job of `interpreter` for `target` on `platform`. `passed` are the variables of this machine
    /// that `env-pass` selects from.
    pub(crate) fn job_settings(
        &self,
        interpreter: Interpreter,
        (target, platform): (&Target, &Platform),
        passed: &BTreeMap<String, String>,
    ) -> JobSettings {
        self.settings(&build_identifier(interpreter, target, platform), target.family, passed)
    }

    /// The settings of the environment of `target` before any interpreter is installed: overrides that select by
    /// interpreter do not apply.
    pub(crate) fn environment_settings(&self, target: &Target, platform: &Platform) -> JobSettings {
        let identifier = format!("*-{}", environment_identifier(target, platform));
        self.settings(&identifier, target.family, &BTreeMap::new())
    }

    fn settings(
        &self,
        identifier: &str,
        family: Option<Family>,
        passed: &BTreeMap<String, String>,
    ) -> JobSettings {
        let mut build = self.build.clone();
        let (mut rust, mut repair, mut test) =
            (self.toolchain.rust, self.repair.clone(), self.test.clone());
        for each in self.job_overrides.iter().filter(|each| each.select.matches(identifier)) {
            build.change(&each.build);
            rust = each.toolchain.rust.unwrap_or(rust);
            repair.change(&each.repair);
            test.change(&each.test);
        }
        let is_passed = |name: &String| build.env_pass.iter().any(|pattern| pattern.allows(name));
        let mut env: BTreeMap<String, String> = passed.clone();
        env.retain(|name, _| is_passed(name));
        env.extend(build.env.0);
        let packages = family.and_then(|family| build.system_packages.remove(&family));
        let build = BuildSettings {
            recipe: build.recipe,
            build_frontend: build.build_frontend,
            before: build.before,
            before_build: build.before_build,
            system_packages: packages.unwrap_or_default(),
            env: Env(env),
            config_settings: build.config_settings,
            requires: build.requires,
            network: build.network,
        };
        JobSettings { build, rust, repair, test }
    }

    /// All patterns of `env-pass`.
    pub(crate) fn env_pass(&self) -> impl Iterator<Item = &NamePattern> {
        let others = self.job_overrides.iter().filter_map(|each| each.build.env_pass.as_ref());
        self.build.env_pass.iter().chain(others.flatten())
    }
}

/// Sets `old` to `new` if there is one.
fn set<T: Clone>(old: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        *old = new.clone();
    }
}

impl Build {
    fn change(&mut self, change: &BuildChange) {
        self.env.0.extend(change.env.0.clone());
        set(&mut self.env_pass, change.env_pass.as_ref());
        self.system_packages.extend(change.system_packages.clone());
        self.before = change.before.clone().or_else(|| self.before.take());
        self.before_build = change.before_build.clone().or_else(|| self.before_build.take());
        self.config_settings.0.extend(change.config_settings.0.clone());
        set(&mut self.build_frontend, change.build_frontend.as_ref());
        set(&mut self.requires, change.requires.as_ref());
        set(&mut self.network, change.network.as_ref());
    }
}

impl Repair {
    fn change(&mut self, change: &RepairChange) {
        set(&mut self.mode, change.mode.as_ref());
        set(&mut self.exclude, change.exclude.as_ref());
        set(&mut self.strip, change.strip.as_ref());
    }
}

impl Test {
    /// The keys that only `command` uses.
    pub(super) const KEYS_OF_COMMAND: [&str; 6] =
        ["requires", "extras", "groups", "sources", "env", "network"];

    /// The test command, unless the tests are skipped.
    pub(crate) fn active(&self) -> Option<&Script> {
        self.command.as_ref().filter(|_| !self.skip)
    }

    fn change(&mut self, change: &TestChange) {
        self.command = change.command.clone().or_else(|| self.command.take());
        set(&mut self.requires, change.requires.as_ref());
        set(&mut self.extras, change.extras.as_ref());
        set(&mut self.groups, change.groups.as_ref());
        set(&mut self.sources, change.sources.as_ref());
        self.env.0.extend(change.env.0.clone());
        set(&mut self.skip, change.skip.as_ref());
        set(&mut self.network, change.network.as_ref());
        set(&mut self.ignore_requirements, change.ignore_requirements.as_ref());
        self.system_packages.extend(change.system_packages.clone());
    }
}

#[cfg(test)]
#[path = "job_settings_tests.rs"]
mod tests;
