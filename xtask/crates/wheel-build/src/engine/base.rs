//! The base image of a target: in the engine already, pulled by digest, or bootstrapped from the
//! distribution's own packages. From here on all three are one path.

use std::time::Duration;
use wheel_audit::UserError;

use camino::Utf8Path;

pub(crate) use super::image::{BaseImage, Origin};
use super::local::{self, by_digest};
use super::registry::{self, Unknown};
use super::{Engine, EngineError};
use super::{bootstrap, layout};
use crate::config::{Platform, Target};
use crate::exec::{ExecError, Step};

/// How long a pull may take; base images have some 30 to 100 MB.
const PULL_LIMIT: Duration = Duration::from_secs(900);
/// How long the engine may take to say what it has, where nothing depends on its answer.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Where a base image may come from (`--base`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BasePolicy {
    /// In the engine, pulled, bootstrapped: the first that works.
    #[default]
    Auto,
    /// Pulled from its registry, or an error.
    Pull,
    /// Made from the distribution's packages, or an error.
    Bootstrap,
}

/// Gets the base image of `target` for `platform`. `say` is told what takes time; `work` is a
/// folder of xtask's own.
///
/// # Errors
/// [`EngineError::Base`] with every way that was tried and why it did not work.
pub(crate) fn resolve(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    base_policy: BasePolicy,
    work: &Utf8Path,
    say: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let engine = &engine.on(platform);
    let image = find(engine, target, platform, base_policy, work, say)?;
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
    base_policy: BasePolicy,
    work: &Utf8Path,
    say: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let pinned = target.digest.get(platform).map(String::as_str);
    if base_policy == BasePolicy::Auto {
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
    if base_policy != BasePolicy::Bootstrap {
        match from_registry(engine, target, pinned, platform, say)? {
            Ok(image) => return Ok(image),
            Err(Unknown::Refused(said)) => return Err(refused(target, pinned, platform, &said)),
            Err(Unknown::Silent(said)) => reasons.push(format!("registry: {said}")),
        }
    }
    if base_policy == BasePolicy::Pull {
        reasons.push("bootstrap: not asked for (`--base pull`)".to_owned());
    } else if target.bootstrap.is_none() {
        reasons.push("bootstrap: wheels.toml has none for this target".to_owned());
    } else {
        if let Some(image) = bootstrap::present(engine, target, platform)? {
            return Ok(image);
        }
        let why = reasons.first().map(|reason| format!("{reason}; ")).unwrap_or_default();
        say(&format!("{why}making {} from its packages", target.image));
        return bootstrap::make(engine, target, platform, work, say)
            .map_err(|error| with_reasons(error, target, platform, reasons));
    }
    let by_hand = format!("`docker pull {}` by hand shows the registry's answer", target.image);
    let entry =
        "a `bootstrap` entry in wheels.toml makes the image from the distribution's packages";
    let hint = match base_policy {
        BasePolicy::Pull if target.bootstrap.is_some() => format!(
            "{by_hand}; leave `--base pull` out to make the image from the distribution's packages"
        ),
        BasePolicy::Bootstrap => format!("{entry}; leave `--base bootstrap` out to pull it"),
        BasePolicy::Pull | BasePolicy::Auto => format!("{by_hand}; {entry}"),
    };
    Err(no_image(target, platform, &reasons, &hint))
}

/// `error` of the last way, after the `reasons` why the earlier ones failed.
fn with_reasons(
    error: EngineError,
    target: &Target,
    platform: &Platform,
    mut reasons: Vec<String>,
) -> EngineError {
    let stopped = matches!(error, EngineError::Exec(ExecError::Interrupted | ExecError::Stopped));
    if reasons.is_empty() || stopped || error.ends_run() {
        return error;
    }
    let hint = error.hint().unwrap_or(
        "`cargo xtask doctor` says what this machine lacks to make images from packages",
    );
    reasons.push(format!("bootstrap: {}", error.to_string().replace('\n', "\n  ")));
    no_image(target, platform, &reasons, hint)
}

/// Every way that was tried, with its reason.
fn no_image(target: &Target, platform: &Platform, reasons: &[String], hint: &str) -> EngineError {
    EngineError::Base(
        UserError::new(format!(
            "no base image for `{}` on {platform}\n  {}",
            target.image,
            reasons.join("\n  ")
        ))
        .hint(hint),
    )
}

/// The base image that the engine has already, without asking anyone else.
pub(crate) fn present(engine: &Engine, target: &Target, platform: &Platform) -> Option<BaseImage> {
    at_hand(engine, target, platform, BasePolicy::Auto).ok().flatten()
}

/// As [`present`]; an engine that does not answer, or not soon, is an error.
///
/// # Errors
/// When the engine does not say what it has.
pub(crate) fn at_hand(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    base_policy: BasePolicy,
) -> Result<Option<BaseImage>, EngineError> {
    let engine = &engine.on(platform);
    let (image, limit) = (&target.image, Some(LOOK_LIMIT));
    let pinned = target.digest.get(platform).map(String::as_str);
    if base_policy != BasePolicy::Bootstrap
        && let Some(image) = local::find(engine, image, pinned, platform, limit)?
    {
        return Ok(Some(image));
    }
    if base_policy == BasePolicy::Pull {
        return Ok(None);
    }
    bootstrap::at_hand(engine, target, platform, limit)
}

/// The pull of a base image, as a printed plan shows it.
pub(crate) fn pull_step(engine: &Engine, target: &Target, platform: &Platform) -> Step {
    let image = unresolved(target, platform).reference;
    engine.client.on(platform).step(["pull", "--platform", &platform.to_string(), "--", &image])
}

/// The base image as a printed plan names it before anything was asked.
pub(crate) fn unresolved(target: &Target, platform: &Platform) -> BaseImage {
    let digest = target.digest.get(platform);
    let reference =
        digest.map_or_else(|| target.image.clone(), |digest| by_digest(&target.image, digest));
    let digest = digest.cloned().unwrap_or_else(|| "unpinned".to_owned());
    BaseImage::new(reference, digest, Origin::Pulled)
}

fn refused(target: &Target, pinned: Option<&str>, platform: &Platform, said: &str) -> EngineError {
    let image = &target.image;
    EngineError::Base(match pinned {
        None => UserError::new(format!("the registry has no image `{image}` for {platform}: {said}"))
            .hint(format!(
                "is the name right, and is the image published for {platform}? an image of a private \
                 registry needs `docker login`"
            )),
        Some(digest) => UserError::new(format!(
            "the registry has no `{image}` with the pinned digest `{digest}` for {platform}: {said}"
        ))
        .hint(format!(
            "correct `digest.\"{platform}\"` of target `{}` in wheels.toml, or take it out to follow \
             the tag",
            target.name
        )),
    })
}

/// The image as the engine has it, if there is an engine here.
fn local(
    engine: &Engine,
    image: &str,
    pinned: Option<&str>,
    platform: &Platform,
) -> Result<Option<BaseImage>, EngineError> {
    match local::find(engine, image, pinned, platform, None) {
        // A builder elsewhere needs no engine here; without one, there is no image here either.
        Err(EngineError::Gone(_)) if !engine.sees_local_images()? => Ok(None),
        found => found,
    }
}

/// The image from its registry, or what the registry said.
fn from_registry(
    engine: &Engine,
    target: &Target,
    pinned: Option<&str>,
    platform: &Platform,
    say: &mut dyn FnMut(&str),
) -> Result<Result<BaseImage, Unknown>, EngineError> {
    let image = &target.image;
    if !engine.client.tool.has_builders() {
        say(&format!("pulling {image} ({platform})"));
        return pull_unasked(engine, target, pinned, platform);
    }
    let reference = pinned.map_or_else(|| image.clone(), |digest| by_digest(image, digest));
    let published = match registry::named(engine, &reference)? {
        Ok(published) => published,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let manifest = published.platforms.get(platform);
    if manifest.is_none() && !published.platforms.is_empty() {
        let others: Vec<_> = published.platforms.keys().map(ToString::to_string).collect();
        let said = format!("its index has {} only", others.join(", "));
        return Ok(Err(Unknown::Refused(said)));
    }
    say(&format!("pulling {image} ({platform})"));
    // Without an index it is the one image that there is.
    let manifest = manifest.unwrap_or(&published.digest);
    local::remember(engine, image, &published.digest, platform, manifest)?;
    let name = by_digest(image, manifest);
    pull(engine, BaseImage::new(name, published.digest, Origin::Pulled), platform)
}

/// Pulls without asking first, with a program that cannot ask; what the registry said where that failed.
/// Without a pinned digest it makes a tag, which only happens where the engine has none of that name, or
/// where a pull was asked for.
fn pull_unasked(
    engine: &Engine,
    target: &Target,
    pinned: Option<&str>,
    platform: &Platform,
) -> Result<Result<BaseImage, Unknown>, EngineError> {
    let image = &target.image;
    let reference = pinned.map_or_else(|| image.clone(), |digest| by_digest(image, digest));
    let wanted = platform.to_string();
    let args = ["pull", "--quiet", "--platform", &wanted, "--", &reference];
    match engine.query_again(&engine.client.step(args).timeout(PULL_LIMIT)) {
        Ok(_) => {
            let image = local(engine, image, pinned, platform)?.ok_or_else(|| {
                EngineError::Base(UserError::new(format!(
                    "`{reference}` was pulled and is not for {platform}"
                )))
            })?;
            Ok(Ok(BaseImage { origin: Origin::Pulled, ..image }))
        }
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Ok(Err(Unknown::Silent(format!("no answer within {} s", PULL_LIMIT.as_secs()))))
        }
        Err(
            EngineError::Client { said, .. } | EngineError::Gone(UserError { message: said, .. }),
        ) => Ok(Err(registry::told(&said))),
        Err(error) => Err(error),
    }
}

/// Pulls by digest, so that no tag of the user's is made or moved. A registry that names an image may still
/// not have it for `platform`, or refuse to give it for a while.
fn pull(
    engine: &Engine,
    image: BaseImage,
    platform: &Platform,
) -> Result<Result<BaseImage, Unknown>, EngineError> {
    if !engine.sees_local_images()? {
        // The builder pulls it into its own store.
        return Ok(Ok(image));
    }
    let reference = &image.reference;
    let wanted = platform.to_string();
    let args = ["pull", "--quiet", "--platform", &wanted, "--", reference];
    let failed = |said: &str| format!("pulling `{reference}` for {platform} failed: {said}");
    let unknown = match engine.query_again(&engine.client.step(args).timeout(PULL_LIMIT)) {
        Ok(_) => match local::architecture(engine, reference)? {
            // Some engines take the only image that there is, whatever it is for.
            Some(other) if other != platform.engine_arch() => {
                Unknown::Refused(format!("the image is for {other}"))
            }
            _ => return Ok(Ok(image)),
        },
        Err(
            EngineError::Client { said, .. } | EngineError::Gone(UserError { message: said, .. }),
        ) => match registry::told(&said) {
            Unknown::Refused(said) => Unknown::Refused(failed(&said)),
            Unknown::Silent(said) => Unknown::Silent(failed(&said)),
        },
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Unknown::Silent(failed(&format!("no end within {} s", PULL_LIMIT.as_secs())))
        }
        Err(error) => return Err(error),
    };
    Ok(Err(unknown))
}

#[cfg(test)]
#[path = "base_tests.rs"]
mod tests;
