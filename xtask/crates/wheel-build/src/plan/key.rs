//! Content keys.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Request;
use crate::config::{
    Bootstrap, BuildSettings, Config, JobSettings, Like, Platform, Provider, Repair, RuleOverride,
    RuleSeverity, Rust, Source, TagPolicy, Target, Test,
};
use crate::lock::{LockFile, Locked};
use wheel_audit::digest;
use wheel_audit::isa::{Level, emulated_processor};
use wheel_audit::wheel::Interpreter;

/// Increased when the meaning of a key changes, so that old results do not match.
const SCHEMA: u32 = 3;

/// Facts about the working tree that a plan needs. The caller reads them, because this module reads no files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// Version of the audit's rules.
    pub rules: &'static str,
    /// SHA-256 over the build files (`docker/`, `scripts/`), which run in the containers.
    pub build_files_hash: String,
    /// SHA-256 of the pinned build requirements, if there are any.
    pub requirements: Option<String>,
    /// SHA-256 of the packed source tree, for `path` sources.
    pub source_tree: Option<String>,
    /// SHA-256 of the published wheels in the folder of `[check] like`, if it is a folder.
    pub published: Option<String>,
    /// Variables of this machine that `env-pass` passes.
    pub passed: BTreeMap<String, String>,
    /// The lock file, if it exists.
    pub lock: Option<LockFile>,
    /// Value that makes the layers of this run new if nothing is locked yet.
    pub stamp: Option<String>,
}

impl Inputs {
    /// Locked versions for a job.
    pub(super) fn locked(&self, name: &str, platform: &Platform, id: Interpreter) -> Locked {
        let found =
            self.lock.as_ref().map(|it| it.locked(name, &platform.to_string(), &id.to_string()));
        let locked = found.unwrap_or_default();
        Locked { stamp: self.stamp.clone().filter(|_| locked.packages.is_empty()), ..locked }
    }
}

#[derive(Serialize)]
struct BuildInputs<'a> {
    schema: u32,
    build_files_hash: &'a str,
    image: &'a str,
    digest: Option<&'a str>,
    bootstrap: Option<&'a Bootstrap>,
    platform: &'a Platform,
    #[serde(skip_serializing_if = "Option::is_none")]
    interpreter: Option<String>,
    providers: &'a [Provider],
    source: &'a Source,
    source_tree: Option<&'a str>,
    build: &'a BuildSettings,
    requirements: Option<&'a str>,
    rust: Rust,
    /// The emulated CPU: a build may query its features.
    #[serde(skip_serializing_if = "Option::is_none")]
    processor: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<(&'a str, Option<&'a str>)>,
    /// Versions in the lock file.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<String>,
}

#[derive(Serialize)]
struct ProofInputs<'a> {
    build: &'a str,
    libc: Option<String>,
    version: &'a str,
    rules: &'a str,
    tag: TagPolicy,
    native: Option<bool>,
    /// The limit for the job's own architecture; other architectures do not affect the wheel.
    isa: Option<&'a Level>,
    // Omitted if unset, so that unset keys do not change existing hashes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    publish: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<OverrideInputs<'a>>,
    repair: &'a Repair,
    smoke: Option<SmokeInputs<'a>>,
    test: Option<&'a Test>,
    /// Includes the folder's content; the content of an index changes daily.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<(&'a Like, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<String>,
}

/// Without the reason, which does not affect the verdict.
#[derive(Serialize)]
struct OverrideInputs<'a> {
    code: &'a str,
    path: Option<&'a str>,
    severity: RuleSeverity,
}

#[derive(Serialize)]
struct SmokeInputs<'a> {
    imports: &'a [String],
    calls: &'a BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    commands: &'a [String],
}

/// Key of the inputs that builds of several interpreters share: one of them may build and repair the wheel for all.
pub(super) fn shared_key(
    config: &Config,
    inputs: &Inputs,
    place: (&Target, &Platform),
    (settings, locked): (&JobSettings, &Locked),
) -> String {
    hash(&(
        build_key(config, inputs, place, (None, locked.shared_hash()), settings),
        &settings.repair,
    ))
}

/// Key of the inputs of a build; without its interpreter if that is `None`.
pub(super) fn build_key(
    config: &Config,
    inputs: &Inputs,
    (target, platform): (&Target, &Platform),
    (interpreter, locked): (Option<Interpreter>, Option<String>),
    settings: &JobSettings,
) -> String {
    let arch = platform.engine_arch();
    hash(&BuildInputs {
        schema: SCHEMA,
        build_files_hash: &inputs.build_files_hash,
        image: &target.image,
        digest: target.digest.get(platform).map(String::as_str),
        bootstrap: target.bootstrap.as_ref(),
        platform,
        interpreter: interpreter.map(|interpreter| interpreter.to_string()),
        providers: &config.build.providers,
        source: &config.source,
        source_tree: inputs.source_tree.as_deref(),
        build: &settings.build,
        requirements: inputs.requirements.as_deref(),
        rust: settings.rust,
        processor: emulated_processor(arch, config.check.isa.get(arch)),
        snapshot: target.snapshot.as_deref().map(|it| (it, target.snapshot_url.as_deref())),
        locked,
    })
}

pub(super) fn job_key(
    config: &Config,
    request: &Request,
    inputs: &Inputs,
    (target, platform): (&Target, &Platform),
    (settings, locked, build_key): (&JobSettings, &Locked, &str),
) -> String {
    let check = &config.check;
    let smoke = request.smoke.then_some(SmokeInputs {
        imports: &check.imports,
        calls: &check.calls,
        commands: &check.commands,
    });
    hash(&ProofInputs {
        build: build_key,
        libc: target.libc.map(|libc| libc.to_string()),
        version: env!("CARGO_PKG_VERSION"),
        rules: inputs.rules,
        tag: check.tag,
        native: check.native,
        isa: check.isa.get(platform.engine_arch()),
        publish: check.publish,
        overrides: check.overrides.iter().map(override_inputs).collect(),
        repair: &settings.repair,
        smoke,
        test: request.smoke.then_some(&settings.test),
        like: check.like.as_ref().map(|like| (like, inputs.published.as_deref())),
        locked: locked.hash(),
    })
}

fn override_inputs(each: &RuleOverride) -> OverrideInputs<'_> {
    OverrideInputs {
        code: each.code.get_ref(),
        path: each.path.as_ref().map(|pattern| pattern.0.as_str()),
        severity: each.severity,
    }
}

/// Build arguments of the smoke test: the modules, and as JSON the expressions and the commands.
pub(crate) fn smoke_inputs(config: &Config) -> [String; 3] {
    let calls = serde_json::to_string(&config.check.calls).unwrap_or_default();
    let commands = serde_json::to_string(&config.check.commands).unwrap_or_default();
    [config.check.imports.join(" "), calls, commands]
}

fn hash<T: Serialize>(value: &T) -> String {
    // Serialization cannot fail: maps with string keys and plain values.
    let text = serde_json::to_vec(value).unwrap_or_default();
    digest::of_bytes(&text)
}
