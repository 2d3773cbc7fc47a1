//! Wheels that a release does without, and that fail: they are left where they are, so that they stop
//! nothing and are published by nobody.

use camino::{Utf8Path, Utf8PathBuf};

use super::{LeftOut, calls_for_extension, errors, expectations, merge};
use crate::config::{Config, Platform};
use crate::pipeline;
use wheel_audit::audit::{Expectations, Settings, audit_wheels};
use wheel_audit::dist::{Entry, Kind, Manifest, Smoke};

/// Takes the wheels that fail and that no release needs out of `manifests`, those of `folders`. They are
/// judged as an index would if their target is published.
///
/// # Errors
/// When `[check]` names an unknown check.
pub(super) fn leave_out(
    config: &Config,
    folders: &[Utf8PathBuf],
    manifests: &mut [Manifest],
) -> anyhow::Result<Vec<LeftOut>> {
    if config.ci.required.is_none() {
        return Ok(Vec::new());
    }
    let unpublished = config.unpublished_folders();
    let settings = pipeline::settings(config)?;
    let mut left_out = Vec::new();
    for (folder, manifest) in folders.iter().zip(manifests) {
        manifest.files.retain(|entry| {
            // What is no wheel of ours is refused as a whole, later.
            let Ok((home, _)) = merge::placed(entry) else { return true };
            if !is_optional(config, entry) || merge::known(config, entry).is_err() {
                return true;
            }
            let publish = settings.publish || !unpublished.contains(home);
            let settings = Settings { publish, ..settings.clone() };
            let reasons = reasons(config, folder, entry, &settings);
            let stays = reasons.is_empty();
            if !stays {
                let (folder, path) = (folder.clone(), entry.path.clone());
                left_out.push(LeftOut { folder, path, reasons });
            }
            stays
        });
    }
    Ok(left_out)
}

/// Whether no build of the wheel is required for a release.
fn is_optional(config: &Config, entry: &Entry) -> bool {
    let Kind::Wheel { target, platform, builds, .. } = &entry.kind else { return false };
    let target = config.targets.iter().find(|each| each.name == *target);
    let (Some(target), Ok(platform)) = (target, platform.parse::<Platform>()) else { return false };
    let required = |interpreter: &str| {
        interpreter.parse().is_ok_and(|it| config.requires(it, target, &platform))
    };
    !builds.iter().any(|build| required(&build.interpreter))
}

/// Why a wheel is not published.
fn reasons(config: &Config, folder: &Utf8Path, entry: &Entry, settings: &Settings) -> Vec<String> {
    let native = calls_for_extension(config, folder, &entry.path);
    let expectations = Expectations { native, ..expectations(config, &entry.kind) };
    let job = (folder.join(&entry.path), expectations);
    let mut reasons = Vec::new();
    for result in audit_wheels(&[job], settings, &|_| {}) {
        match result {
            Ok(audit) => reasons.extend(errors(&audit)),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if settings.publish && entry.builds().iter().any(|build| build.smoke == Smoke::Skipped) {
        reasons.push("it was not smoke-tested".to_owned());
    }
    reasons
}
