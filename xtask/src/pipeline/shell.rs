//! A container that stands where a step of a build starts: what the step starts from, as an image of its
//! own, run with its scripts, arguments, source and secrets at the same places.
//!
//! The engine keeps no container of a step that failed. What the step started from it has in its cache.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize as _;

use super::accelerate::{Accelerate, Seek};
use super::calls;
use super::env::PipelineError;
use super::source::PreparedSource;
use super::state::{Failed, State};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::bake::{Anew, Bake, Image, Output};
use crate::engine::base::{self, BaseImage, Ways};
use crate::engine::cache::Cached;
use crate::exec::Step;
use crate::isa::QEMU_CPU;
use crate::plan::Job;
use crate::report::{Stage, Watch};

/// Repository name of the images that shells are run from; they go when the shell ends.
const REPOSITORY: &str = "xtask-wheels/shell";

/// What a shell is made with.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The engine.
    pub engine: &'a Engine,
    /// Where the source comes from.
    pub source: &'a PreparedSource,
    /// xtask's own folder, `target/xtask`.
    pub work: &'a Utf8Path,
    /// How base images may be had.
    pub ways: Ways,
    /// Whether native compilers may do an emulated compiler's work: as in the build, whose steps are taken.
    pub accelerate: &'a Accelerate,
}

/// An image to run a shell from; it is removed with this.
#[derive(Debug)]
pub struct ShellImage {
    engine: Engine,
    name: String,
    platform: String,
    /// What an emulated one runs on, as [`QEMU_CPU`] names it.
    processor: Option<String>,
    secrets: Option<tempfile::TempDir>,
}

/// Makes the image of what `job` is before the step of `state`.
///
/// # Errors
/// When a step before that one fails, or the engine cannot do it.
pub fn shell_image(
    place: &Place<'_>,
    job: &Job,
    state: &State,
    watch: &dyn Watch,
) -> Result<ShellImage, PipelineError> {
    let title = job.title();
    let mut say = |text: &str| watch.note(&format!("{title}: {text}"));
    let images = place.work.join("base").join(job.folder());
    // Shells run where the platform is built.
    let engine = place.engine.on(&job.platform);
    let base = base::resolve(&engine, &job.target, &job.platform, place.ways, &images, &mut say)?;
    let (ways, accelerate, work) = (place.ways, place.accelerate, place.work);
    let seek = Seek { engine: place.engine, accelerate, ways, work };
    let base = seek.onto(&job.target, &job.platform, base, &mut say);
    // One name for each shell: one that ends must not take the image of another away.
    let name = format!("{REPOSITORY}:{}-{}", job.slug(), std::process::id());
    let log = place.work.join("logs").join(format!("{}-shell.log", job.slug()));
    let bake = call(place, job, &base, state, &name);
    let processor = bake.args.get(QEMU_CPU).cloned();
    watch.stage(&title, Stage::Build);
    let start = std::time::Instant::now();
    engine.bake(&bake, &log, &mut |event| watch.event(&title, event))?;
    watch.ended(&title, "ready", start.elapsed().as_secs_f64());
    let secrets = write_secrets(&engine, place.work)?;
    Ok(ShellImage { engine, name, platform: job.platform.to_string(), processor, secrets })
}

impl ShellImage {
    /// The call that runs `command` in it, or a shell where it is empty; with a `terminal` where there is
    /// one.
    pub fn step(&self, terminal: bool, command: &[String]) -> Step {
        let mut step = self.engine.client.step(["run", "--rm", "--interactive"]);
        if terminal {
            step = step.arg("--tty");
        }
        // As in a step of a build: /tmp is memory, and programs may run in it.
        step = step.args(["--platform", &self.platform, "--tmpfs", "/tmp:exec,mode=1777"]);
        if self.engine.client.host_network {
            step = step.args(["--network", "host"]);
        }
        if let Some(processor) = &self.processor {
            step = step.arg("--env").arg(format!("{QEMU_CPU}={processor}"));
        }
        if let Some(folder) = &self.secrets {
            let folder = folder.path().display();
            step = step.arg("--mount");
            step = step.arg(format!("type=bind,source={folder},target=/run/secrets,readonly"));
        }
        step.arg(&self.name).args(command)
    }
}

impl Drop for ShellImage {
    fn drop(&mut self) {
        // Its layers stay in the build cache. Where this fails `clean --images` finds it.
        let _ = self
            .engine
            .exec
            .capture(&self.engine.client.step(["image", "rm", "--force", &self.name]));
    }
}

/// The secrets of a build as files in a folder that nobody else may enter: in memory where the user has a
/// place of that kind, and gone when the shell ends. `None` where there are none.
fn write_secrets(
    engine: &Engine,
    work: &Utf8Path,
) -> Result<Option<tempfile::TempDir>, PipelineError> {
    use fs_err::os::unix::fs::OpenOptionsExt as _;
    use std::io::Write as _;
    let files = engine.host.secret_files()?;
    if files.is_empty() {
        return Ok(None);
    }
    let memory = std::env::var("XDG_RUNTIME_DIR").ok().map(Utf8PathBuf::from);
    let parent = memory.filter(|folder| folder.is_dir()).unwrap_or_else(|| work.join("shell"));
    fs_err::create_dir_all(&parent)?;
    // Of mode 0700, as `tempfile` makes all of its folders.
    let folder = tempfile::Builder::new().prefix("xtask-shell-").tempdir_in(&parent)?;
    for (name, contents) in files {
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create_new(true).mode(if name == "ca" { 0o444 } else { 0o400 });
        options.open(folder.path().join(name))?.write_all(&contents)?;
    }
    Ok(Some(folder))
}

/// The newest failure of a build step below `work` that `wanted` agrees to.
pub fn last_failed(work: &Utf8Path, wanted: impl Fn(&Failed) -> bool) -> Option<Failed> {
    let folders = fs_err::read_dir(work.join("jobs")).ok()?;
    let failures = folders.filter_map(|folder| {
        let path = folder.ok()?.path().join("failed.json");
        let when = fs_err::metadata(&path).ok()?.modified().ok()?;
        let text = fs_err::read(&path).ok()?;
        let failed = Failed::deserialize(&mut serde_json::Deserializer::from_slice(&text)).ok()?;
        wanted(&failed).then_some((when, failed))
    });
    failures.max_by_key(|(when, _)| *when).map(|(_, failed)| failed)
}

/// The bake call that makes an image of what `job` is before the step of `state`.
fn call<'a>(
    place: &Place<'a>,
    job: &'a Job,
    base: &BaseImage,
    state: &State,
    image: &'a str,
) -> Bake<'a> {
    let mut args = calls::common_args(place.config, job, base);
    args.extend(calls::build_args(place.config));
    args.extend(calls::smoke_args(place.config, job));
    let (target, mut contexts) = calls::source(place.source, &mut args);
    contexts.extend(base.contexts.clone());
    if state.source {
        let kind = if target == "wheel-builder" { "sdist" } else { "local" };
        args.insert("SOURCE_KIND", kind.to_owned());
    }
    if state.wheel {
        let wheel = place.work.join("jobs").join(job.slug()).join("smoke-wheel");
        contexts.insert("wheel".to_owned(), wheel.into());
    }
    args.insert("SHELL_PARENT", state.parent.to_owned());
    args.insert("SHELL_FILES", state.files.to_owned());
    Bake {
        target: if state.wheel { "shell-smoke" } else { "shell" },
        platform: &job.platform,
        args,
        contexts,
        output: Output::Image(Image { reference: image, pushed: false, labels: BTreeMap::new() }),
        metadata: None,
        anew: Anew::Nothing,
        cached: Cached::Read(job.slug()),
        progress: "rawjson",
    }
}
