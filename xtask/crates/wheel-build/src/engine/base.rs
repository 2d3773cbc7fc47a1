//! The base image of a target: already in the engine, pulled by digest, or made from the
//! distribution's packages. All other code treats the three alike.

use std::time::Duration;
use wheel_audit::UserError;

use camino::Utf8Path;

pub(crate) use super::image::{BaseImage, Origin};
use super::local::{self, by_digest};
use super::registry::{self, Unknown};
use super::{Engine, EngineError};
use super::{bootstrap, layout};
use crate::config::{Platform, Target, bootstrap_line, known_system, target_lines};
use crate::exec::{ExecError, Step};

/// Maximum duration of a pull. Base images have about 30 to 100 MB.
const PULL_LIMIT: Duration = Duration::from_secs(900);
/// Maximum wait for the engine's list of images if nothing depends on it.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Where a base image may come from (`--base`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BasePolicy {
    /// Use the engine's image, pull it, or make it from packages: the first that works.
    #[default]
    Auto,
    /// Pull it from its registry, or fail.
    Pull,
    /// Make it from the distribution's packages, or fail.
    Bootstrap,
}

/// Obtains the base image of `target` for `platform`. Calls `note` before slow steps; `work` is a
/// folder of xtask.
///
/// # Errors
/// [`EngineError::Base`] with the reason why each source failed.
pub(crate) fn resolve(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    base_policy: BasePolicy,
    work: &Utf8Path,
    note: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let engine = &engine.on(platform);
    let image = find(engine, target, platform, base_policy, work, note)?;
    if image.origin == Origin::Pulled || !image.contexts.is_empty() || engine.sees_local_images()? {
        return Ok(image);
    }
    note(&format!(
        "loading {} into a builder that does not see the engine's images",
        image.reference
    ));
    let layout = layout::of_image(engine, &image.reference, &image.digest)?;
    Ok(layout.as_context(image))
}

fn find(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    base_policy: BasePolicy,
    work: &Utf8Path,
    note: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let pinned = target.digest.get(platform).map(String::as_str);
    if base_policy == BasePolicy::Auto {
        if let Some(image) = local(engine, &target.image, pinned, platform)? {
            return Ok(image);
        }
        // An earlier run made the image, so no registry request is needed. This does not apply to a pinned
        // digest, which an image made here cannot have.
        let made = bootstrap::present(engine, target, platform)?;
        if let Some(image) = made.filter(|_| pinned.is_none()) {
            return Ok(image);
        }
    }
    let mut reasons = Vec::new();
    if base_policy != BasePolicy::Bootstrap {
        match from_registry(engine, target, pinned, platform, note)? {
            Ok(image) => return Ok(image),
            Err(Unknown::Refused(answer)) => {
                return Err(refused(target, pinned, platform, &answer));
            }
            Err(Unknown::Silent(answer)) => reasons.push(format!("registry: {answer}")),
        }
    }
    if base_policy == BasePolicy::Pull {
        reasons.push("bootstrap: disabled by `--base pull`".to_owned());
    } else if target.bootstrap.is_none() {
        reasons.push(format!("bootstrap: wheels.toml has no `bootstrap` for `{}`", target.image));
    } else {
        if let Some(image) = bootstrap::present(engine, target, platform)? {
            return Ok(image);
        }
        let why = reasons.first().map(|reason| format!("{reason}; ")).unwrap_or_default();
        note(&format!("{why}making {} from its packages", target.image));
        return bootstrap::make(engine, target, platform, work, note)
            .map_err(|error| with_reasons(error, target, platform, reasons));
    }
    let hint = hint_of_missing(target, platform, base_policy);
    Err(no_image(target, platform, &reasons, &hint))
}

/// How to obtain an image that no registry returned and that is not made from packages.
fn hint_of_missing(target: &Target, platform: &Platform, base_policy: BasePolicy) -> String {
    let image = &target.image;
    let by_hand =
        format!("check the name of the image: `docker pull {image}` shows the registry's answer");
    match base_policy {
        BasePolicy::Pull if target.bootstrap.is_some() => format!(
            "{by_hand}; leave `--base pull` out to make the image from the distribution's packages"
        ),
        BasePolicy::Bootstrap => {
            let pull = "leave `--base bootstrap` out to pull the image".to_owned();
            from_packages(target, platform).map_or(pull.clone(), |add| format!("{pull}; or {add}"))
        }
        BasePolicy::Pull | BasePolicy::Auto => match from_packages(target, platform) {
            // The image exists, because the tool knows it.
            Some(add) if known_system(image).is_some() => add,
            Some(add) => format!("{by_hand}; or {add}"),
            None => by_hand,
        },
    }
}

/// The change of wheels.toml that makes an image from packages; `None` if no tool makes it.
fn from_packages(target: &Target, platform: &Platform) -> Option<String> {
    let line = bootstrap_line(&target.image, target.family)?;
    // Only a target of wheels.toml has its own platforms.
    let is_listed = !target.platforms.is_empty();
    let table = if is_listed { "its `[[target]]` in" } else { "a `[[target]]` for it in" };
    let lines = target_lines(&target.image, &platform.to_string()).filter(|_| !is_listed);
    Some(lines.filter(|lines| lines.contains(&line)).map_or_else(
        || format!("add a `bootstrap` entry to {table} wheels.toml to make the image from packages, for example `{line}`"),
        |lines| format!("add these lines to wheels.toml to make the image from packages:{lines}"),
    ))
}

/// `error` of the last source, after the `reasons` why the others failed.
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
        "run `cargo xtask doctor` to see what this machine lacks for images from packages",
    );
    reasons.push(format!("bootstrap: {}", error.to_string().replace('\n', "\n  ")));
    no_image(target, platform, &reasons, hint)
}

/// The error that lists each source with its reason.
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

/// The base image in the engine, without any registry request.
pub(crate) fn present(engine: &Engine, target: &Target, platform: &Platform) -> Option<BaseImage> {
    present_within(engine, target, platform, BasePolicy::Auto).ok().flatten()
}

/// Like [`present`], but an engine that does not answer in time is an error.
///
/// # Errors
/// If the engine does not list its images.
pub(crate) fn present_within(
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
    bootstrap::present_within(engine, target, platform, limit)
}

/// The pull of a base image, for a printed plan.
pub(crate) fn pull_step(engine: &Engine, target: &Target, platform: &Platform) -> Step {
    let image = unresolved(target, platform).reference;
    engine.client.on(platform).step(["pull", "--platform", &platform.to_string(), "--", &image])
}

/// The name of the base image in a printed plan, before any request.
pub(crate) fn unresolved(target: &Target, platform: &Platform) -> BaseImage {
    let digest = target.digest.get(platform);
    let reference =
        digest.map_or_else(|| target.image.clone(), |digest| by_digest(&target.image, digest));
    let digest = digest.cloned().unwrap_or_else(|| "unpinned".to_owned());
    BaseImage::new(reference, digest, Origin::Pulled)
}

fn refused(
    target: &Target,
    pinned: Option<&str>,
    platform: &Platform,
    answer: &str,
) -> EngineError {
    let image = &target.image;
    EngineError::Base(match pinned {
        None => UserError::new(format!("the registry has no image `{image}` for {platform}: {answer}"))
            .hint(format!(
                "check the name, and whether the image is published for {platform}; for a private \
                 registry, run `docker login`"
            )),
        Some(digest) => UserError::new(format!(
            "the registry has no `{image}` with the pinned digest `{digest}` for {platform}: {answer}"
        ))
        .hint(format!(
                "correct `digest.\"{platform}\"` of target `{}` in wheels.toml, or remove it to follow \
                 the tag",
            target.name
        )),
    })
}

/// The image in the engine, if there is an engine here.
fn local(
    engine: &Engine,
    image: &str,
    pinned: Option<&str>,
    platform: &Platform,
) -> Result<Option<BaseImage>, EngineError> {
    match local::find(engine, image, pinned, platform, None) {
        // A remote builder needs no local engine. Without an engine there is no local image either.
        Err(EngineError::Gone(_)) if !engine.sees_local_images()? => Ok(None),
        found => found,
    }
}

/// The image from its registry, or the registry's answer.
fn from_registry(
    engine: &Engine,
    target: &Target,
    pinned: Option<&str>,
    platform: &Platform,
    note: &mut dyn FnMut(&str),
) -> Result<Result<BaseImage, Unknown>, EngineError> {
    let image = &target.image;
    if !engine.client.tool.has_builders() {
        note(&format!("pulling {image} ({platform})"));
        return pull_without_request(engine, target, pinned, platform);
    }
    let reference = pinned.map_or_else(|| image.clone(), |digest| by_digest(image, digest));
    let published = match registry::named(engine, &reference)? {
        Ok(published) => published,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let manifest = published.platforms.get(platform);
    if manifest.is_none() && !published.platforms.is_empty() {
        let others: Vec<_> = published.platforms.keys().map(ToString::to_string).collect();
        let answer = format!("its index has {} only", others.join(", "));
        return Ok(Err(Unknown::Refused(answer)));
    }
    note(&format!("pulling {image} ({platform})"));
    // Without an index there is only one image.
    let manifest = manifest.unwrap_or(&published.digest);
    local::remember(engine, image, &published.digest, platform, manifest)?;
    let name = by_digest(image, manifest);
    pull(engine, BaseImage::new(name, published.digest, Origin::Pulled), platform)
}

/// Pulls without a registry request, with a program that cannot make one; returns the registry's answer if the
/// pull fails. Without a pinned digest this creates a tag. It only happens if the engine has no tag of
/// that name, or if the user requested a pull.
fn pull_without_request(
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
                let message =
                    format!("`{reference}` is an image of another platform than {platform}");
                let hint =
                    "correct `digest` of the target in wheels.toml: `cargo xtask pin` writes it";
                EngineError::Base(UserError::new(message).hint(hint))
            })?;
            Ok(Ok(BaseImage { origin: Origin::Pulled, ..image }))
        }
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Ok(Err(Unknown::Silent(format!("no answer within {} s", PULL_LIMIT.as_secs()))))
        }
        Err(EngineError::Client { message, .. } | EngineError::Gone(UserError { message, .. })) => {
            Ok(Err(registry::interpret(&message)))
        }
        Err(error) => Err(error),
    }
}

/// Pulls by digest, so that no tag of the user is created or moved. A registry that lists an image may lack it
/// for `platform`, or temporarily refuse the download.
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
    let failed = |answer: &str| format!("pulling `{reference}` for {platform} failed: {answer}");
    let unknown = match engine.query_again(&engine.client.step(args).timeout(PULL_LIMIT)) {
        Ok(_) => match local::architecture(engine, reference)? {
            // Some engines accept the only available image, whatever its architecture.
            Some(other) if other != platform.engine_arch() => {
                Unknown::Refused(format!("the image is for {other}"))
            }
            _ => return Ok(Ok(image)),
        },
        Err(EngineError::Client { message, .. } | EngineError::Gone(UserError { message, .. })) => {
            match registry::interpret(&message) {
                Unknown::Refused(answer) => Unknown::Refused(failed(&answer)),
                Unknown::Silent(answer) => Unknown::Silent(failed(&answer)),
            }
        }
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Unknown::Silent(failed(&format!("not finished within {} s", PULL_LIMIT.as_secs())))
        }
        Err(error) => return Err(error),
    };
    Ok(Err(unknown))
}

#[cfg(test)]
#[path = "base_tests.rs"]
mod tests;
