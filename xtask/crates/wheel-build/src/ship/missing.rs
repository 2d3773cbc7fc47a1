//! Wheels that `wheels.toml` requests from hosted CI and `dist/` lacks.

use serde::Serialize;

use crate::config::{Config, Platform, build_identifier};
use crate::store::Store;
use wheel_audit::UserError;
use wheel_audit::dist::{Entry, Kind};
use wheel_audit::wheel::Interpreter;

/// Interpreters without a wheel; a release requires all of their wheels or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    pub target: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    pub interpreters: Vec<String>,
    /// True if a release requires the wheels (`[ci] required`).
    pub required: bool,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = self.interpreters.join(", ");
        write!(f, "missing wheel for {} {}: {list}", self.target, self.platform)
    }
}

impl Missing {
    /// Severity of the message.
    pub(crate) fn word(&self) -> &'static str {
        if self.required { "error" } else { "warning" }
    }
}

/// Wheels that `wheels.toml` requests from hosted CI and `store` lacks, in the order of the targets.
///
/// # Errors
/// If the manifest cannot be read, or a pattern of `[ci] required` matches no build: a release would silently lack
/// the wheels it names.
pub(crate) fn missing(config: &Config, store: &Store) -> anyhow::Result<Vec<Missing>> {
    check_patterns(config)?;
    let manifest = store.manifest()?;
    let mut missing = Vec::new();
    for target in config.ci_targets() {
        for platform in &target.platforms {
            let name = platform.to_string();
            let lacks =
                |it: &&Interpreter| manifest.wheel(&target.name, &name, &it.to_string()).is_none();
            let (required, optional): (Vec<&Interpreter>, Vec<&Interpreter>) = target
                .pythons
                .iter()
                .filter(lacks)
                .partition(|it| config.requires(**it, target, platform));
            for (interpreters, required) in [(required, true), (optional, false)] {
                if !interpreters.is_empty() {
                    let interpreters = interpreters.iter().map(ToString::to_string).collect();
                    let (target, platform) = (target.name.clone(), name.clone());
                    missing.push(Missing { target, platform, interpreters, required });
                }
            }
        }
    }
    Ok(missing)
}

/// Returns whether no build of the wheel is required for a release; false if the entry is not a wheel of `wheels.toml`.
pub(crate) fn is_optional(config: &Config, entry: &Entry) -> bool {
    let Kind::Wheel { target, platform, builds, .. } = &entry.kind else { return false };
    let target = config.targets.iter().find(|each| each.name == *target);
    let (Some(target), Ok(platform)) = (target, platform.parse::<Platform>()) else { return false };
    let required = |interpreter: &str| {
        interpreter.parse().is_ok_and(|it| config.requires(it, target, &platform))
    };
    !builds.iter().any(|build| required(&build.interpreter))
}

/// Rejects a pattern of `[ci] required` that matches no build of hosted CI.
///
/// # Errors
/// If a pattern matches no build.
pub(crate) fn check_patterns(config: &Config) -> Result<(), UserError> {
    let Some(required) = &config.ci.required else { return Ok(()) };
    let mut identifiers = Vec::new();
    for target in config.ci_targets() {
        for platform in &target.platforms {
            let identifier = |it: &Interpreter| build_identifier(*it, target, platform);
            identifiers.extend(target.pythons.iter().map(identifier));
        }
    }
    let Some(pattern) = required.unused(&identifiers).into_iter().next() else { return Ok(()) };
    Err(UserError::new(format!("`[ci] required`: `{pattern}` matches no build of hosted CI"))
        .hint("`cargo xtask wheels --print-build-identifiers` lists the builds of wheels.toml"))
}
