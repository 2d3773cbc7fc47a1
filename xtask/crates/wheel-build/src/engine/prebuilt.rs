//! Base images that were built beforehand: where they lie, and whether one is there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use wheel_audit::UserError;

use serde::{Deserialize, Serialize};

use super::image::BaseImage;
use super::registry::{self, Unknown};
use super::{Engine, EngineError};
use crate::config::Platform;

/// First part of the names that they have in the engine. No registry of that name exists, so none is
/// asked, and no image of the user's is called so.
pub(crate) const LOCAL: &str = "xtask-base";
/// How much of the key is in a tag.
const KEY_DIGITS: usize = 16;
/// Stages of the Dockerfile for which such an image stands.
pub(crate) const STAGES: [&str; 2] = ["base", "interpreter"];

/// Labels that say what a base image stands on (OCI image specification 1.0, `annotations.md`).
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// As [`BASE_NAME`].
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The name of one base image: decided by all that goes into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// Target and architecture: `debian12-amd64`.
    pub folder: String,
    /// Interpreter tag.
    pub interpreter: String,
    /// Hash of all that goes into it.
    pub key: String,
}

impl Name {
    /// Its reference in the engine: `xtask-base/debian12-amd64:cp311-<hash>`.
    pub(crate) fn local(&self) -> String {
        format!("{LOCAL}/{}:{}", self.folder, self.tag())
    }

    /// Its reference in the repository of a registry: `registry.example/base:debian12-amd64-cp311-<hash>`.
    pub(crate) fn within(&self, repository: &str) -> String {
        format!("{repository}:{}-{}", self.folder, self.tag())
    }

    /// The tag of its local name.
    pub(crate) fn tag(&self) -> String {
        let key = self.key.get(..KEY_DIGITS).unwrap_or(&self.key);
        format!("{}-{key}", self.interpreter)
    }
}

/// A base image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prebuilt {
    /// Its reference, without digest.
    pub reference: String,
    /// Its digest, `sha256:…`.
    pub digest: String,
}

impl Prebuilt {
    /// The named contexts by which it stands for its stages.
    pub(crate) fn contexts(&self) -> BTreeMap<String, String> {
        // A local name alone would be asked for in a registry as soon as it has a digest.
        let image = if self.reference.starts_with(LOCAL) {
            format!("docker-image://{}", self.reference)
        } else {
            format!("docker-image://{}@{}", self.reference, self.digest)
        };
        STAGES.iter().map(|stage| ((*stage).to_owned(), image.clone())).collect()
    }
}

/// Looks for base images. A registry that did not answer is not asked again in the same run.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    repository: Option<String>,
    silent: Mutex<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    architecture: String,
    id: String,
}

impl Finder {
    /// Looks in the engine and, where there is one, in the `repository` of a registry.
    pub(crate) fn new(repository: Option<&str>) -> Self {
        Self { repository: repository.map(str::to_owned), silent: Mutex::new(false) }
    }

    /// The base image `name` for `platform`, wherever it is; `say` is told why a registry was no help.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub(crate) fn find(
        &self,
        engine: &Engine,
        name: &Name,
        platform: &Platform,
        say: &mut dyn FnMut(&str),
    ) -> Result<Option<Prebuilt>, EngineError> {
        let engine = &engine.on(platform);
        if !engine.client.tool.has_builders() {
            return Ok(None);
        }
        if engine.builder()?.sees_local_images()
            && let Some(found) = local(engine, name, platform)?
        {
            return Ok(Some(found));
        }
        let Some(repository) = &self.repository else { return Ok(None) };
        let mut silent = self.silent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *silent {
            return Ok(None);
        }
        let reference = name.within(repository);
        match registry::published(engine, &reference)? {
            Ok(published) => Ok(Some(Prebuilt { reference, digest: published.digest })),
            Err(Unknown::Refused(_)) => {
                say(&format!("no base image `{reference}`, building what it would hold"));
                Ok(None)
            }
            Err(Unknown::Silent(said)) => {
                *silent = true;
                say(&format!(
                    "warning: `{repository}` was asked for a base image and gave none: {said}; \
                     building without"
                ));
                Ok(None)
            }
        }
    }
}

/// The base image `name` as the engine has it.
///
/// # Errors
/// When the engine cannot be asked.
pub(crate) fn local(
    engine: &Engine,
    name: &Name,
    platform: &Platform,
) -> Result<Option<Prebuilt>, EngineError> {
    let reference = name.local();
    let step = engine.client.step(["image", "inspect", "--format", "{{json .}}", "--", &reference]);
    let text = match engine.query(&step) {
        Ok(text) => text,
        Err(error @ (EngineError::Gone(_) | EngineError::Exec(_))) => return Err(error),
        Err(_) => return Ok(None),
    };
    let found: Option<Inspected> = serde_json::from_str(&text).ok();
    let found = found.filter(|image| image.architecture == platform.engine_arch());
    Ok(found.map(|image| Prebuilt { reference, digest: image.id }))
}

/// `base` with what stands for the stages on top of it.
#[must_use]
pub(crate) fn on(base: &BaseImage, prebuilt: &Prebuilt) -> BaseImage {
    let mut base = base.clone();
    base.contexts.extend(prebuilt.contexts());
    base
}

/// The base image `name` as the registry has it; one that did not answer is an error here, since it is
/// to be pushed to.
///
/// # Errors
/// When the registry does not answer.
pub(crate) fn published(
    engine: &Engine,
    name: &Name,
    repository: &str,
) -> Result<Option<Prebuilt>, EngineError> {
    let reference = name.within(repository);
    match registry::published(engine, &reference)? {
        Ok(published) => Ok(Some(Prebuilt { reference, digest: published.digest })),
        Err(Unknown::Refused(_)) => Ok(None),
        Err(Unknown::Silent(said)) => Err(EngineError::Base(
            UserError::new(format!("`{repository}` does not answer as a registry does: {said}"))
                .hint("is it the right address? a private one needs `docker login`"),
        )),
    }
}

/// Whether `repository` can be the name of a repository in a registry, without tag and digest.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_repository(repository: &str) -> Result<(), UserError> {
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let is_host = host.contains(['.', ':']) || host == "localhost";
    if is_host && !path.is_empty() && path.chars().all(plain) {
        return Ok(());
    }
    Err(UserError::new(format!("`{repository}` is no repository of a registry")).hint(
        "write it like `registry.example/wheels-base`, lower case and without a tag: each base image \
         gets its own",
    ))
}

/// Sees that the builder's images reach the engine and are seen there.
///
/// # Errors
/// When they do not.
pub(crate) fn can_keep(engine: &Engine) -> Result<(), EngineError> {
    if !engine.client.tool.has_builders() {
        return Ok(());
    }
    let builder = engine.builder()?;
    if builder.sees_local_images() {
        return Ok(());
    }
    Err(EngineError::Unusable(
        UserError::new(format!(
            "the builder `{}` (driver `{}`) does not see the engine's images, so none are kept \
         there for it",
            builder.name, builder.driver
        ))
        .hint("`cargo xtask base-image push --to REGISTRY/NAME` keeps them where it sees them"),
    ))
}

/// A base image that the engine keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    /// Its reference.
    pub reference: String,
    /// The image that it stands on, with its digest.
    pub base: String,
    /// Its size, as the engine writes it.
    pub size: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    repository: String,
    tag: String,
    size: String,
}

/// The base images that the engine keeps, in the order of their names.
///
/// # Errors
/// When the engine does not answer.
pub(crate) fn kept(engine: &Engine) -> Result<Vec<Kept>, EngineError> {
    let filter = format!("reference={LOCAL}/*");
    let args = ["image", "ls", "--format", "{{json .}}", "--filter", &filter];
    let text = engine.query(&engine.client.step(args))?;
    let listed = text.lines().filter_map(|line| serde_json::from_str::<Listed>(line).ok());
    let mut kept = Vec::new();
    for image in listed.filter(|image| image.tag != "<none>") {
        let reference = format!("{}:{}", image.repository, image.tag);
        let format = format!(
            "{{{{index .Config.Labels \"{BASE_NAME}\"}}}}@{{{{index .Config.Labels \"{BASE_DIGEST}\"}}}}"
        );
        let step = engine.client.step(["image", "inspect", "--format", &format, "--", &reference]);
        let base = engine.query(&step).unwrap_or_default().trim().to_owned();
        kept.push(Kept { reference, base, size: image.size });
    }
    kept.sort_by(|a, b| a.reference.cmp(&b.reference));
    Ok(kept)
}
