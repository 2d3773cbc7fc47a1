//! The bake calls of a job, without running them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::env::Context;
use super::source::PreparedSource;
use crate::config::{BuildFrontend, Config, JobSettings, Platform, Rust, Script, Target};
use crate::engine::bake::{Bake, NoCache, Output};
use crate::engine::base::BaseImage;
use crate::engine::cache::{Cached, Scopes};
use crate::plan::{Job, smoke_inputs};
use wheel_audit::digest;
use wheel_audit::isa::{QEMU_CPU, emulated_processor};
use wheel_audit::policy::PlatformTag;

/// Length of a hash in the name of a cache.
const SCOPE_HASH: usize = 32;
/// Stage that fetches a published wheel.
pub(super) const LIKE_STAGES: [&str; 1] = ["fetch-published"];
/// Stages of the repair only.
const REPAIR_STAGES: [&str; 2] = ["fetch-auditwheel", "repair-run"];
/// Stages of the smoke test only.
const SMOKE_STAGES: [&str; 5] =
    ["smoke-system", "smoke-fetch", "smoke-requirements", "smoke-env", "smoke-run"];
/// Stages of the smoke test and the package tests.
const TEST_STAGES: [&str; 10] = [
    "smoke-system",
    "smoke-fetch",
    "smoke-requirements",
    "smoke-env",
    "smoke-run",
    "test-requires-run",
    "test-fetch",
    "test-env",
    "test-run-offline",
    "test-run-online",
];

/// Arguments of every bake target of a job.
pub(super) fn common_args(
    config: &Config,
    job: &Job,
    base: &BaseImage,
) -> BTreeMap<&'static str, String> {
    let place = (&job.target, &job.platform);
    let mut args = environment_args(config, place, &job.settings, base);
    let providers: Vec<_> =
        config.build.providers.iter().map(|provider| provider.as_str()).collect();
    args.insert("PROVIDERS", providers.join(" "));
    args.insert("PYTHONS", job.interpreter.to_string());
    let packages = job.locked.packages_argument();
    args.extend((!packages.is_empty()).then_some(("LOCKED_PACKAGES", packages)));
    args
}

/// Arguments that determine the stage `base`.
pub(super) fn environment_args(
    config: &Config,
    (target, platform): (&Target, &Platform),
    settings: &JobSettings,
    base: &BaseImage,
) -> BTreeMap<&'static str, String> {
    let arch = platform.engine_arch();
    // Native platforms ignore it, so that both have the same layers.
    let processor = emulated_processor(arch, config.check.isa.get(arch));
    let processor = processor.map(|name| (QEMU_CPU, name.to_owned()));
    let args = [
        ("BASE_IMAGE", base.reference.clone()),
        ("BASE_DIGEST", base.digest.clone()),
        ("BASE_ORIGIN", base.origin.as_str().to_owned()),
        ("TARGET_NAME", target.name.clone()),
        // Package caches of different systems must not mix; the Dockerfile adds the architecture.
        ("CACHE_SCOPE", target.name.clone()),
        ("SYSTEM_PACKAGES", settings.build.system_packages.join(" ")),
        ("RUST", settings.rust.as_str().to_owned()),
    ];
    let mut args: BTreeMap<_, _> = args.into_iter().chain(processor).collect();
    args.extend(target.snapshot_time().map(|time| ("SNAPSHOT", time)));
    args.extend(target.snapshot_url.clone().map(|url| ("SNAPSHOT_URL", url)));
    // For all stages: the smoke test reuses the build's interpreter instead of making another.
    if let Some(native) = &base.native {
        args.insert("ACCELERATE", "on".to_owned());
        args.insert("NATIVE_IMAGE", native.clone());
    }
    args
}

/// Arguments that determine how a wheel is built, without those that are unset.
pub(super) fn build_args(config: &Config, job: &Job) -> BTreeMap<&'static str, String> {
    let build = &job.settings.build;
    let env: Vec<_> = build.env.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // Its path in the build context.
    let requirements = config.build.requirements.as_ref().and_then(|path| path.file_name());
    let mut args = BTreeMap::from([
        ("RECIPE", build.recipe.clone()),
        ("BUILD_ENV", env.join("\n")),
        ("BUILD_REQUIREMENTS", requirements.unwrap_or_default().to_owned()),
    ]);
    if let Some(Script(before)) = &build.before {
        let stage = if build.network { "online" } else { "on" };
        args.extend([("BEFORE_STAGE", stage.to_owned()), ("BEFORE", before.clone())]);
    }
    if build.network {
        args.insert("BUILDER", "wheel-builder-online".to_owned());
    }
    if job.settings.rust != Rust::None {
        args.insert("CRATES", "on".to_owned());
    }
    if !build.requires.is_empty() {
        args.insert("EXTRA_REQUIRES", build.requires.join("\n"));
    }
    args.extend(build.before_build.iter().map(|script| ("BEFORE_BUILD", script.0.clone())));
    let settings = build.config_settings.lines();
    args.extend((!settings.is_empty()).then_some(("CONFIG_SETTINGS", settings)));
    args.extend(locked_args(job, &["LOCKED_BUILD"]));
    let is_uv = build.build_frontend == BuildFrontend::default();
    if !is_uv {
        args.insert("BUILD_FRONTEND", build.build_frontend.as_str().to_owned());
    }
    // A hook may change the package's requirements. The bake file has the same rule.
    if !is_uv || build.before.is_some() || build.before_build.is_some() {
        args.insert("BUILD_ENVIRONMENT", "off".to_owned());
    }
    args
}

/// Arguments of the smoke test.
pub(super) fn smoke_args(config: &Config, job: &Job) -> Vec<(&'static str, String)> {
    let [imports, calls, commands] = smoke_inputs(config);
    let ignored = &job.settings.test.ignore_requirements;
    let without = (!ignored.is_empty()).then(|| ("IGNORE_REQUIREMENTS", ignored.join(" ")));
    let commands = (!config.check.commands.is_empty()).then_some(("SMOKE_COMMANDS", commands));
    let requested = [("SMOKE_IMPORTS", imports), ("SMOKE_CALLS", calls)];
    let packages = job.target.family.and_then(|it| job.settings.test.system_packages.get(&it));
    let packages = packages.map(|list| ("TEST_PACKAGES", list.join(" ")));
    let locked = locked_args(job, &["LOCKED_SMOKE"]);
    requested.into_iter().chain(commands).chain(without).chain(packages).chain(locked).collect()
}

/// Requirements of the lock file for `job`, for the arguments in `names`.
fn locked_args(job: &Job, names: &'static [&str]) -> impl Iterator<Item = (&'static str, String)> {
    let all = job.locked.requirement_arguments().into_iter();
    all.filter(move |(name, value)| names.contains(name) && !value.is_empty())
}

/// Arguments of the package tests.
pub(super) fn test_args(job: &Job) -> Vec<(&'static str, String)> {
    let test = &job.settings.test;
    let Some(command) = test.active() else { return Vec::new() };
    let env: Vec<_> = test.env.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let args = [
        ("TEST_COMMAND", command.0.clone()),
        ("TEST_REQUIRES", test.requires.join("\n")),
        ("TEST_EXTRAS", test.extras.join(" ")),
        ("TEST_GROUPS", test.groups.join(" ")),
        ("TEST_SOURCES", test.sources.join("\n")),
        ("TEST_ENV", env.join("\n")),
        ("TEST_NETWORK", if test.network { "online" } else { "" }.to_owned()),
    ];
    let args = args.into_iter().filter(|(_, value)| !value.is_empty());
    args.chain(locked_args(job, &["LOCKED_TEST"])).collect()
}

/// Arguments that select the published wheel of `project` for the comparison.
pub(super) fn like_args(source: &PreparedSource, project: &str) -> [(&'static str, String); 2] {
    // A folder's own version is rarely published yet and may change with each commit.
    let version = match source {
        PreparedSource::Sdist { spec, .. } => spec.split("==").nth(1).unwrap_or_default(),
        PreparedSource::Packed { .. } => "",
    };
    [("LIKE_PROJECT", project.to_owned()), ("LIKE_VERSION", version.to_owned())]
}

/// Scopes of a job in caches outside of the engine.
pub(super) fn scopes(job: &Job) -> Scopes {
    let leads = job.target.pythons.first() == Some(&job.interpreter);
    Scopes { job: job.slug(), shared: job.folder(), leads }
}

/// The bake call that fetches the published wheel of `project` on the day `date`.
pub(super) fn published<'a>(
    ctx: &'a Context<'_>,
    job: &'a Job,
    base: &BaseImage,
    (project, date): (&str, String),
    output: &'a Utf8Path,
) -> Bake<'a> {
    let mut args = common_args(ctx.config, job, base);
    args.extend(like_args(ctx.source, project));
    args.insert("LIKE_DATE", date);
    Bake {
        target: "published",
        platform: &job.platform,
        args,
        contexts: base.contexts.clone(),
        output: Output::Folder(output),
        metadata: None,
        no_cache: if ctx.no_cache { NoCache::Stages(&LIKE_STAGES) } else { NoCache::Nothing },
        cached: Cached::Read(scopes(job)),
        progress: "rawjson",
    }
}

/// Adds the arguments of the source to `args`; returns the bake target that builds it, and its contexts.
pub(super) fn source(
    source: &PreparedSource,
    args: &mut BTreeMap<&'static str, String>,
) -> (&'static str, BTreeMap<String, String>) {
    match source {
        PreparedSource::Sdist { spec, sha256 } => {
            args.insert("SDIST", spec.clone());
            args.insert("SDIST_SHA256", sha256.clone());
            ("wheel-builder", BTreeMap::new())
        }
        PreparedSource::Packed { folder, .. } => {
            let package = ("package".to_owned(), folder.to_string());
            ("wheel-builder-local", BTreeMap::from([package]))
        }
    }
}

/// The package whose downloads share a cache. With its own indexes, a job has a separate cache, so that no other
/// configuration reads its files.
pub(super) fn package_scope(source: &PreparedSource, job: &Job) -> String {
    let env = &job.settings.build.env.0;
    let is_index = |name: &&String| name.starts_with("UV_") || name.starts_with("PIP_");
    let named: BTreeMap<_, _> = env.iter().filter(|(name, _)| is_index(name)).collect();
    let scope = source.scope();
    if named.is_empty() {
        return scope;
    }
    let hash = digest::of_bytes(format!("{named:?}").as_bytes());
    format!("{scope}-{}", &hash[..SCOPE_HASH])
}

/// Key of the compiler cache: all inputs of the build except the interpreter.
fn compiler_cache(job: &Job, base: &BaseImage) -> String {
    let key = digest::of_bytes(format!("{} {}", job.shared_key, base.digest).as_bytes());
    key[..SCOPE_HASH].to_owned()
}

/// The bake call that builds `job` into `export`. `extra`: requirements that the backend requested in an earlier
/// build.
pub(super) fn build<'a>(
    ctx: &'a Context<'_>,
    job: &'a Job,
    base: &BaseImage,
    (export, extra): (&'a Utf8Path, &str),
) -> Bake<'a> {
    let mut args = common_args(ctx.config, job, base);
    args.insert("PACKAGE_SCOPE", package_scope(ctx.source, job));
    args.insert("COMPILER_CACHE", compiler_cache(job, base));
    args.extend(build_args(ctx.config, job));
    if !extra.is_empty() {
        let requires = args.entry("EXTRA_REQUIRES").or_default();
        [requires.as_str(), extra].join("\n").trim().clone_into(requires);
    }
    let (target, mut contexts) = source(ctx.source, &mut args);
    contexts.extend(base.contexts.clone());
    Bake {
        target,
        platform: &job.platform,
        args,
        contexts,
        output: Output::Folder(export),
        metadata: None,
        no_cache: if ctx.no_cache { NoCache::All } else { NoCache::Nothing },
        cached: Cached::ReadAndWritten(scopes(job)),
        progress: "rawjson",
    }
}

/// The bake call that repairs the wheel in the folder `wheel` on top of its build stage, for its target's tag.
pub(super) fn repair<'a>(
    ctx: &'a Context<'_>,
    job: &'a Job,
    base: &BaseImage,
    (wheel, tag): (Utf8PathBuf, PlatformTag),
    (output, extra): (&'a Utf8Path, &str),
) -> Bake<'a> {
    let mut bake = build(ctx, job, base, (output, extra));
    bake.target = if bake.target == "wheel-builder" { "repair" } else { "repair-local" };
    bake.args.extend(repair_args(job));
    bake.args.insert("REPAIR_PLATFORM", tag.to_string());
    bake.contexts.insert("wheel".to_owned(), wheel.into());
    // Reuses the build that has just finished.
    bake.no_cache = if ctx.no_cache { NoCache::Stages(&REPAIR_STAGES) } else { NoCache::Nothing };
    bake.cached = Cached::Read(scopes(job));
    bake
}

/// Arguments of `[repair]`.
pub(super) fn repair_args(job: &Job) -> [(&'static str, String); 2] {
    let repair = &job.settings.repair;
    let strip = if repair.strip { "1" } else { "" };
    [("REPAIR_EXCLUDE", repair.exclude.join(" ")), ("REPAIR_STRIP", strip.to_owned())]
}

/// The bake call that tests the wheel in the folder `wheel`: the smoke test, and the package tests if there are
/// any.
pub(super) fn smoke<'a>(
    ctx: &'a Context<'_>,
    job: &'a Job,
    base: &BaseImage,
    wheel: Utf8PathBuf,
    output: &'a Utf8Path,
    progress: &'a str,
) -> Bake<'a> {
    let mut args = common_args(ctx.config, job, base);
    args.insert("PACKAGE_SCOPE", ctx.source.scope());
    args.extend(smoke_args(ctx.config, job));
    let mut contexts = base.contexts.clone();
    contexts.insert("wheel".to_owned(), wheel.into());
    let (mut target, mut stages) = ("smoke", &SMOKE_STAGES[..]);
    if job.settings.test.active().is_some() {
        args.extend(test_args(job));
        let (builder, package) = source(ctx.source, &mut args);
        target = if builder == "wheel-builder" { "test" } else { "test-local" };
        contexts.extend(package);
        stages = &TEST_STAGES;
    }
    Bake {
        target,
        platform: &job.platform,
        args,
        contexts,
        output: Output::Folder(output),
        metadata: None,
        // Reuses the interpreter of the build that has just finished.
        no_cache: if ctx.no_cache { NoCache::Stages(stages) } else { NoCache::Nothing },
        cached: Cached::Smoke(scopes(job)),
        progress,
    }
}
