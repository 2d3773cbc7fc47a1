//! Driving the container engine: base images, builds, progress, failures.
//!
//! Invariant: nothing here knows wheels or ELF files, except the header that the kernel uses to recognise a
//! foreign program ([`binfmt`]).

pub(crate) mod archive;
pub(crate) mod bake;
pub(crate) mod base;
pub(crate) mod binfmt;
pub(crate) mod bootstrap;
pub(crate) mod builder;
pub(crate) mod cache;
pub(crate) mod clean;
pub(crate) mod client;
pub(crate) mod doctor;
pub(crate) mod excerpt;
pub(crate) mod failure;
pub(crate) mod headline;
pub(crate) mod host;
pub(crate) mod image;
pub(crate) mod layout;
mod local;
pub(crate) mod podman;
pub(crate) mod podman_progress;
pub(crate) mod prebuilt;
pub(crate) mod progress;
pub(crate) mod registry;
pub(crate) mod setup;
mod source_down;

pub(crate) use failure::EngineError;

use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use self::bake::Bake;
use self::builder::Builder;
use self::cache::Cached;
use self::client::Client;
use self::host::HostSettings;
use self::progress::Event;
use crate::config::{Cache, Platform};
use crate::exec::{Exec, ExecError, Step};

/// Maximum length of one line of the client's output.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// Maximum number of the client's own lines in an error message.
const MESSAGE_LINES: usize = 30;

/// A running engine, and the settings that it inherits from this machine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Starts the client.
    pub exec: Exec,
    /// Workspace root, the client's working folder.
    pub root: Utf8PathBuf,
    /// The build context, relative to the workspace root.
    pub assets: Utf8PathBuf,
    /// The settings that containers inherit.
    pub host: HostSettings,
    /// How to reach the engine.
    pub client: Client,
    /// The caches outside of the engine.
    pub cache: Cache,
}

/// The capacity of the engine's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Processor cores.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: u64,
}

impl Engine {
    /// The capacity that the engine reports; `None` if it does not.
    pub(crate) fn capacity(&self) -> Option<Capacity> {
        let format = "{{.NCPU}} {{.MemTotal}}";
        let text = self.query(&self.client.step(["info", "--format", format])).ok()?;
        let (cores, memory) = text.trim().split_once(' ')?;
        Some(Capacity { cores: cores.parse().ok()?, memory: memory.parse().ok()? })
    }

    /// The engine that builds for `platform`.
    #[must_use]
    pub(crate) fn on(&self, platform: &Platform) -> Self {
        Self { client: self.client.on(platform), ..self.clone() }
    }

    /// The platforms that any of the engines can build for, natively or emulated.
    pub(crate) fn platforms(&self) -> Result<Vec<Platform>, EngineError> {
        if !self.client.tool.has_builders() {
            return podman::platforms(self);
        }
        let mut platforms = self.builder()?.platforms;
        for platform in self.client.nodes.keys() {
            // Query the machine, so that an unreachable one is reported before anything begins.
            let node = self.on(platform).builder()?;
            platforms.retain(|known| known != platform);
            platforms.extend(node.platforms.into_iter().filter(|known| known == platform));
        }
        Ok(platforms)
    }

    /// The builder in use.
    pub(crate) fn builder(&self) -> Result<Builder, EngineError> {
        let mut step = self.client.step(["buildx", "inspect", "--bootstrap"]);
        if let Some(name) = &self.client.builder {
            step = step.arg(name);
        }
        let text = self.query(&step)?;
        Ok(Builder::read(&text))
    }

    /// Returns whether builds can see the engine's images.
    ///
    /// # Errors
    /// If the builder does not exist.
    pub(crate) fn sees_local_images(&self) -> Result<bool, EngineError> {
        Ok(!self.client.tool.has_builders() || self.builder()?.sees_local_images())
    }

    /// Returns whether client and buildx are new enough; `false` if they do not answer.
    pub(crate) fn is_new_enough(&self) -> bool {
        if !self.client.tool.has_builders() {
            return true; // Its own check is more specific.
        }
        let version = self.client.step(["version", "--format", "{{json .}}"]);
        let (_, state) = doctor::docker::read_version(&self.exec.capture(&version));
        let engine = match state {
            doctor::docker::EngineState::Answers(server) => server.is_new_enough(),
            _ => false,
        };
        let buildx = self.exec.read(&self.client.step(["buildx", "version"]));
        let buildx = buildx.ok().and_then(|text| doctor::docker::read_buildx(&text));
        // A remote builder needs no engine here.
        let elsewhere = || self.builder().is_ok_and(|builder| !builder.runs_in_engine());
        (engine || elsewhere())
            && buildx.is_some_and(|found| found >= doctor::docker::OLDEST_BUILDX)
    }

    /// Runs a short query and determines the cause of a failure.
    pub(crate) fn query(&self, step: &Step) -> Result<String, EngineError> {
        Self::named(self.exec.read(step))
    }

    /// Like [`Self::query`], and retries if a registry fails temporarily.
    pub(crate) fn query_again(&self, step: &Step) -> Result<String, EngineError> {
        Self::named(self.exec.read_again(step))
    }

    fn named(answer: Result<String, ExecError>) -> Result<String, EngineError> {
        answer.map_err(|error| match error {
            ExecError::Failed { status, stderr, .. } => {
                let answer: Vec<_> = stderr.lines().map(str::to_owned).collect();
                failure::diagnose(&status, None, &answer)
            }
            other => EngineError::Exec(other),
        })
    }

    /// The call for `bake`.
    ///
    /// # Errors
    /// [`EngineError::Unusable`] if the program does not support the request.
    pub(crate) fn bake_step(&self, bake: &Bake<'_>) -> Result<Step, EngineError> {
        let client = self.client.on(bake.platform);
        if client.tool.has_builders() {
            Ok(bake.step(&client, &self.root, &self.assets, &self.host, &self.cache))
        } else {
            podman::step(bake, &client, &self.root, &self.assets, &self.host)
        }
    }

    /// Runs one bake call. All output goes to `log` as text, without the host's settings, and to `on_event`
    /// immediately. If a cache outside of the engine may have caused a failure, a second call uses no cache:
    /// `BuildKit` only notices a missing layer when a step needs it.
    ///
    /// # Errors
    /// [`EngineError`]: the failed step with its error, a full disk, an engine that stopped.
    pub(crate) fn bake(
        &self,
        bake: &Bake<'_>,
        log: &Utf8Path,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<(), EngineError> {
        let called = self.call(bake, log, on_event);
        let Err(error) = &called else { return called };
        let uses_caches = !cache::attributes(&self.cache, &bake.cached, &self.root).is_empty();
        if !uses_caches || !error.may_be_the_cache() {
            return called;
        }
        let name = "build with layers from a cache".to_owned();
        on_event(&Event::NoCache { name, error: error.to_string() });
        self.call(&Bake { cached: Cached::No, ..bake.clone() }, log, on_event)
    }

    /// Runs one call of the engine's client.
    fn call(
        &self,
        bake: &Bake<'_>,
        log: &Utf8Path,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<(), EngineError> {
        let step = self.bake_step(bake)?;
        if let Some(folder) = log.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(log)?;
        writeln!(file, "$ {step}")?;
        let mut progress = self.client.tool.follow();
        let mut answer: Vec<String> = Vec::new();
        let mut log_error = None;
        let finished = self.exec.lines(&step, MAX_LINE, &mut |_, line| {
            for event in progress.line(line) {
                let event = self.redacted(event);
                if let Err(error) = writeln!(file, "{}", log_line(&event)) {
                    log_error.get_or_insert(error);
                }
                if let Event::Message(text) = &event {
                    if answer.len() == MESSAGE_LINES {
                        answer.remove(0);
                    }
                    answer.push(text.clone());
                }
                on_event(&event);
            }
        })?;
        if !finished.success {
            let redact = |text: &str| self.host.redact(text);
            let step = progress.failed().map(|step| step.redacted(redact));
            return Err(failure::diagnose(&finished.status, step, &answer));
        }
        log_error.map_or(Ok(()), |error| Err(error.into()))
    }

    fn redacted(&self, event: Event) -> Event {
        match event {
            Event::Output { name, line } => Event::Output { name, line: self.host.redact(&line) },
            Event::Message(text) => Event::Message(self.host.redact(&text)),
            Event::Failed { name, error } => {
                Event::Failed { name, error: self.host.redact(&error) }
            }
            Event::NoCache { name, error } => {
                Event::NoCache { name, error: self.host.redact(&error) }
            }
            other => other,
        }
    }
}

fn log_line(event: &Event) -> String {
    match event {
        Event::Started { name } => format!("=> {name}"),
        Event::Done { name, cached: true } => format!("== {name} (cached)"),
        Event::Done { name, cached: false } => format!("== {name}"),
        Event::Failed { name, error } | Event::NoCache { name, error } => {
            format!("!! {name}: {error}")
        }
        Event::Output { line, .. } => format!("   {line}"),
        Event::Message(text) => text.clone(),
    }
}
