//! podman instead of docker: builds the same Dockerfile with `podman build`.
//!
//! podman has no bake, no builders and no external caches. [`check`] rejects requests that need them, so that
//! nothing is ignored silently.

use camino::Utf8Path;
use wheel_audit::UserError;

use super::bake::{Bake, NoCache, Output};
use super::client::Client;
use super::doctor::binfmt::Arch;
use super::doctor::docker::Version;
use super::doctor::{Machine, binfmt};
use super::host::{HostSettings, csv_field};
use super::{Engine, EngineError};
use crate::config::Platform;
use crate::exec::{ExecError, Step};

/// The oldest supported version: the first with named contexts (podman 4.2 release notes).
pub(crate) const OLDEST: Version = Version::new(4, 2, 0);
const DOCKERFILE: &str = "docker/Dockerfile.wheels";

/// The targets of the bake file, with the Dockerfile stage and the `SOURCE_KIND` of each. An end-to-end test
/// compares them with bake's interpretation of its file.
pub const TARGETS: [(&str, &str, Option<&str>); 10] = [
    ("wheel-builder", "output", Some("sdist")),
    ("wheel-builder-local", "output", Some("local")),
    ("build-info", "build-info", Some("none")),
    ("repair", "repair", Some("sdist")),
    ("repair-local", "repair", Some("local")),
    ("published", "published", None),
    ("smoke", "smoke", None),
    ("test", "test", Some("sdist")),
    ("test-local", "test", Some("local")),
    ("try", "try", None),
];

/// Checks whether podman supports the requests of `engine`.
///
/// # Errors
/// [`EngineError::Unusable`] with the unsupported request, or the version.
pub(crate) fn check(engine: &Engine) -> Result<(), EngineError> {
    let client = &engine.client;
    let unsupported = [
        (client.builder.is_some(), "`--builder`, because it has no buildx"),
        (!engine.cache.from.is_empty(), "`--cache-from`, because its layers are its only cache"),
        (!engine.cache.to.is_empty(), "`--cache-to`, because its layers are its only cache"),
        (
            client.endpoint.is_some() || !client.nodes.is_empty(),
            "`--engine-host`; set `CONTAINER_HOST` to the address of podman's service",
        ),
    ];
    if let Some((_, lack)) = unsupported.iter().find(|(is_set, _)| *is_set) {
        let message = format!("podman does not support {lack}");
        let hint = "omit the option, or build with docker (`--engine docker`)";
        return Err(EngineError::Unusable(UserError::new(message).hint(hint)));
    }
    let text = engine.query(&client.step(["version", "--format", "{{.Client.Version}}"]))?;
    if Version::parse(&text).is_some_and(|version| version < OLDEST) {
        let message =
            format!("podman {} found, {OLDEST} or later required for named contexts", text.trim());
        return Err(EngineError::Unusable(UserError::new(message).hint(newer())));
    }
    Ok(())
}

fn newer() -> String {
    format!("install podman {OLDEST} or later, or build with docker (`--engine docker`)")
}

/// The platforms that podman can run: this machine's own, and those that the kernel emulates.
pub(crate) fn platforms(engine: &Engine) -> Result<Vec<Platform>, EngineError> {
    let info = engine.client.step(["info", "--format", "{{.Host.Arch}}"]);
    let text = engine.query(&info).map_err(|error| match error {
        EngineError::Exec(error @ ExecError::NotFound { .. }) => {
            EngineError::Unusable(UserError::new(format!("{error}")).hint(newer()))
        }
        other => other,
    })?;
    let native: Option<Platform> = format!("linux/{}", text.trim()).parse().ok();
    let binfmt = binfmt::read(&Machine::this(&engine.root));
    let emulated = Arch::names().filter(|arch| binfmt.runs(arch));
    let emulated = emulated.filter_map(|arch| format!("linux/{arch}").parse().ok());
    Ok(native.into_iter().chain(emulated).collect())
}

/// The call for `bake`, to run in the workspace `root`.
///
/// # Errors
/// [`EngineError::Unusable`] if podman does not support the request.
pub(crate) fn step(
    bake: &Bake<'_>,
    client: &Client,
    root: &Utf8Path,
    assets: &Utf8Path,
    host: &HostSettings,
) -> Result<Step, EngineError> {
    let known = TARGETS.iter().find(|(name, ..)| *name == bake.target);
    let (Some((_, stage, source)), Output::Folder(folder)) = (known, &bake.output) else {
        return Err(EngineError::Unusable(
            UserError::new(format!(
                "podman cannot build `{}`: it does not support an image in place of a stage",
                bake.target
            ))
            .hint("use docker with buildx for prebuilt base images"),
        ));
    };
    let dockerfile = assets.join(DOCKERFILE);
    let mut step = client
        .step(["build", "--file"])
        .arg(dockerfile.as_str())
        .arg(format!("--ignorefile={dockerfile}.dockerignore"))
        .arg(format!("--target={stage}"))
        .arg(format!("--platform={}", bake.platform))
        .cwd(root);
    step = step.arg("--layers");
    if client.host_network {
        step = step.arg("--network=host");
    }
    if bake.no_cache != NoCache::Nothing {
        step = step.arg("--no-cache");
    }
    let fixed = source.map(|kind| format!("SOURCE_KIND={kind}"));
    // Older versions look up a stage's name before the argument's default applies.
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
    Ok(step.arg("--output").arg(output).arg(assets.as_str()))
}
