//! Base images that are built before they are needed: the stages `base` and `interpreter` of one target,
//! platform and interpreter, kept under a name that is decided by all that went into them.
//!
//! One image for each interpreter, all of one target on the same layers: so a job finds the very image
//! that it would have made itself, and one interpreter that fails costs the others nothing.

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

/// Raised when the meaning of a key changes.
const SCHEMA: u32 = 1;
/// The Dockerfile, relative to the build context.
const DOCKERFILE: &str = "docker/Dockerfile.wheels";
/// The stage that is kept.
const STAGE: &str = "interpreter";
/// Target of the bake file.
const BAKE_TARGET: &str = "base-image";
/// Arguments that say where a base comes from, or how fast it is built on, and change nothing of what an
/// interpreter is good for.
const NO_INGREDIENTS: [&str; 8] = [
    "BASE_IMAGE",
    "BASE_DIGEST",
    "BASE_ORIGIN",
    "TARGET_NAME",
    "CACHE_SCOPE",
    "ACCELERATE",
    "NATIVE_IMAGE",
    isa::QEMU_CPU,
];

/// The hash of what the stages are made of: their own text, the files they take, and the bake file,
/// which sets their arguments.
///
/// # Errors
/// When a file cannot be read, or the Dockerfile has no such stage.
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

/// The hash of a file or folder, or of all files where the words of a Dockerfile are neither.
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

/// The name of the base image that `job` would use on `base`.
fn name(config: &Config, recipe: &str, job: &Job, base: &BaseImage) -> Name {
    let mut args = calls::common_args(config, job, base);
    args.retain(|name, _| !NO_INGREDIENTS.contains(name));
    let ingredients = Ingredients {
        schema: SCHEMA,
        recipe,
        base: &base.digest,
        platform: &job.platform,
        args: &args,
    };
    // Maps with string keys and plain values: serialisation cannot fail.
    let text = serde_json::to_vec(&ingredients).unwrap_or_default();
    let key = digest::of_bytes(&text);
    Name { folder: job.folder(), interpreter: job.interpreter.to_string(), key }
}

/// `base` as `job` is built on it: with the pre-built image of its interpreter where there is one, and
/// that image.
pub(super) fn prepared(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    watch: &dyn Watch,
) -> Result<(BaseImage, Option<Prebuilt>), PipelineError> {
    // Whoever wants nothing from before wants no image from before.
    if ctx.no_cache {
        return Ok((base.clone(), None));
    }
    let name =
        name(ctx.config, &recipe_hash(&ctx.engine.root.join(&ctx.engine.assets))?, job, base);
    let title = job.title();
    let mut say = |text: &str| watch.note(&format!("{title}: {text}"));
    let found = ctx.prebuilt.find(ctx.engine, &name, &job.platform, &mut say)?;
    let Some(found) = found else { return Ok((base.clone(), None)) };
    watch.note(&format!("{title}: using the base image {} ({})", found.reference, found.digest));
    Ok((prebuilt::on(base, &found), Some(found)))
}

/// The pre-built image that the engine has for `job`, without asking anyone else.
pub(super) fn at_hand(ctx: &Context<'_>, job: &Job, base: &BaseImage) -> Option<BaseImage> {
    if ctx.no_cache {
        return None;
    }
    let name =
        name(ctx.config, &recipe_hash(&ctx.engine.root.join(&ctx.engine.assets)).ok()?, job, base);
    let found = prebuilt::local(&ctx.engine.on(&job.platform), &name, &job.platform).ok()??;
    Some(prebuilt::on(base, &found))
}

/// What `base-image build` and `push` are to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Making<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The engine.
    pub engine: &'a Engine,
    /// xtask's own folder, `target/xtask`.
    pub work: &'a Utf8Path,
    /// How base images may be obtained.
    pub base_policy: BasePolicy,
    /// The repository to push to; kept in the engine where it is `None`.
    pub repository: Option<&'a str>,
    /// Whether what is there already is made again.
    pub force: bool,
    /// Whether native compilers may do an emulated compiler's work.
    pub accelerate: &'a Accelerate,
}

/// One base image that was made, or was there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Made {
    /// Target name.
    pub target: String,
    /// Platform in the engine's words.
    pub platform: String,
    /// Interpreter tag.
    pub interpreter: String,
    /// Its reference.
    pub reference: String,
    /// Its digest.
    pub digest: String,
    /// What it stands on.
    pub base: String,
    /// Whether it was there already.
    pub unchanged: bool,
}

/// Makes the base images of `plan`, one after the other, since those of a target share their layers; one
/// that fails does not stop the others.
pub(crate) fn make_all(
    making: &Making<'_>,
    plan: &Plan,
    watch: &dyn Watch,
) -> Vec<Result<Made, PipelineError>> {
    let mut bases = BTreeMap::new();
    let mut results = Vec::new();
    for job in &plan.jobs {
        let folder = job.folder();
        if !bases.contains_key(&folder) {
            let mut say = |text: &str| watch.note(&format!("{folder}: {text}"));
            let images = making.work.join("base");
            let (engine, base_policy) = (making.engine, making.base_policy);
            let base =
                base::resolve(engine, &job.target, &job.platform, base_policy, &images, &mut say);
            let (accelerate, work) = (making.accelerate, making.work);
            let native_image = NativeImage { engine, accelerate, base_policy, work };
            let base =
                base.map(|base| native_image.onto(&job.target, &job.platform, base, &mut say));
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

/// Makes the base image of one job.
///
/// # Errors
/// When the engine or the registry cannot.
fn make(
    making: &Making<'_>,
    job: &Job,
    base: &BaseImage,
    watch: &dyn Watch,
) -> Result<Made, PipelineError> {
    let engine = making.engine;
    let name = name(making.config, &recipe_hash(&engine.root.join(&engine.assets))?, job, base);
    let reference =
        making.repository.map_or_else(|| name.local(), |repository| name.within(repository));
    let made = |digest: String, unchanged: bool| Made {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        interpreter: job.interpreter.to_string(),
        reference: reference.clone(),
        digest,
        base: format!("{}@{}", job.target.image, base.digest),
        unchanged,
    };
    if !making.force
        && let Some(digest) = there(making, job, &name)?
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

/// The digest of the image, where it is there already.
fn there(making: &Making<'_>, job: &Job, name: &Name) -> Result<Option<String>, PipelineError> {
    let engine = making.engine.on(&job.platform);
    let found = match making.repository {
        None => prebuilt::local(&engine, name, &job.platform)?,
        Some(repository) => prebuilt::published(&engine, name, repository)?,
    };
    Ok(found.map(|found| found.digest))
}

/// A failure with the registry's part in it named.
fn pushing_failed(error: EngineError, repository: &str) -> EngineError {
    let said = match &error {
        EngineError::Client { said, .. } => said.clone(),
        EngineError::Step { step, .. } if !step.name.starts_with('[') => step.error.clone(),
        _ => return error,
    };
    EngineError::Base(
        UserError::new(format!(
            "`{repository}` did not take the base image: {}",
            said.trim_start_matches("ERROR: ").trim()
        ))
        .hint(
            "`docker login` for a registry that wants to know who pushes; what was built is in \
         the engine's cache, and the same command goes on from there",
        ),
    )
}

/// What an image says of itself.
fn labels(job: &Job, base: &BaseImage, name: &Name) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (prebuilt::BASE_NAME, job.target.image.clone()),
        (prebuilt::BASE_DIGEST, base.digest.clone()),
        ("xtask.base.origin", base.origin.as_str().to_owned()),
        ("xtask.base.key", name.key.clone()),
    ])
}

/// The digest in what `bake --metadata-file` wrote.
fn digest_in(metadata: &Utf8Path) -> Result<String, PipelineError> {
    let text = fs_err::read(metadata)?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(std::io::Error::from)?;
    let digest = value[BAKE_TARGET]["containerimage.digest"].as_str();
    digest.map(str::to_owned).ok_or_else(|| {
        PipelineError::Wrong(UserError::new(format!(
            "the engine's report `{metadata}` names no digest"
        )))
    })
}

/// The tags of the base images that `plan` would use now, by what the engine has of their bases.
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
