//! Base images in the engine, and their digests.
//!
//! The digest of an image is that of its name: the pinned one, or the tag's. From an index of many platforms, xtask
//! pulls only this platform's image, and records the index it belongs to. An engine with the classic image store
//! keeps one image under a reference, so platforms would replace each other.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Deserialize;

use super::image::{BaseImage, Origin};
use super::{Engine, EngineError};
use crate::config::Platform;
use wheel_audit::digest;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    architecture: String,
    id: String,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

/// The architecture of `reference` in the engine.
pub(super) fn architecture(
    engine: &Engine,
    reference: &str,
) -> Result<Option<String>, EngineError> {
    Ok(inspect(engine, reference, None)?.map(|found| found.architecture))
}

/// The image in the engine, if it is for `platform` and has the pinned digest. No query takes longer
/// than `limit`.
pub(super) fn find(
    engine: &Engine,
    image: &str,
    pinned: Option<&str>,
    platform: &Platform,
    limit: Option<Duration>,
) -> Result<Option<BaseImage>, EngineError> {
    let pinned = pinned.or_else(|| image.split_once('@').map(|(_, digest)| digest));
    let manifest = pinned.and_then(|index| {
        recall(engine, image, index, platform).filter(|manifest| manifest != index)
    });
    let references = match pinned {
        None => vec![image.to_owned()],
        Some(index) => manifest
            .iter()
            .map(String::as_str)
            .chain([index])
            .map(|it| by_digest(image, it))
            .collect(),
    };
    for reference in references {
        let found = inspect(engine, &reference, limit)?;
        if let Some(found) = found.filter(|found| found.architecture == platform.engine_arch()) {
            let digest = pinned.map_or_else(|| identity(engine, image, found), str::to_owned);
            return Ok(Some(BaseImage::new(reference, digest, Origin::Local)));
        }
    }
    Ok(None)
}

fn inspect(
    engine: &Engine,
    reference: &str,
    limit: Option<Duration>,
) -> Result<Option<Inspected>, EngineError> {
    let mut step =
        engine.client.step(["image", "inspect", "--format", "{{json .}}", "--", reference]);
    step.timeout = limit;
    match engine.query(&step) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error @ (EngineError::Gone(_) | EngineError::Exec(_))) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The digest of a tag, as listed for its repository. An image may also have digests of the mirrors that it was
/// pulled from, and an image made here has none. A pull by the digest of a platform's image adds that digest, which
/// only counts if there is no other.
fn identity(engine: &Engine, image: &str, found: Inspected) -> String {
    let own = familiar(repository(image));
    let digests = found.repo_digests.unwrap_or_default();
    let named = digests.iter().filter_map(|entry| entry.split_once('@'));
    let ours = named.filter(|(name, _)| familiar(name) == own).map(|(_, digest)| digest);
    let manifests = manifests(engine);
    let first = ours.min_by_key(|&digest| (manifests.contains(digest), digest));
    first.map_or(found.id, str::to_owned)
}

/// `image` without tag and digest.
fn repository(image: &str) -> &str {
    let slash = image.rfind('/').map_or(0, |at| at + 1);
    let end = image[slash..].find([':', '@']).map_or(image.len(), |at| slash + at);
    &image[..end]
}

/// The short form of a repository: `debian` instead of `docker.io/library/debian`.
fn familiar(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}

/// `image` with `digest` instead of its tag: `debian@sha256:…`.
pub(super) fn by_digest(image: &str, digest: &str) -> String {
    format!("{}@{digest}", repository(image))
}

/// The folder with the digests of the platforms' images, one file each.
fn memories(engine: &Engine) -> Utf8PathBuf {
    engine.root.join("target/xtask/base/manifests")
}

/// The file with the digest of a platform's image in an index. Its contents never change.
fn memory(engine: &Engine, image: &str, index: &str, platform: &Platform) -> Utf8PathBuf {
    let key = format!("{} {platform}", by_digest(image, index));
    let name = &digest::of_bytes(key.as_bytes())[..32];
    memories(engine).join(name)
}

/// All recorded digests of platform images. None of them is an index.
fn manifests(engine: &Engine) -> BTreeSet<String> {
    let entries = memories(engine).read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| fs_err::read_to_string(entry.path()).ok()).collect()
}

/// Records the image of `platform` in an index. For a digest that is not an index, records the digest itself.
pub(super) fn remember(
    engine: &Engine,
    image: &str,
    index: &str,
    platform: &Platform,
    manifest: &str,
) -> std::io::Result<()> {
    let path = memory(engine, image, index, platform);
    path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
    fs_err::write(path, manifest)
}

fn recall(engine: &Engine, image: &str, index: &str, platform: &Platform) -> Option<String> {
    let text = fs_err::read_to_string(memory(engine, image, index, platform)).ok()?;
    let hash = text.strip_prefix("sha256:")?;
    let whole = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then_some(text)
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
