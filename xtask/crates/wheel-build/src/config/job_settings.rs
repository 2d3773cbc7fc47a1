//! What one job is built, repaired and tested with: `[build]`, `[repair]` and `[test]`, and the
//! `[[override]]` tables that select the job.

use std::collections::BTreeMap;

use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::build::{BuildFrontend, ConfigSettings, Env, NamePattern, OneOrMany, Script};
use super::{Build, Config, Family, Platform, Rust, Target, words};
use wheel_audit::wheel::Interpreter;

/// `[repair]`: libraries that the wheel needs and its tag does not promise are put into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Repair {
    /// When it is done.
    #[serde(default)]
    pub mode: RepairMode,
    /// Libraries that stay outside of the wheel: names or patterns, `libcuda.so.*`.
    #[serde(default, deserialize_with = "words::library")]
    pub exclude: Vec<String>,
    /// Whether symbols that only debuggers read are removed.
    #[serde(default)]
    pub strip: bool,
}

/// When a wheel is repaired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum RepairMode {
    /// Where it needs a library that its tag does not promise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: a library that is missing is an error.
    Off,
}

/// `[test]`: the package's own tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    /// Shell command that tests the installed wheel; `{project}`, `{package}` and `{wheel}` stand in
    /// it for paths.
    #[serde(default)]
    pub command: Option<Script>,
    /// What the tests need, as pip reads it.
    #[serde(default, deserialize_with = "words::value")]
    pub requires: Vec<String>,
    /// Extras of the wheel.
    #[serde(default, deserialize_with = "words::project")]
    pub extras: Vec<String>,
    /// Dependency groups of pyproject.toml (PEP 735).
    #[serde(default, deserialize_with = "words::project")]
    pub groups: Vec<String>,
    /// Files and folders of the source that are copied into the folder of the tests.
    #[serde(default, deserialize_with = "words::source_path")]
    pub sources: Vec<String>,
    /// Environment of the tests.
    #[serde(default)]
    pub env: Env,
    /// Leaves them out.
    #[serde(default)]
    pub skip: bool,
    /// Whether they have the network.
    #[serde(default)]
    pub network: bool,
    /// Requirements of the wheel that its tests do without: what the interpreter brings itself.
    #[serde(default, rename = "ignore-requirements", deserialize_with = "words::project")]
    pub ignore_requirements: Vec<String>,
    /// System packages of the clean container, by family: libraries that a tag promises and not every
    /// system has.
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
}

/// `[[override]]`: other settings for some jobs.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct JobOverride {
    /// Which jobs: patterns of build identifiers.
    pub select: Select,
    /// Keys of `[build]`.
    #[serde(default)]
    pub build: BuildChange,
    /// Keys of `[toolchain]`.
    #[serde(default)]
    pub toolchain: ToolchainChange,
    /// Keys of `[repair]`.
    #[serde(default)]
    pub repair: RepairChange,
    /// Keys of `[test]`.
    #[serde(default)]
    pub test: TestChange,
}

/// Keys of `[build]` that a job may have otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct BuildChange {
    /// Added to `[build] env`.
    #[serde(default)]
    pub env: Env,
    /// In place of `[build] env-pass`.
    #[serde(default, rename = "env-pass")]
    pub env_pass: Option<Vec<NamePattern>>,
    /// In place of those of `[build]`, family by family.
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
    /// In place of `[build] before`.
    #[serde(default)]
    pub before: Option<Script>,
    /// In place of `[build] before-build`.
    #[serde(default, rename = "before-build")]
    pub before_build: Option<Script>,
    /// Added to those of `[build]`, key by key.
    #[serde(default, rename = "config-settings")]
    pub config_settings: ConfigSettings,
    /// In place of `[build] build-frontend`.
    #[serde(default, rename = "build-frontend")]
    pub build_frontend: Option<BuildFrontend>,
    /// In place of `[build] requires`.
    #[serde(default)]
    pub requires: Option<Vec<String>>,
    /// In place of `[build] network`.
    #[serde(default)]
    pub network: Option<bool>,
}

/// Keys of `[toolchain]` that a job may have otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolchainChange {
    /// In place of `[toolchain] rust`.
    pub rust: Option<Rust>,
}

/// Keys of `[repair]` that a job may have otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RepairChange {
    /// In place of `[repair] mode`.
    pub mode: Option<RepairMode>,
    /// In place of `[repair] exclude`.
    #[serde(default, deserialize_with = "words::library")]
    pub exclude: Option<Vec<String>>,
    /// In place of `[repair] strip`.
    pub strip: Option<bool>,
}

/// Keys of `[test]` that a job may have otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct TestChange {
    /// In place of `[test] command`.
    pub command: Option<Script>,
    /// In place of `[test] requires`.
    #[serde(default, deserialize_with = "words::value")]
    pub requires: Option<Vec<String>>,
    /// In place of `[test] extras`.
    #[serde(default, deserialize_with = "words::project")]
    pub extras: Option<Vec<String>>,
    /// In place of `[test] groups`.
    #[serde(default, deserialize_with = "words::project")]
    pub groups: Option<Vec<String>>,
    /// In place of `[test] sources`.
    #[serde(default, deserialize_with = "words::source_path")]
    pub sources: Option<Vec<String>>,
    /// Added to `[test] env`.
    #[serde(default)]
    pub env: Env,
    /// In place of `[test] skip`.
    pub skip: Option<bool>,
    /// In place of `[test] network`.
    pub network: Option<bool>,
    /// In place of `[test] ignore-requirements`.
    #[serde(default, rename = "ignore-requirements", deserialize_with = "words::project")]
    pub ignore_requirements: Option<Vec<String>>,
    /// In place of those of `[test]`, family by family.
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
}

/// Patterns of build identifiers: `cp314t-*`, `*-debian12_aarch64`. Several are a list, or stand in
/// one string with blanks between them, as with cibuildwheel.
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
    /// The patterns in `words`.
    ///
    /// # Errors
    /// When one is malformed, or there is none.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let pattern = |text: &str| {
            if text.contains(['{', '}']) {
                return Err(format!("`{text}` has braces: write a pattern for each of the words"));
            }
            Pattern::new(text)
                .map_err(|error| format!("`{text}` is not a valid pattern: {}", error.msg))
        };
        let words = words.into_iter().flat_map(|text| {
            text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
        });
        let patterns: Vec<Pattern> = words.map(pattern).collect::<Result<_, _>>()?;
        if patterns.is_empty() {
            return Err("it has no pattern; write one such as `cp314t-*`".to_owned());
        }
        Ok(Self(patterns))
    }

    /// Whether a pattern matches `identifier`.
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

/// What one job is built, repaired and tested with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JobSettings {
    /// How it is built.
    pub build: BuildSettings,
    /// Where the container's Rust comes from.
    pub rust: Rust,
    /// Whether and how its wheel is repaired.
    pub repair: Repair,
    /// The package's own tests.
    pub test: Test,
}

/// How one job is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct BuildSettings {
    /// The just recipe.
    pub recipe: String,
    /// What calls the build backend.
    pub build_frontend: BuildFrontend,
    /// Shell command that runs once for all interpreters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Script>,
    /// Shell command that runs before the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_build: Option<Script>,
    /// Further system packages.
    #[serde(rename = "system_packages")]
    pub system_packages: Vec<String>,
    /// Its environment, with what this machine passes on.
    pub env: Env,
    /// Settings for the build backend.
    pub config_settings: ConfigSettings,
    /// Further requirements that are fetched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Whether the package's code may use the network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
}

impl Config {
    /// The files and folders that `[test] sources` names, for whatever job.
    pub(crate) fn test_sources(&self) -> impl Iterator<Item = &String> {
        let others = self.job_overrides.iter().filter_map(|each| each.test.sources.as_ref());
        self.test.sources.iter().chain(others.flatten())
    }

    /// What the job of `interpreter` for `target` on `platform` is built, repaired and tested with;
    /// `passed` are the variables of this machine that `env-pass` may let through.
    pub(crate) fn job_settings(
        &self,
        interpreter: Interpreter,
        (target, platform): (&Target, &Platform),
        passed: &BTreeMap<String, String>,
    ) -> JobSettings {
        self.settings(&build_identifier(interpreter, target, platform), target.family, passed)
    }

    /// What the environment of `target` has before any interpreter is in it: overrides that select by
    /// interpreter do not count.
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
        let is_passed = |name: &String| build.env_pass.iter().any(|pattern| pattern.takes(name));
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

/// Puts what `new` has in place of `old`.
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
    /// The command that tests the wheel, unless the tests are skipped.
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
