//! A container at the start of a build step. Its image is the state before the step. Scripts, arguments, source and
//! secrets have the same paths.
//!
//! The engine keeps no container of a failed step, but its cache has the state before it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize as _;

use super::accelerate::{Accelerate, NativeImage};
use super::calls;
use super::env::PipelineError;
use super::runtime_secrets::RuntimeSecrets;
use super::source::PreparedSource;
use super::state::{Failed, REPAIR, State};
use crate::config::Config;
use crate::engine::bake::{Bake, Image, NoCache, Output};
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::engine::cache::Cached;
use crate::engine::{Engine, EngineError};
use crate::exec::Step;
use crate::live::{Stage, Watch};
use crate::plan::Job;
use wheel_audit::files;
use wheel_audit::isa::QEMU_CPU;

/// Repository of the images for shells; they are removed when the shell ends.
const REPOSITORY: &str = "xtask-wheels/shell";
/// Exit status of `scripts/shell.sh` if no secrets arrived.
const NO_SECRETS: u8 = 120;

/// Inputs of a shell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShellInputs<'a> {
    pub config: &'a Config,
    pub engine: &'a Engine,
    /// Source of the package.
    pub source: &'a PreparedSource,
    /// xtask's work folder, `target/xtask`.
    pub work: &'a Utf8Path,
    /// How to obtain base images.
    pub base_policy: BasePolicy,
    /// Replacement of emulated programs by native ones, as in the build, which shares the steps.
    pub accelerate: &'a Accelerate,
}

/// An image to run a shell from. Dropping it removes the image.
#[derive(Debug)]
pub(crate) struct ShellImage {
    engine: Engine,
    name: String,
    container: String,
    platform: String,
    /// CPU of the emulator, as in [`QEMU_CPU`].
    processor: Option<String>,
    secrets: RuntimeSecrets,
}

/// Builds the image of `job` before the step of `state`.
///
/// # Errors
/// If an earlier step fails, or the engine fails.
pub(crate) fn shell_image(
    inputs: &ShellInputs<'_>,
    job: &Job,
    state: &State,
    watch: &dyn Watch,
) -> Result<ShellImage, PipelineError> {
    let title = job.title();
    let mut notify = |text: &str| watch.note(&format!("{title}: {text}"));
    let images = inputs.work.join("base").join(job.folder());
    // Shells run on the engine that builds for the platform.
    let engine = inputs.engine.on(&job.platform);
    let base = base::resolve(
        &engine,
        &job.target,
        &job.platform,
        inputs.base_policy,
        &images,
        &mut notify,
    )?;
    let (base_policy, accelerate, work) = (inputs.base_policy, inputs.accelerate, inputs.work);
    let native_image = NativeImage { engine: inputs.engine, accelerate, base_policy, work };
    let base = native_image.onto(&job.target, &job.platform, base, &mut notify);
    // A unique name: a shell that ends must not remove the image of another.
    let own = format!("{}-{}", job.slug(), std::process::id());
    let (name, container) = (format!("{REPOSITORY}:{own}"), format!("xtask-shell-{own}"));
    let log = inputs.work.join("logs").join(format!("{}-shell.log", job.slug()));
    let bake = call(inputs, job, &base, state, &name);
    let processor = bake.args.get(QEMU_CPU).cloned();
    watch.stage(&title, Stage::Build);
    let start = std::time::Instant::now();
    engine.bake(&bake, &log, &mut |event| watch.event(&title, event))?;
    watch.ended(&title, "ready", start.elapsed().as_secs_f64());
    let secrets = RuntimeSecrets::of(&engine)?;
    let platform = job.platform.to_string();
    Ok(ShellImage { engine, name, container, platform, processor, secrets })
}

impl ShellImage {
    /// Runs `command` in the image, or a shell if it is empty; with a `terminal` if there is one. Returns its exit
    /// status.
    ///
    /// # Errors
    /// If the client cannot be started, or the container did not receive its secrets.
    pub(crate) fn run(&self, terminal: bool, command: &[String]) -> Result<u8, PipelineError> {
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let written = scope.spawn(|| self.secrets.over(&self.engine, &self.container, &ended));
            let status = self.engine.exec.attach(&self.step(terminal, command));
            ended.store(true, Ordering::SeqCst);
            let (status, written) = (status.map_err(EngineError::from)?, written.join());
            match written {
                Ok(Err(error)) if status == NO_SECRETS => Err(error.into()),
                _ => Ok(status),
            }
        })
    }

    fn step(&self, terminal: bool, command: &[String]) -> Step {
        let mut step = self.engine.client.step(["run", "--rm", "--interactive"]);
        step = step.args(["--name", &self.container]);
        if terminal {
            step = step.arg("--tty");
        }
        // As in a build step: /tmp is in memory and allows programs to run.
        step = step.args(["--platform", &self.platform, "--tmpfs", "/tmp:exec,mode=1777"]);
        if self.engine.client.host_network {
            step = step.args(["--network", "host"]);
        }
        if let Some(processor) = &self.processor {
            step = step.arg("--env").arg(format!("{QEMU_CPU}={processor}"));
        }
        self.secrets.place(step).arg(&self.name).args(command)
    }
}

impl Drop for ShellImage {
    fn drop(&mut self) {
        // The build cache keeps its layers. If this fails, `clean --images --everywhere` removes the image.
        let _ = self
            .engine
            .exec
            .capture(&self.engine.client.step(["image", "rm", "--force", &self.name]));
    }
}

/// The newest failure of a build step below `work` that matches `wanted`.
pub(crate) fn last_failed(work: &Utf8Path, wanted: impl Fn(&Failed) -> bool) -> Option<Failed> {
    let folders = fs_err::read_dir(work.join("jobs")).ok()?;
    let failures = folders.filter_map(|folder| {
        let folder = Utf8PathBuf::try_from(folder.ok()?.path()).ok()?;
        let text = files::list(&folder, "failed.json")?.ok()?;
        let when = fs_err::metadata(folder.join("failed.json")).ok()?.modified().ok()?;
        let failed = Failed::deserialize(&mut serde_json::Deserializer::from_slice(&text)).ok()?;
        wanted(&failed).then_some((when, failed))
    });
    failures.max_by_key(|(when, _)| *when).map(|(_, failed)| failed)
}

/// The bake call that builds the image of `job` before the step of `state`.
fn call<'a>(
    inputs: &ShellInputs<'a>,
    job: &'a Job,
    base: &BaseImage,
    state: &State,
    image: &'a str,
) -> Bake<'a> {
    let mut args = calls::common_args(inputs.config, job, base);
    args.extend(calls::build_args(inputs.config, job));
    args.extend(calls::smoke_args(inputs.config, job));
    if state.wheel {
        args.extend(calls::test_args(job));
    }
    if state.stage == calls::LIKE_STAGES[0] {
        args.extend(calls::like_args(inputs.source, inputs.source.project()));
    }
    let (target, mut contexts) = calls::source(inputs.source, &mut args);
    contexts.extend(base.contexts.clone());
    if state.source {
        let kind = if target == "wheel-builder" { "sdist" } else { "local" };
        args.insert("SOURCE_KIND", kind.to_owned());
    }
    args.insert("PACKAGE_SCOPE", inputs.source.scope());
    let repairs = state.stage == REPAIR.stage;
    if repairs {
        args.extend(calls::repair_args(job));
    }
    if state.wheel {
        let folder = if repairs { "repair-wheel" } else { "smoke-wheel" };
        let wheel = inputs.work.join("jobs").join(job.slug()).join(folder);
        contexts.insert("wheel".to_owned(), wheel.into());
    }
    args.insert("SHELL_PARENT", state.parent.to_owned());
    args.insert("SHELL_FILES", state.files.to_owned());
    Bake {
        target: match state.wheel {
            true if repairs => "shell-repair",
            true => "shell-smoke",
            false => "shell",
        },
        platform: &job.platform,
        args,
        contexts,
        output: Output::Image(Image { reference: image, pushed: false, labels: BTreeMap::new() }),
        metadata: None,
        no_cache: NoCache::Nothing,
        cached: Cached::Read(calls::scopes(job)),
        progress: "rawjson",
    }
}
