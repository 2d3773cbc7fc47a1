//! Prebuilt base images: the stages `base` and `interpreter` for one target, platform and interpreter, under a name
//! derived from all their inputs.
//!
//! There is one image for each interpreter, and those of a target share layers. A job finds exactly the image that
//! it would build, and a failing interpreter does not affect the others.

use std::collections::BTreeMap;
use wheel_audit::UserError;

use camino::Utf8Path;
use serde::Serialize;

use super::accelerate::{Accelerate, NativeImage};
use super::calls;
use super::env::{Context, PipelineError};
use crate::config::{Config, Platform};
use crate::engine::bake::{BAKE_FILE, Bake, Image, NoCache, Output};
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::engine::cache::Cached;
use crate::engine::prebuilt::{self, Name, Prebuilt};
use crate::engine::{Engine, EngineError};
use crate::live::{Stage, Watch};
use crate::plan::{self, Job, Plan};
use wheel_audit::digest;
use wheel_audit::isa;

/// Increased when the meaning of a key changes.
const SCHEMA: u32 = 1;
const DOCKERFILE: &str = "docker/Dockerfile.wheels";
const STAGE: &str = "interpreter";
const BAKE_TARGET: &str = "base-image";
/// Arguments that select the source of a base image or the speed of a build. They do not affect the interpreter.
const IGNORED_ARGS: [&str; 8] = [
    "BASE_IMAGE",
    "BASE_DIGEST",
    "BASE_ORIGIN",
    "TARGET_NAME",
    "CACHE_SCOPE",
    "ACCELERATE",
    "NATIVE_IMAGE",
    isa::QEMU_CPU,
];

/// Hash of everything that determines the stages: their text, the files they use, and the bake file, which sets
/// their arguments.
///
/// # Errors
/// If a file cannot be read, or the Dockerfile does not have the stage.
fn recipe_hash(root: &Utf8Path) -> std::io::Result<String> {
    let text = fs_err::read_to_string(root.join(DOCKERFILE))?;
    let recipe = plan::recipe(&text, STAGE).ok_or_else(|| {
        std::io::Error::other(UserError::new(format!("`{DOCKERFILE}` has no stage `{STAGE}`")))
    })?;
    let mut lines = recipe.instructions;
    for file in recipe.files.iter().map(String::as_str).chain([BAKE_FILE]) {
        lines.push(format!("{file} {}", hash_of(root, file)?));
    }
    Ok(digest::of_bytes(lines.join("\n").as_bytes()))
}

/// Hash of a file or folder; of all build files if the Dockerfile's words name neither.
fn hash_of(root: &Utf8Path, file: &str) -> std::io::Result<String> {
    if root.join(file).is_file() {
        digest::of_file(&root.join(file))
    } else if root.join(file).is_dir() {
        digest::of_folders(root, &[file])
    } else {
        digest::of_folders(root, &["docker", "scripts"])
    }
}

#[derive(Serialize)]
struct Ingredients<'a> {
    schema: u32,
    recipe: &'a str,
    base: &'a str,
    platform: &'a Platform,
    args: &'a BTreeMap<&'static str, String>,
}

/// Name of the base image for `job` on `base`.
fn name(config: &Config, recipe: &str, job: &Job, base: &BaseImage) -> Name {
    let mut args = calls::common_args(config, job, base);
    args.retain(|name, _| !IGNORED_ARGS.contains(name));
    let ingredients = Ingredients {
        schema: SCHEMA,
        recipe,
        base: &base.digest,
        platform: &job.platform,
        args: &args,
    };
    // Serialization cannot fail: maps with string keys and plain values.
    let text = serde_json::to_vec(&ingredients).unwrap_or_default();
    let key = digest::of_bytes(&text);
    Name { folder: job.folder(), interpreter: job.interpreter.to_string(), key }
}

/// The base for `job`: `base` with the prebuilt image of its interpreter, if there is one, and that image.
pub(super) fn prepared(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    watch: &dyn Watch,
) -> Result<(BaseImage, Option<Prebuilt>), PipelineError> {
    // `--no-cache` also excludes prebuilt images.
    if ctx.no_cache {
        return Ok((base.clone(), None));
    }
    let name =
        name(ctx.config, &recipe_hash(&ctx.engine.root.join(&ctx.engine.assets))?, job, base);
    let title = job.title();
    let mut notify = |text: &str| watch.note(&format!("{title}: {text}"));
    let found = ctx.prebuilt.find(ctx.engine, &name, &job.platform, &mut notify)?;
    let Some(found) = found else { return Ok((base.clone(), None)) };
    watch.note(&format!("{title}: using the base image {} ({})", found.reference, found.digest));
    Ok((prebuilt::on(base, &found), Some(found)))
}

/// The prebuilt image that the engine has for `job`, without a request to a registry.
pub(super) fn existing(ctx: &Context<'_>, job: &Job, base: &BaseImage) -> Option<BaseImage> {
    if ctx.no_cache {
        return None;
    }
    let name =
        name(ctx.config, &recipe_hash(&ctx.engine.root.join(&ctx.engine.assets)).ok()?, job, base);
    let found = prebuilt::local(&ctx.engine.on(&job.platform), &name, &job.platform).ok()??;
    Some(prebuilt::on(base, &found))
}

/// Action of `base-image build` and `push`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BaseImageRun<'a> {
    pub config: &'a Config,
    pub engine: &'a Engine,
    /// xtask's work folder, `target/xtask`.
    pub work: &'a Utf8Path,
    /// How to obtain base images.
    pub base_policy: BasePolicy,
    /// Repository to push to; `None` keeps the images in the engine.
    pub repository: Option<&'a str>,
    /// Rebuild existing images.
    pub force: bool,
    /// Replacement of emulated programs by native ones.
    pub accelerate: &'a Accelerate,
}

/// A base image that was built or already existed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BaseImageResult {
    pub target: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    pub interpreter: String,
    pub reference: String,
    pub digest: String,
    /// Its parent image.
    pub base: String,
    /// True if it already existed.
    pub unchanged: bool,
}

/// Builds the base images of `plan` one after the other, because those of a target share layers. A failure does not
/// stop the others.
pub(crate) fn build_all(
    making: &BaseImageRun<'_>,
    plan: &Plan,
    watch: &dyn Watch,
) -> Vec<Result<BaseImageResult, PipelineError>> {
    let mut bases = BTreeMap::new();
    let mut results = Vec::new();
    for job in &plan.jobs {
        let folder = job.folder();
        if !bases.contains_key(&folder) {
            let mut notify = |text: &str| watch.note(&format!("{folder}: {text}"));
            let images = making.work.join("base");
            let (engine, base_policy) = (making.engine, making.base_policy);
            let base = base::resolve(
                engine,
                &job.target,
                &job.platform,
                base_policy,
                &images,
                &mut notify,
            );
            let (accelerate, work) = (making.accelerate, making.work);
            let native_image = NativeImage { engine, accelerate, base_policy, work };
            let base =
                base.map(|base| native_image.onto(&job.target, &job.platform, base, &mut notify));
            let base = base.map_err(|error| {
                let error = if error.ends_run() {
                    error
                } else {
                    let hint = error.hint().map(str::to_owned);
                    EngineError::Base(UserError { message: format!("{folder}: {error}"), hint })
                };
                results.push(Err(error.into()));
            });
            bases.insert(folder.clone(), base.ok());
        }
        if let Some(Some(base)) = bases.get(&folder) {
            results.push(make(making, job, base, watch));
        }
    }
    results
}

/// Builds the base image of one job.
///
/// # Errors
/// If the engine or the registry fails.
fn make(
    making: &BaseImageRun<'_>,
    job: &Job,
    base: &BaseImage,
    watch: &dyn Watch,
) -> Result<BaseImageResult, PipelineError> {
    let engine = making.engine;
    let name = name(making.config, &recipe_hash(&engine.root.join(&engine.assets))?, job, base);
    let reference =
        making.repository.map_or_else(|| name.local(), |repository| name.in_repository(repository));
    let made = |digest: String, unchanged: bool| BaseImageResult {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        interpreter: job.interpreter.to_string(),
        reference: reference.clone(),
        digest,
        base: format!("{}@{}", job.target.image, base.digest),
        unchanged,
    };
    if !making.force
        && let Some(digest) = existing_digest(making, job, &name)?
    {
        return Ok(made(digest, true));
    }
    let title = format!("{} base image", job.title());
    watch.stage(&title, Stage::Build);
    let metadata = making.work.join("base").join(format!("{}.json", job.slug()));
    let labels = labels(job, base, &name);
    let log = making.work.join("logs").join(format!("{}-base-image.log", job.slug()));
    fs_err::create_dir_all(making.work.join("base"))?;
    let image = Image { reference: &reference, pushed: making.repository.is_some(), labels };
    let bake = Bake {
        target: BAKE_TARGET,
        platform: &job.platform,
        args: calls::common_args(making.config, job, base),
        contexts: base.contexts.clone(),
        output: Output::Image(image),
        metadata: Some(&metadata),
        no_cache: NoCache::Nothing,
        cached: Cached::Read(calls::scopes(job)),
        progress: "rawjson",
    };
    let start = std::time::Instant::now();
    let _ = fs_err::write(&log, "");
    engine.bake(&bake, &log, &mut |event| watch.event(&title, event)).map_err(
        |error| match making.repository {
            Some(repository) => pushing_failed(error, repository),
            None => error,
        },
    )?;
    watch.ended(&title, &reference, start.elapsed().as_secs_f64());
    Ok(made(digest_in(&metadata)?, false))
}

/// Digest of the image, if it exists.
fn existing_digest(
    making: &BaseImageRun<'_>,
    job: &Job,
    name: &Name,
) -> Result<Option<String>, PipelineError> {
    let engine = making.engine.on(&job.platform);
    let found = match making.repository {
        None => prebuilt::local(&engine, name, &job.platform)?,
        Some(repository) => prebuilt::published(&engine, name, repository)?,
    };
    Ok(found.map(|found| found.digest))
}

/// Adds the registry to an error.
fn pushing_failed(error: EngineError, repository: &str) -> EngineError {
    let message = match &error {
        EngineError::Client { message, .. } => message.clone(),
        EngineError::Step { step, .. } if !step.name.starts_with('[') => step.error.clone(),
        _ => return error,
    };
    EngineError::Base(
        UserError::new(format!(
            "could not push the base image to `{repository}`: {}",
            message.trim_start_matches("ERROR: ").trim()
        ))
        .hint(
            "run `docker login` if the registry requires it, then the same command again: the engine's cache has the \
             image",
        ),
    )
}

/// Labels of an image.
fn labels(job: &Job, base: &BaseImage, name: &Name) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (prebuilt::BASE_NAME, job.target.image.clone()),
        (prebuilt::BASE_DIGEST, base.digest.clone()),
        ("xtask.base.origin", base.origin.as_str().to_owned()),
        ("xtask.base.key", name.key.clone()),
    ])
}

/// Reads the digest from the output of `bake --metadata-file`.
fn digest_in(metadata: &Utf8Path) -> Result<String, PipelineError> {
    let text = fs_err::read(metadata)?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(std::io::Error::from)?;
    let digest = value[BAKE_TARGET]["containerimage.digest"].as_str();
    digest.map(str::to_owned).ok_or_else(|| {
        PipelineError::Wrong(UserError::new(format!(
            "the engine's report `{metadata}` has no digest"
        )))
    })
}

/// Tags of the base images that `plan` would use with the base images that the engine has now.
pub(crate) fn current(
    config: &Config,
    engine: &Engine,
    plan: &Plan,
) -> std::io::Result<Vec<String>> {
    let recipe = recipe_hash(&engine.root.join(&engine.assets))?;
    let mut current = Vec::new();
    for job in &plan.jobs {
        if let Some(base) = base::present(engine, &job.target, &job.platform) {
            current.push(name(config, &recipe, job, &base).local());
        }
    }
    Ok(current)
}
