//! The environment of a target, without a build in it.

use camino::Utf8Path;
use wheel_audit::UserError;

use super::accelerate::{Accelerate, NativeImage};
use super::build_info::BuildInfo;
use super::calls::environment_args;
use super::env::PipelineError;
use super::export;
use crate::config::{Config, Platform, Target};
use crate::engine::Engine;
use crate::engine::bake::{Bake, NoCache, Output};
use crate::engine::base::{self, BasePolicy};
use crate::engine::cache::Cached;
use crate::live::{Stage, Watch};
use wheel_audit::files;

/// Target, platform and base image policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EnvironmentRequest<'a> {
    pub target: &'a Target,
    pub platform: &'a Platform,
    /// How to obtain its base image.
    pub base_policy: BasePolicy,
    /// Replacement of emulated programs by native ones, as in a build, which shares the stages.
    pub accelerate: &'a Accelerate,
}

/// Builds the stage `build-info` of the bake file and returns its report.
///
/// # Errors
/// If the engine fails, or the report is incomplete.
pub(crate) fn environment(
    config: &Config,
    engine: &Engine,
    request: &EnvironmentRequest<'_>,
    work: &Utf8Path,
    watch: &dyn Watch,
) -> Result<BuildInfo, PipelineError> {
    let folder = request.target.folder(request.platform);
    let mut notify = |text: &str| watch.note(&format!("{folder}: {text}"));
    let images = work.join("base");
    let EnvironmentRequest { target, platform, base_policy, accelerate } = *request;
    let base = base::resolve(engine, target, platform, base_policy, &images, &mut notify)?;
    let native_image = NativeImage { engine, accelerate, base_policy, work };
    let base = native_image.onto(target, platform, base, &mut notify);
    let output = work.join("build-info").join(&folder);
    files::remove_folder(&output)?;
    fs_err::create_dir_all(&output)?;
    let log = work.join("logs").join(format!("{folder}-build-info.log"));
    let settings = config.environment_settings(target, platform);
    let mut args = environment_args(config, (target, platform), &settings, &base);
    // Empty, because the target may lack the interpreter that is the bake file's default.
    args.insert("PYTHONS", String::new());
    let bake = Bake {
        target: "build-info",
        platform,
        args,
        contexts: base.contexts.clone(),
        output: Output::Folder(&output),
        metadata: None,
        no_cache: NoCache::Nothing,
        cached: Cached::No,
        progress: "rawjson",
    };
    watch.stage(&folder, Stage::Build);
    let start = std::time::Instant::now();
    engine.bake(&bake, &log, &mut |event| watch.event(&folder, event))?;
    watch.ended(&folder, "build-info", start.elapsed().as_secs_f64());
    let text = export::report(&output, "build-info.json")?;
    BuildInfo::parse(&text).map_err(|error| PipelineError::Wrong(UserError::new(error)))
}
