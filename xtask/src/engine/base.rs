//! The base image of a target: in the engine already, pulled by digest, or bootstrapped from the
//! distribution's own packages. From here on all three are one path.

use std::time::Duration;

use camino::Utf8Path;
use serde::Deserialize;

pub use super::image::{BaseImage, Origin};
use super::{Engine, EngineError};
use super::{bootstrap, layout};
use crate::config::{Platform, Target};
use crate::exec::{ExecError, Step};

/// How long a registry may take to answer a question.
const ASK_LIMIT: Duration = Duration::from_secs(30);
/// How long a pull may take; base images have some 30 to 100 MB.
const PULL_LIMIT: Duration = Duration::from_secs(900);

/// Which ways to a base image may be gone (`--base`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Ways {
    /// In the engine, pulled, bootstrapped: the first that works.
    #[default]
    Auto,
    /// Pulled from its registry, or an error.
    Pull,
    /// Made from the distribution's packages, or an error.
    Bootstrap,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    architecture: String,
    id: String,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

/// What a registry said when asked for an image.
enum Answer {
    /// It has the image, with this digest.
    Digest(String),
    /// It answered, and does not have it.
    Refused(String),
    /// It did not answer, or not with sense.
    Silent(String),
}

/// Gets the base image of `target` for `platform`. `say` is told what takes time; `work` is a
/// folder of xtask's own.
///
/// # Errors
/// [`EngineError::Base`] with every way that was tried and why it did not work.
pub fn resolve(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    ways: Ways,
    work: &Utf8Path,
    say: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let engine = &engine.on(platform);
    let image = find(engine, target, platform, ways, work, say)?;
    if image.origin == Origin::Pulled || !image.contexts.is_empty() || engine.sees_local_images()? {
        return Ok(image);
    }
    say(&format!("handing {} to a builder that does not see the engine's images", image.reference));
    let layout = layout::of_image(engine, &image.reference, &image.digest)?;
    Ok(layout.stand_for(image))
}

fn find(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    ways: Ways,
    work: &Utf8Path,
    say: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let pinned = target.digest.get(platform).map(String::as_str);
    if ways == Ways::Auto {
        if let Some(image) = local(engine, &target.image, pinned, platform)? {
            return Ok(image);
        }
        // Made on an earlier run: nothing has to be asked of a registry, unless a digest is pinned,
        // which an image that we made is not.
        let made = bootstrap::present(engine, target, platform)?;
        if let Some(image) = made.filter(|_| pinned.is_none()) {
            return Ok(image);
        }
    }
    let mut reasons = Vec::new();
    if ways != Ways::Bootstrap {
        let answer = if engine.client.tool.has_builders() {
            ask(engine, &target.image, pinned)?
        } else {
            say(&format!("pulling {} ({platform})", target.image));
            match pull_unasked(engine, target, pinned, platform)? {
                Ok(image) => return Ok(image),
                Err(answer) => answer,
            }
        };
        match answer {
            Answer::Digest(digest) => {
                say(&format!("pulling {} ({platform})", target.image));
                return pull(engine, &target.image, &digest, platform);
            }
            Answer::Refused(said) => return Err(refused(target, pinned, &said)),
            Answer::Silent(said) => reasons.push(format!("registry: {said}")),
        }
    }
    if ways == Ways::Pull {
        reasons.push("bootstrap: not asked for (`--base pull`)".to_owned());
    } else if target.bootstrap.is_none() {
        reasons.push("bootstrap: wheels.toml has none for this target".to_owned());
    } else {
        if let Some(image) = bootstrap::present(engine, target, platform)? {
            return Ok(image);
        }
        say(&format!("no registry gives {}, making it from its packages", target.image));
        return bootstrap::make(engine, target, platform, work, say);
    }
    Err(EngineError::Base(format!(
        "no base image for `{}` on {platform}\n  {}\n\n\
         hint: `docker pull {}` by hand shows the registry's answer; a `bootstrap` entry in \
         wheels.toml makes the image from the distribution's packages",
        target.image,
        reasons.join("\n  "),
        target.image
    )))
}

/// The base image that the engine has already, without asking anyone else.
pub fn present(engine: &Engine, target: &Target, platform: &Platform) -> Option<BaseImage> {
    let engine = &engine.on(platform);
    let pinned = target.digest.get(platform).map(String::as_str);
    let local = local(engine, &target.image, pinned, platform).ok().flatten();
    local.or_else(|| bootstrap::present(engine, target, platform).ok().flatten())
}

/// The pull of a base image, as a printed plan shows it.
pub fn pull_step(engine: &Engine, target: &Target, platform: &Platform) -> Step {
    let image = unresolved(target, platform).reference;
    engine.client.on(platform).step(["pull", "--platform", &platform.to_string(), &image])
}

/// The base image as a printed plan names it before anything was asked.
pub fn unresolved(target: &Target, platform: &Platform) -> BaseImage {
    let digest = target.digest.get(platform);
    let reference =
        digest.map_or_else(|| target.image.clone(), |digest| by_digest(&target.image, digest));
    let digest = digest.cloned().unwrap_or_else(|| "unpinned".to_owned());
    BaseImage::new(reference, digest, Origin::Pulled)
}

fn refused(target: &Target, pinned: Option<&str>, said: &str) -> EngineError {
    let image = &target.image;
    EngineError::Base(pinned.map_or_else(
        || {
            format!(
                "the registry has no image `{image}`: {said}\n\n\
                 hint: is the name right? an image of a private registry needs `docker login`"
            )
        },
        |digest| {
            format!(
                "the registry has no `{image}` with the pinned digest `{digest}`: {said}\n\n\
                 hint: correct `digest` of target `{}` in wheels.toml, or take it out to follow \
                 the tag",
                target.name
            )
        },
    ))
}

/// The image as the engine has it, if it is there for `platform` and with the pinned digest.
fn local(
    engine: &Engine,
    image: &str,
    pinned: Option<&str>,
    platform: &Platform,
) -> Result<Option<BaseImage>, EngineError> {
    let reference = pinned.map_or_else(|| image.to_owned(), |digest| by_digest(image, digest));
    let step = engine.client.step(["image", "inspect", "--format", "{{json .}}", &reference]);
    let text = match engine.query(&step) {
        Ok(text) => text,
        // A builder elsewhere needs no engine here; without one, there is no image here either.
        Err(EngineError::Gone { .. }) if !engine.sees_local_images()? => return Ok(None),
        Err(error @ (EngineError::Gone { .. } | EngineError::Exec(_))) => return Err(error),
        Err(_) => return Ok(None),
    };
    let Ok(found) = serde_json::from_str::<Inspected>(&text) else { return Ok(None) };
    if found.architecture != platform.engine_arch() {
        return Ok(None);
    }
    let digests = found.repo_digests.unwrap_or_default();
    let digest = digests.iter().find_map(|entry| entry.split_once('@')).map(|(_, d)| d.to_owned());
    let digest = digest.unwrap_or(found.id);
    Ok(Some(BaseImage::new(reference, digest, Origin::Local)))
}

/// `image` pinned to `digest`, its tag left out: `debian@sha256:…`.
fn by_digest(image: &str, digest: &str) -> String {
    let slash = image.rfind('/').map_or(0, |at| at + 1);
    let name = image[slash..].split([':', '@']).next().unwrap_or_default();
    format!("{}{name}@{digest}", &image[..slash])
}

/// Asks the registry for the image without moving any of it.
fn ask(engine: &Engine, image: &str, pinned: Option<&str>) -> Result<Answer, EngineError> {
    let reference = pinned.map_or_else(|| image.to_owned(), |digest| by_digest(image, digest));
    let args = ["buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", &reference];
    let step = engine.client.step(args).timeout(ASK_LIMIT);
    match engine.query(&step) {
        Ok(text) => {
            #[derive(Deserialize)]
            struct Manifest {
                digest: String,
            }
            Ok(serde_json::from_str::<Manifest>(&text).map_or_else(
                |error| Answer::Silent(format!("its answer makes no sense: {error}")),
                |manifest| Answer::Digest(manifest.digest),
            ))
        }
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Ok(Answer::Silent(format!("no answer within {} s", ASK_LIMIT.as_secs())))
        }
        Err(error @ EngineError::Exec(_)) => Err(error),
        Err(error) => {
            let said = match &error {
                EngineError::Client { said, .. } | EngineError::Gone { said } => said.clone(),
                other => other.to_string(),
            };
            Ok(told(&said))
        }
    }
}

/// Pulls without asking first, with a program that cannot ask; what the registry said where that failed.
/// Without a pinned digest it makes a tag, which only happens where the engine has none of that name, or
/// where a pull was asked for.
fn pull_unasked(
    engine: &Engine,
    target: &Target,
    pinned: Option<&str>,
    platform: &Platform,
) -> Result<Result<BaseImage, Answer>, EngineError> {
    let image = &target.image;
    let reference = pinned.map_or_else(|| image.clone(), |digest| by_digest(image, digest));
    let wanted = platform.to_string();
    let args = ["pull", "--quiet", "--platform", &wanted, &reference];
    match engine.query(&engine.client.step(args).timeout(PULL_LIMIT)) {
        Ok(_) => {
            let image = local(engine, image, pinned, platform)?.ok_or_else(|| {
                EngineError::Base(format!("`{reference}` was pulled and is not for {platform}"))
            })?;
            Ok(Ok(BaseImage { origin: Origin::Pulled, ..image }))
        }
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Ok(Err(Answer::Silent(format!("no answer within {} s", PULL_LIMIT.as_secs()))))
        }
        Err(EngineError::Client { said, .. } | EngineError::Gone { said }) => Ok(Err(told(&said))),
        Err(error) => Err(error),
    }
}

/// What a registry's refusal means.
fn told(said: &str) -> Answer {
    let said = said.trim_start_matches("ERROR: ").trim_start_matches("Error: ").trim().to_owned();
    let has_not = ["not found", "MANIFEST_UNKNOWN", "manifest unknown", "404 Not Found"];
    let refused = has_not.iter().any(|word| said.contains(word));
    if refused { Answer::Refused(said) } else { Answer::Silent(said) }
}

/// Pulls by digest, so that no tag of the user's is made or moved.
fn pull(
    engine: &Engine,
    image: &str,
    digest: &str,
    platform: &Platform,
) -> Result<BaseImage, EngineError> {
    let reference = by_digest(image, digest);
    if !engine.sees_local_images()? {
        // The builder pulls it into its own store.
        return Ok(BaseImage::new(reference, digest, Origin::Pulled));
    }
    let platform = platform.to_string();
    let args = ["pull", "--quiet", "--platform", &platform, &reference];
    let step = engine.client.step(args).timeout(PULL_LIMIT);
    engine.query(&step).map_err(|error| match error {
        EngineError::Client { said, .. } => EngineError::Base(format!(
            "pulling `{reference}` for {platform} failed: {said}\n\n\
             hint: `--base bootstrap` makes the image from the distribution's packages instead"
        )),
        other => other,
    })?;
    Ok(BaseImage::new(reference, digest, Origin::Pulled))
}

#[cfg(test)]
#[path = "base_tests.rs"]
mod tests;
