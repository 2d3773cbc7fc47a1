//! Base images that the engine has already, and under which digest they count.
//!
//! An image counts under the digest that its name stands for: the pinned one, or that of the tag. Of an
//! index, which many platforms share, the one of this platform is pulled and remembered: an engine with
//! the classic image store keeps one image for a reference, so that two platforms would take turns.

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

/// The architecture of `reference` as the engine has it.
pub(super) fn architecture(
    engine: &Engine,
    reference: &str,
) -> Result<Option<String>, EngineError> {
    Ok(inspect(engine, reference, None)?.map(|found| found.architecture))
}

/// The image as the engine has it, if it is there for `platform` and with the pinned digest; no question
/// takes longer than `limit`.
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

/// The digest that a tag stands for: its repository's. An image may have others' too, of mirrors that it
/// was pulled from, and one that was made here has none. A pull by the digest of one platform's image adds that
/// digest to those of the index; it counts only where there is no other.
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

/// A repository as people write it: `debian`, where other programs write `docker.io/library/debian`.
fn familiar(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}

/// `image` pinned to `digest`, its tag left out: `debian@sha256:…`.
pub(super) fn by_digest(image: &str, digest: &str) -> String {
    format!("{}@{digest}", repository(image))
}

/// Where the digests of the platforms' images are kept, one file each.
fn memories(engine: &Engine) -> Utf8PathBuf {
    engine.root.join("target/xtask/base/manifests")
}

/// Where the digest of a platform's image in an index is kept. It can never be another.
fn memory(engine: &Engine, image: &str, index: &str, platform: &Platform) -> Utf8PathBuf {
    let key = format!("{} {platform}", by_digest(image, index));
    let name = &digest::of_bytes(key.as_bytes())[..32];
    memories(engine).join(name)
}

/// Every digest that is remembered as one platform's image, and so is no index.
fn manifests(engine: &Engine) -> BTreeSet<String> {
    let entries = memories(engine).read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| fs_err::read_to_string(entry.path()).ok()).collect()
}

/// Remembers which image of an index `platform` has; of a digest that is no index, itself.
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
