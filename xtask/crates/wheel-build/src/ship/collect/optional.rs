//! Skips wheels with errors that a release does not require, so that they neither stop nor enter it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Skipped, errors, expectations, extension_reason, merge, text};
use crate::config::Config;
use crate::pipeline;
use crate::ship::missing::is_optional;
use wheel_audit::audit::{self, Expectations, Inputs, Settings, Severity, audit_wheels};
use wheel_audit::dist::{Entry, Manifest, Smoke};

/// Removes wheels with errors that no release requires from `manifests` of `folders`. Wheels of published targets
/// are checked by an index's rules.
///
/// # Errors
/// If `[check]` names an unknown rule.
pub(super) fn skip(
    config: &Config,
    folders: &[Utf8PathBuf],
    manifests: &mut [Manifest],
) -> anyhow::Result<Vec<Skipped>> {
    if config.ci.required.is_none() {
        return Ok(Vec::new());
    }
    let unpublished = config.unpublished_folders();
    let settings = pipeline::settings(config)?;
    let mut left_out = Vec::new();
    for (folder, manifest) in folders.iter().zip(manifests.iter_mut()) {
        manifest.files.retain(|entry| {
            // The merge rejects entries that are not wheels of a build.
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
                left_out.push(Skipped { folder, path, reasons });
            }
            stays
        });
    }
    one_name(config, folders, manifests, &mut left_out);
    together(config, folders, manifests, &settings, &mut left_out);
    Ok(left_out)
}

/// Removes optional wheels with the file name of another published wheel and other bytes: an index accepts a name
/// once. Of optional wheels alone, the first is kept.
fn one_name(
    config: &Config,
    folders: &[Utf8PathBuf],
    manifests: &mut [Manifest],
    left_out: &mut Vec<Skipped>,
) {
    let unpublished = config.unpublished_folders();
    let mut names: BTreeMap<String, (String, String)> = BTreeMap::new();
    for optional in [false, true] {
        for (folder, manifest) in folders.iter().zip(manifests.iter_mut()) {
            manifest.files.retain(|entry| {
                let Ok((home, name)) = merge::placed(entry) else { return true };
                let is_wheel = !entry.builds().is_empty() && !unpublished.contains(home);
                if !is_wheel || is_optional(config, entry) != optional {
                    return true;
                }
                let own = (entry.path.clone(), entry.sha256.clone());
                let (path, sha256) = names.entry(name.to_owned()).or_insert(own);
                // Two builds of one wheel are a conflict: it is unknown which one is meant.
                let stays = !optional || *path == entry.path || *sha256 == entry.sha256;
                if !stays {
                    let reasons = vec![format!("`{path}` has the same name but other bytes")];
                    let (folder, path) = (folder.clone(), entry.path.clone());
                    left_out.push(Skipped { folder, path, reasons });
                }
                stays
            });
        }
    }
}

/// Removes optional wheels that errors across wheels name: `collect` rejects a `dist/` with these errors. Another
/// wheel may have differed from a removed one, so the check repeats until no error names an optional wheel.
fn together(
    config: &Config,
    folders: &[Utf8PathBuf],
    manifests: &mut [Manifest],
    settings: &Settings,
    left_out: &mut Vec<Skipped>,
) {
    let is_open = |entry: &Entry| is_optional(config, entry);
    while manifests.iter().flat_map(|manifest| &manifest.files).any(is_open) {
        let pairs = folders.iter().zip(manifests.iter());
        let path = |(folder, manifest): (&Utf8PathBuf, &Manifest)| {
            let wheels = manifest.files.iter().filter(|entry| !entry.builds().is_empty());
            wheels.map(|entry| folder.join(&entry.path)).collect::<Vec<_>>()
        };
        let wheels = pairs.flat_map(path).collect();
        let requested = Some(pipeline::requested(config));
        let inputs = Inputs { wheels, requested, ..Inputs::default() };
        let found = audit::audit_inputs(&inputs, &Expectations::default(), settings, &|_| {});
        let errors: Vec<_> =
            found.findings.iter().filter(|it| it.severity == Severity::Error).collect();
        let before = left_out.len();
        for (folder, manifest) in folders.iter().zip(manifests.iter_mut()) {
            manifest.files.retain(|entry| {
                let path = folder.join(&entry.path);
                let own = errors.iter().filter(|finding| finding.path == path.as_str());
                let reasons: Vec<_> = own.map(|finding| text(finding)).collect();
                let stays = reasons.is_empty() || !is_optional(config, entry);
                if !stays {
                    let (folder, path) = (folder.clone(), entry.path.clone());
                    left_out.push(Skipped { folder, path, reasons });
                }
                stays
            });
        }
        if left_out.len() == before {
            return;
        }
    }
}

/// Reasons not to publish a wheel.
fn reasons(config: &Config, folder: &Utf8Path, entry: &Entry, settings: &Settings) -> Vec<String> {
    let native = extension_reason(config, folder, &entry.path);
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
