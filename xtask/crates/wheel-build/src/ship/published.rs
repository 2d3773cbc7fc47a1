//! The published wheels: those of published targets, each file name once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use camino::{Utf8Path, Utf8PathBuf};

use crate::config::{Config, Platform};
use crate::store::Store;
use wheel_audit::UserError;
use wheel_audit::digest;
use wheel_audit::dist::{Entry, Kind, Known, Manifest, Smoke};
use wheel_audit::files;
use wheel_audit::policy::Libc;
use wheel_audit::text::shown;
use wheel_audit::wheel::WheelName;

/// A published wheel.
#[derive(Debug, Clone)]
pub(crate) struct Wheel {
    /// Its entry in the manifest.
    pub entry: Entry,
    /// Its parsed file name.
    pub name: WheelName,
    pub target: String,
    pub platform: Platform,
    /// C library of the target, if wheels.toml names it.
    pub libc: Option<Libc>,
}

impl Wheel {
    /// Its file name.
    pub(crate) fn file(&self) -> &str {
        self.entry.path.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &str {
        self.entry.path.split('/').next().unwrap_or_default()
    }

    /// Returns whether the smoke test of a build was skipped.
    pub(crate) fn is_untested(&self) -> bool {
        self.entry.builds().iter().any(|build| build.smoke == Smoke::Skipped)
    }
}

fn damaged(path: &str, message: &str) -> UserError {
    UserError::new(format!("`{}` in `dist/`: {message}", shown(path)))
        .hint("`cargo xtask verify` lists all problems; rebuild or collect again")
}

/// Checks all of `dist/` against its manifest and returns the published wheels, by target in the order of
/// wheels.toml, then by name.
///
/// # Errors
/// If `dist/` cannot be published, or a file cannot be read or written.
pub(crate) fn wheels(config: &Config, store: &Store) -> anyhow::Result<Vec<Wheel>> {
    if let Some(problem) = wheel_audit::dist::check(store.dist(), &Known::new()).into_iter().next()
    {
        return Err(damaged(&problem.path, &problem.message).into());
    }
    select(config, &store.manifest()?)
}

/// The published wheels of a manifest.
///
/// # Errors
/// If `dist/` cannot be published, or a file cannot be read or written.
pub(crate) fn select(config: &Config, manifest: &Manifest) -> anyhow::Result<Vec<Wheel>> {
    let unpublished = config.unpublished_folders();
    let mut wheels = Vec::new();
    for entry in &manifest.files {
        if let Kind::Wheel { target, platform, .. } = &entry.kind {
            let wheel = wheel(config, entry, target, platform);
            let wheel = wheel.ok_or_else(|| {
                UserError::new(format!(
                    "`{}` in the manifest is not a wheel of a build",
                    shown(&entry.path)
                ))
            })?;
            if !unpublished.contains(wheel.folder()) {
                wheels.push(wheel);
            }
        }
    }
    let order: Vec<&str> = config.targets.iter().map(|target| target.name.as_str()).collect();
    let place = |wheel: &Wheel| order.iter().position(|name| *name == wheel.target);
    wheels.sort_by_cached_key(|wheel| {
        (place(wheel).unwrap_or(usize::MAX), wheel.platform.clone(), wheel.file().to_owned())
    });
    let mut names: BTreeMap<String, &Wheel> = BTreeMap::new();
    let mut repeated = BTreeSet::new();
    for wheel in &wheels {
        match names.get(wheel.file()) {
            Some(other) if other.entry.sha256 != wheel.entry.sha256 => {
                let (one, other) = (other.entry.path.clone(), wheel.entry.path.clone());
                bail!(
                    UserError::new(format!(
                        "`{one}` and `{other}` have the same name but other bytes"
                    ))
                    .hint(
                        "an index accepts each file name once: list only one of these targets in \
                         `[publish] targets`"
                    )
                );
            }
            Some(_) => {
                repeated.insert(wheel.entry.path.clone());
            }
            None => {
                names.insert(wheel.file().to_owned(), wheel);
            }
        }
    }
    wheels.retain(|wheel| !repeated.contains(&wheel.entry.path));
    if !wheels.is_empty() {
        return Ok(wheels);
    }
    let is_wheel = |entry: &Entry| matches!(entry.kind, Kind::Wheel { .. });
    let any = manifest.files.iter().any(is_wheel);
    Err(if any {
        UserError::new("`dist/` has no wheel of a published target")
            .hint("`[publish] targets` in wheels.toml lists the published targets")
    } else {
        UserError::new("`dist/` has no wheels").hint("run `cargo xtask wheels TARGET`")
    }
    .into())
}

fn wheel(config: &Config, entry: &Entry, target: &str, platform: &str) -> Option<Wheel> {
    let (folder, file) = entry.path.split_once('/')?;
    let (name, platform) = (WheelName::parse(file).ok()?, platform.parse::<Platform>().ok()?);
    if folder != format!("{target}-{}", platform.engine_arch()) {
        return None;
    }
    let known = config.targets.iter().find(|each| each.name == target);
    let (entry, target) = (entry.clone(), target.to_owned());
    Some(Wheel { entry, name, target, platform, libc: known.and_then(|target| target.libc) })
}

/// Source of a file in an output folder.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A copy of a file with this digest.
    Copy { from: Utf8PathBuf, sha256: String },
    /// Text.
    Text(String),
}

/// Writes `files` to `folder`, by their names relative to it. Rejects a folder with other files, because they would
/// be published too.
///
/// # Errors
/// If `dist/` cannot be published, or a file cannot be read or written.
pub(crate) fn fill(folder: &Utf8Path, files: &BTreeMap<String, Content>) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = entry.map_err(std::io::Error::from)?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = path.to_string_lossy().into_owned();
        if !files.contains_key(&name) || !entry.file_type().is_file() {
            bail!(
                UserError::new(format!(
                    "`{folder}` already contains `{}`, which is not part of the output",
                    shown(&name)
                ))
                .hint("name an empty or new folder")
            );
        }
    }
    for (name, content) in files {
        let place = folder.join(name);
        let parent = place.parent().unwrap_or(folder);
        fs_err::create_dir_all(parent)?;
        let draft = parent.join(format!(".{}.part", place.file_name().unwrap_or_default()));
        match content {
            Content::Text(text) => fs_err::write(&draft, text)?,
            Content::Copy { from, sha256 } => {
                files::copy(from, &draft)?;
                if digest::of_file(&draft)? != *sha256 {
                    fs_err::remove_file(&draft)?;
                    return Err(damaged(name, "it changed during the copy").into());
                }
            }
        }
        fs_err::rename(&draft, &place)?;
    }
    Ok(())
}

/// Copies of `wheels` in one flat folder.
pub(crate) fn copies(store: &Store, wheels: &[Wheel]) -> BTreeMap<String, Content> {
    let copy = |wheel: &Wheel| {
        let from = store.dist().join(&wheel.entry.path);
        (wheel.file().to_owned(), Content::Copy { from, sha256: wheel.entry.sha256.clone() })
    };
    wheels.iter().map(copy).collect()
}
