//! podman in docker's place: the same Dockerfile by `podman build`, for machines that have no Docker.
//!
//! It has no bake, no builders and no caches outside of itself; what was asked for and is not there is
//! said beforehand ([`check`]), and nothing is left out silently.

use camino::Utf8Path;

use super::bake::{Bake, Output};
use super::client::Client;
use super::doctor::binfmt::Arch;
use super::doctor::docker::Version;
use super::doctor::{Machine, binfmt};
use super::host::{HostSettings, csv_field};
use super::progress::{Event, FailedStep, Follow};
use super::{Engine, EngineError};
use crate::config::Platform;
use crate::exec::Step;

/// The oldest that can do the work: the first with named contexts (podman 4.2 release notes).
pub const OLDEST: Version = Version::new(4, 2, 0);
const DOCKERFILE: &str = "docker/Dockerfile.wheels";
/// How many of a step's last output lines are kept for the message of its failure.
const TAIL_LINES: usize = 40;

/// The targets of the bake file in the Dockerfile's words: the stage of each, and the `SOURCE_KIND`
/// that it sets. An end-to-end test holds them against what bake makes of its file.
pub const TARGETS: [(&str, &str, Option<&str>); 4] = [
    ("wheel-builder", "output", Some("sdist")),
    ("wheel-builder-local", "output", Some("local")),
    ("build-info", "build-info", Some("none")),
    ("smoke", "smoke", None),
];

/// Whether podman can do what `engine` asks of it.
///
/// # Errors
/// [`EngineError::Unusable`] that names what it lacks, or is too old for.
pub fn check(engine: &Engine) -> Result<(), EngineError> {
    let client = &engine.client;
    let asked = [
        (client.builder.is_some(), "`--builder`: it has no buildx"),
        (!engine.cache.from.is_empty(), "`--cache-from`: its layers are its only cache"),
        (!engine.cache.to.is_empty(), "`--cache-to`: its layers are its only cache"),
        (
            client.endpoint.is_some() || !client.nodes.is_empty(),
            "`--engine-host`: `CONTAINER_HOST` tells podman itself where its service is",
        ),
    ];
    if let Some((_, lack)) = asked.iter().find(|(is_asked, _)| *is_asked) {
        return Err(EngineError::Unusable(format!("podman has nothing for {lack}")));
    }
    let text = engine.query(&client.step(["version", "--format", "{{.Client.Version}}"]))?;
    if Version::parse(&text).is_some_and(|version| version < OLDEST) {
        return Err(EngineError::Unusable(format!(
            "podman {} was found, {OLDEST} or later is needed: it is the first with named contexts",
            text.trim()
        )));
    }
    Ok(())
}

/// The platforms that podman can run: this machine's own, and those that the kernel emulates.
pub fn platforms(engine: &Engine) -> Result<Vec<Platform>, EngineError> {
    let text = engine.query(&engine.client.step(["info", "--format", "{{.Host.Arch}}"]))?;
    let native: Option<Platform> = format!("linux/{}", text.trim()).parse().ok();
    let binfmt = binfmt::read(&Machine::this(&engine.root));
    let emulated = Arch::names().filter(|arch| binfmt.runs(arch));
    let emulated = emulated.filter_map(|arch| format!("linux/{arch}").parse().ok());
    Ok(native.into_iter().chain(emulated).collect())
}

/// The call that does what `bake` asks for, to be run in the workspace `root`.
///
/// # Errors
/// [`EngineError::Unusable`] for what podman cannot make.
pub fn step(
    bake: &Bake<'_>,
    client: &Client,
    root: &Utf8Path,
    host: &HostSettings,
) -> Result<Step, EngineError> {
    let known = TARGETS.iter().find(|(name, ..)| *name == bake.target);
    let (Some((_, stage, source)), Output::Folder(folder)) = (known, &bake.output) else {
        return Err(EngineError::Unusable(format!(
            "podman does not make `{}`: it cannot put an image in the place of a stage\n\n\
             hint: base images that are built beforehand need docker with buildx",
            bake.target
        )));
    };
    let mut step = client
        .step(["build", "--file", DOCKERFILE])
        .arg(format!("--ignorefile={DOCKERFILE}.dockerignore"))
        .arg(format!("--target={stage}"))
        .arg(format!("--platform={}", bake.platform))
        .cwd(root);
    step = step.arg("--layers");
    if client.host_network {
        step = step.arg("--network=host");
    }
    if bake.no_cache {
        step = step.arg("--no-cache");
    }
    let fixed = source.map(|kind| format!("SOURCE_KIND={kind}"));
    // A default alone is not enough for the name of a stage: older ones look it up before that.
    let off = (!bake.args.contains_key("ACCELERATE")).then(|| "ACCELERATE=off".to_owned());
    let own = bake.args.iter().map(|(name, value)| format!("{name}={value}"));
    for argument in fixed.into_iter().chain(off).chain(own) {
        step = step.arg("--build-arg").arg(argument);
    }
    for (name, place) in &bake.contexts {
        step = step.arg("--build-context").arg(format!("{name}={place}"));
    }
    for secret in host.secrets() {
        step = step.arg("--secret").arg(secret);
    }
    for (_, variable, text, shown) in host.texts() {
        step = step.secret_env(variable, text, &shown);
    }
    let output = format!("type=local,{}", csv_field(&format!("dest={folder}")));
    Ok(step.arg("--output").arg(output).arg("."))
}

/// Follows one build by what podman prints (containers/buildah, `imagebuildah/stage_executor.go`).
#[derive(Debug, Default)]
pub struct Progress {
    /// The step under way, and whether it is a stage's first line only.
    current: Option<String>,
    tail: Vec<String>,
    error: Option<String>,
}

impl Follow for Progress {
    fn line(&mut self, line: &[u8]) -> Vec<Event> {
        let text = String::from_utf8_lossy(line);
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        if text.trim().is_empty() {
            return Vec::new();
        }
        if let Some((stage, instruction)) = step_line(&text) {
            let mut events: Vec<Event> = self.done(false).into_iter().collect();
            let name = format!("[{stage}] {instruction}");
            self.current = Some(name.clone());
            self.tail.clear();
            events.push(Event::Started { name });
            return events;
        }
        if let Some(rest) = text.strip_prefix("--> ") {
            return self.done(rest.starts_with("Using cache")).into_iter().collect();
        }
        if let Some(error) = text.strip_prefix("Error: ") {
            self.error = Some(reason(error).to_owned());
            let said = Event::Said(text.clone());
            let failed = self
                .current
                .clone()
                .map(|name| Event::Failed { name, error: reason(error).to_owned() });
            return [Some(said), failed].into_iter().flatten().collect();
        }
        let Some(name) = self.current.clone() else { return vec![Event::Said(text)] };
        if self.tail.len() == TAIL_LINES {
            self.tail.remove(0);
        }
        self.tail.push(text.chars().take(2000).collect());
        vec![Event::Output { name, line: text }]
    }

    fn failed(&self) -> Option<FailedStep> {
        let (name, error) = (self.current.clone()?, self.error.clone()?);
        Some(FailedStep { name, error, tail: self.tail.clone() })
    }
}

impl Progress {
    fn done(&mut self, cached: bool) -> Option<Event> {
        self.current.take().map(|name| Event::Done { name, cached })
    }
}

/// `[9/24] STEP 4/4: RUN …`: the stage and the instruction. A build of one stage has no `[…]`.
fn step_line(text: &str) -> Option<(&str, &str)> {
    let (stage, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("] ")?,
        None => ("1/1", text),
    };
    let (count, instruction) = rest.strip_prefix("STEP ")?.split_once(": ")?;
    let number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    count.split_once('/').filter(|(a, b)| number(a) && number(b))?;
    Some((stage, instruction))
}

/// What podman says of a failure, without the command, which the step's name says already.
fn reason(error: &str) -> &str {
    error.rsplit_once("while running runtime: ").map_or(error, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(lines: &[&str]) -> (Progress, Vec<Event>) {
        let mut progress = Progress::default();
        let events = lines.iter().flat_map(|line| progress.line(line.as_bytes())).collect();
        (progress, events)
    }

    #[test]
    fn the_steps_of_a_podman_build_are_followed() {
        let (progress, events) = feed(&[
            "[1/2] STEP 1/2: FROM debian:12 AS base",
            "[1/2] STEP 2/2: RUN make",
            "cc -c a.c",
            "--> Using cache 1234",
            "[2/2] STEP 1/1: COPY a /",
            "--> 5678",
        ]);
        let named = |name: &str| name.to_owned();
        let expected = [
            Event::Started { name: named("[1/2] FROM debian:12 AS base") },
            Event::Done { name: named("[1/2] FROM debian:12 AS base"), cached: false },
            Event::Started { name: named("[1/2] RUN make") },
            Event::Output { name: named("[1/2] RUN make"), line: named("cc -c a.c") },
            Event::Done { name: named("[1/2] RUN make"), cached: true },
            Event::Started { name: named("[2/2] COPY a /") },
            Event::Done { name: named("[2/2] COPY a /"), cached: false },
        ];
        assert_eq!(events, expected);
        assert_eq!(progress.failed(), None);
    }

    #[test]
    fn the_step_that_failed_is_named_with_its_last_lines() {
        let (progress, _) = feed(&[
            "[16/24] STEP 7/7: RUN --mount=type=tmpfs,target=/tmp sh /xtask/build.sh",
            "error: no wheel",
            "Error: building at STEP \"RUN sh /xtask/build.sh\": while running runtime: exit status 1",
        ]);
        let failed = progress.failed();
        assert_eq!(failed.as_ref().map(|step| step.error.as_str()), Some("exit status 1"));
        assert_eq!(failed.map(|step| step.tail), Some(vec!["error: no wheel".to_owned()]));
    }
}
