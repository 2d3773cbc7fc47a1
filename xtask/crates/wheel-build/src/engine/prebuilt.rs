//! Prebuilt base images: where they are stored, and whether one exists.

use std::collections::BTreeMap;
use std::sync::Mutex;
use wheel_audit::UserError;

use serde::{Deserialize, Serialize};

use super::image::BaseImage;
use super::registry::{self, Unknown};
use super::{Engine, EngineError};
use crate::config::Platform;

/// Prefix of their names in the engine. No registry has this name, so none is contacted, and no image of the
/// user has it.
pub(crate) const LOCAL: &str = "xtask-base";
/// Number of digits of the key in a tag.
const KEY_DIGITS: usize = 16;
/// Stages of the Dockerfile that a base image replaces.
pub(crate) const STAGES: [&str; 2] = ["base", "interpreter"];

/// Labels with the base of an image (OCI image specification 1.0, `annotations.md`).
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// See [`BASE_NAME`].
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The name of a base image. It depends on everything that goes into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// Target and architecture: `debian12-amd64`.
    pub folder: String,
    /// Interpreter tag.
    pub interpreter: String,
    /// Hash of everything that goes into it.
    pub key: String,
}

impl Name {
    /// Its reference in the engine: `xtask-base/debian12-amd64:cp311-<hash>`.
    pub(crate) fn local(&self) -> String {
        format!("{LOCAL}/{}:{}", self.folder, self.tag())
    }

    /// Its reference in a registry's repository: `registry.example/base:debian12-amd64-cp311-<hash>`.
    pub(crate) fn in_repository(&self, repository: &str) -> String {
        format!("{repository}:{}-{}", self.folder, self.tag())
    }

    /// The tag of its local name.
    pub(crate) fn tag(&self) -> String {
        let key = self.key.get(..KEY_DIGITS).unwrap_or(&self.key);
        format!("{}-{key}", self.interpreter)
    }
}

/// An existing base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prebuilt {
    /// Its reference, without digest.
    pub reference: String,
    /// Its digest, `sha256:…`.
    pub digest: String,
}

impl Prebuilt {
    /// The named contexts that replace its stages.
    pub(crate) fn contexts(&self) -> BTreeMap<String, String> {
        // A local name with a digest would cause a registry request.
        let image = if self.reference.starts_with(LOCAL) {
            format!("docker-image://{}", self.reference)
        } else {
            format!("docker-image://{}@{}", self.reference, self.digest)
        };
        STAGES.iter().map(|stage| ((*stage).to_owned(), image.clone())).collect()
    }
}

/// Finds base images. A registry that did not answer is not contacted again in the same run.
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
    /// Searches the engine, and the `repository` of a registry if there is one.
    pub(crate) fn new(repository: Option<&str>) -> Self {
        Self { repository: repository.map(str::to_owned), silent: Mutex::new(false) }
    }

    /// Finds the base image `name` for `platform`. `note` receives the reason if the registry was of no use.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub(crate) fn find(
        &self,
        engine: &Engine,
        name: &Name,
        platform: &Platform,
        note: &mut dyn FnMut(&str),
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
        let reference = name.in_repository(repository);
        match registry::published(engine, &reference)? {
            Ok(published) => Ok(Some(Prebuilt { reference, digest: published.digest })),
            Err(Unknown::Refused(_)) => {
                note(&format!("no base image `{reference}`; building its contents"));
                Ok(None)
            }
            Err(Unknown::Silent(answer)) => {
                *silent = true;
                note(&format!(
                    "warning: no base image from `{repository}`: {answer}; \
                     building without one"
                ));
                Ok(None)
            }
        }
    }
}

/// The base image `name` in the engine.
///
/// # Errors
/// If the engine does not answer.
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

/// `base` with the contexts for the stages on top of it.
#[must_use]
pub(crate) fn on(base: &BaseImage, prebuilt: &Prebuilt) -> BaseImage {
    let mut base = base.clone();
    base.contexts.extend(prebuilt.contexts());
    base
}

/// The base image `name` in the registry. A registry that does not answer is an error here, because the image is
/// about to be pushed to it.
///
/// # Errors
/// If the registry does not answer.
pub(crate) fn published(
    engine: &Engine,
    name: &Name,
    repository: &str,
) -> Result<Option<Prebuilt>, EngineError> {
    let reference = name.in_repository(repository);
    match registry::published(engine, &reference)? {
        Ok(published) => Ok(Some(Prebuilt { reference, digest: published.digest })),
        Err(Unknown::Refused(_)) => Ok(None),
        Err(Unknown::Silent(answer)) => Err(EngineError::Base(
            UserError::new(format!("`{repository}` does not answer like a registry: {answer}"))
                .hint("check the address; for a private registry, run `docker login`"),
        )),
    }
}

/// Checks the name of a registry's repository, without tag and digest.
///
/// # Errors
/// If the name is invalid.
pub(crate) fn check_repository(repository: &str) -> Result<(), UserError> {
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let is_host = host.contains(['.', ':']) || host == "localhost";
    if is_host && !path.is_empty() && path.chars().all(plain) {
        return Ok(());
    }
    Err(UserError::new(format!("`{repository}` is not a valid registry repository")).hint(
        "write it like `registry.example/wheels-base`, in lower case and without a tag, because each base image \
         has its own",
    ))
}

/// Checks that the builder's images reach the engine and are visible there.
///
/// # Errors
/// If they are not.
pub(crate) fn check_storage(engine: &Engine) -> Result<(), EngineError> {
    if !engine.client.tool.has_builders() {
        return Ok(());
    }
    let builder = engine.builder()?;
    if builder.sees_local_images() {
        return Ok(());
    }
    Err(EngineError::Unusable(
        UserError::new(format!(
            "the builder `{}` (driver `{}`) cannot see the engine's images, so it cannot use base images \
         there",
            builder.name, builder.driver
        ))
        .hint("use `cargo xtask base-image push --to REGISTRY/NAME`, whose images it can see"),
    ))
}

/// A base image stored in the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    /// Its reference.
    pub reference: String,
    /// The image that it is based on, with its digest.
    pub base: String,
    /// Its size, as the engine prints it.
    pub size: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    repository: String,
    tag: String,
    size: String,
}

/// The base images in the engine, sorted by name.
///
/// # Errors
/// If the engine does not answer.
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
