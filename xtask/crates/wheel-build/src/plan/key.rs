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

/// Raised when the meaning of a key changes, so that no older result passes for a new one.
const SCHEMA: u32 = 3;

/// What a plan needs to know of the working tree; read by the caller, since this module reads no
/// files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// The version of the rules that wheels are judged by.
    pub rules: &'static str,
    /// SHA-256 over the build files (`docker/`, `scripts/`), which run inside the containers.
    pub build_files_hash: String,
    /// SHA-256 of the pinned build requirements, where there are some.
    pub requirements: Option<String>,
    /// SHA-256 of the packed source tree, for `path` sources.
    pub source_tree: Option<String>,
    /// SHA-256 of the published wheels in the folder `[check] like`, where it is one.
    pub published: Option<String>,
    /// Variables of this machine that `env-pass` lets through.
    pub passed: BTreeMap<String, String>,
    /// The lock file, where there is one.
    pub lock: Option<LockFile>,
    /// What makes the layers of this run new where nothing is locked yet.
    pub stamp: Option<String>,
}

impl Inputs {
    /// What is locked for a job.
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
    /// What an emulated build runs on: a build may ask its processor what it can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    processor: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<(&'a str, Option<&'a str>)>,
    /// What the lock file has for this job.
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
    /// What the job's own architecture may need; that of others is no matter of this wheel.
    isa: Option<&'a Level>,
    // Left out where nothing is set, so that this does not change the keys of those who set nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    publish: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<OverrideInputs<'a>>,
    repair: &'a Repair,
    smoke: Option<SmokeInputs<'a>>,
    test: Option<&'a Test>,
    /// With what the folder holds; what an index has changes from day to day.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<(&'a Like, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<String>,
}

/// Without the reason, which no verdict depends on.
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

/// The key of what builds of several interpreters have in common: one of them may build and repair the wheel
/// for all.
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

/// The key of what goes into a build, without its interpreter where that is `None`.
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

/// The smoke test's build arguments: the modules, and as JSON the expressions and the commands.
pub(crate) fn smoke_inputs(config: &Config) -> [String; 3] {
    let calls = serde_json::to_string(&config.check.calls).unwrap_or_default();
    let commands = serde_json::to_string(&config.check.commands).unwrap_or_default();
    [config.check.imports.join(" "), calls, commands]
}

fn hash<T: Serialize>(value: &T) -> String {
    // Maps with string keys and plain values: serialisation cannot fail.
    let text = serde_json::to_vec(value).unwrap_or_default();
    digest::of_bytes(&text)
}
