//! `[check] like`: compares each built wheel with the published wheel that an installer would choose on the same
//! system.

use std::fmt::Display;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use wheel_audit::UserError;
use wheel_audit::audit::{Audit, Inputs, newest_installable};
use wheel_audit::policy::Libc;
use wheel_audit::text::shown;
use wheel_audit::wheel::WheelName;
use wheel_audit::{digest, files};

use super::env::{Context, PipelineError};
use super::work::Workspace;
use super::{calls, export};
use crate::config::{Config, Like};
use crate::engine::base::BaseImage;
use crate::live::{Stage, Watch};
use crate::plan::Job;

/// Inputs of a comparison.
pub(super) struct Place<'a> {
    pub(super) ctx: &'a Context<'a>,
    pub(super) job: &'a Job,
    pub(super) base: &'a BaseImage,
    pub(super) workspace: &'a Workspace,
    pub(super) log: &'a Utf8Path,
    pub(super) watch: &'a dyn Watch,
}

/// SHA-256 of the wheels in the folder of `[check] like`.
pub(super) fn published_hash(config: &Config, root: &Utf8Path) -> std::io::Result<Option<String>> {
    let Some(Like::Folder(folder)) = &config.check.like else { return Ok(None) };
    let line = |path: Utf8PathBuf| {
        Ok(format!("{} {}\n", path.file_name().unwrap_or_default(), files::sha256(&path)?))
    };
    let wheels = in_folder(root, folder)?.into_iter();
    let lines = wheels.map(line).collect::<std::io::Result<String>>()?;
    Ok(Some(digest::of_bytes(lines.as_bytes())))
}

fn in_folder(root: &Utf8Path, folder: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let rejected = |what: &dyn Display| {
        let message = format!("`like = \"{folder}\"` in `[check]` of wheels.toml: {what}");
        let hint = "put published wheels there, or set `like = \"index\"`";
        std::io::Error::other(UserError::new(message).hint(hint))
    };
    let inputs = Inputs::find(&[root.join(folder)]).map_err(|error| rejected(&error))?;
    match inputs.linked.first() {
        Some(link) => Err(rejected(&format!("`{link}` is a link; links are not followed"))),
        None => Ok(inputs.wheels),
    }
}

/// Adds the differences to the published wheel to `audit` of the wheel at `path`.
pub(super) fn compare(
    place: &Place<'_>,
    audit: &mut Audit,
    path: &Utf8Path,
    libc: Libc,
) -> Result<(), PipelineError> {
    let Place { ctx, job, .. } = place;
    let Some(like) = &ctx.config.check.like else { return Ok(()) };
    let file = path.file_name().unwrap_or_default();
    let (published, origin) = match like {
        Like::Index => (from_index(place, file)?, "the index".to_owned()),
        Like::Folder(folder) => {
            let wheels = in_folder(&ctx.engine.root, folder)?;
            let system = (libc, job.platform.arch());
            let newest = newest_installable(file, &wheels, job.interpreter, system);
            (newest, format!("`{folder}`"))
        }
    };
    if let Some(published) = published {
        audit.compare(path, &published, &ctx.settings);
    } else {
        let reason = format!(
            "{origin} has no wheel of this project for {} on {}",
            job.interpreter, job.target.image
        );
        place.watch.note(&format!("{}: not compared: {reason}", job.title()));
        audit.nothing_published(&reason, &ctx.settings);
    }
    Ok(())
}

/// Report of the container beside the wheel.
#[derive(Deserialize)]
struct Fetched {
    file: Option<String>,
}

/// The wheel that the job's interpreter installs from the index. It is untrusted.
fn from_index(place: &Place<'_>, file: &str) -> Result<Option<Utf8PathBuf>, PipelineError> {
    let Place { ctx, job, base, workspace, log, watch } = place;
    let wrong = |message: String| PipelineError::Wrong(UserError::new(message));
    let project = WheelName::parse(file).map_err(|error| wrong(error.to_string()))?.distribution;
    let (output, title) = (workspace.fresh("published")?, job.title());
    watch.stage(&title, Stage::Compare);
    let bake = calls::published(ctx, job, base, (&project, today()), &output);
    let baked = ctx.engine.bake(&bake, log, &mut |event| watch.event(&title, event));
    baked.map_err(|source| PipelineError::Like { file: file.to_owned(), source })?;
    let report = export::report(&output, "published.json")?;
    let fetched: Fetched = serde_json::from_slice(&report)
        .map_err(|error| wrong(format!("could not parse published.json: {error}")))?;
    let Some(name) = fetched.file else { return Ok(None) };
    let is_there = export::files(&output)?.iter().any(|(file, _)| *file == name);
    if !is_there || WheelName::parse(&name).is_err() {
        return Err(wrong(format!("the index returned `{}`, which is not a wheel", shown(&name))));
    }
    Ok(Some(output.join(name)))
}

/// The current day in UTC: the index is queried once a day.
pub(super) fn today() -> String {
    let mut now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.truncate("2026-01-01".len());
    now
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_linked_wheel_of_the_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let folder = root.join("published");
        fs_err::create_dir(&folder).unwrap();
        let wheel = folder.join("pkg-1.0-py3-none-any.whl");
        fs_err::write(&wheel, "").unwrap();
        assert_eq!(in_folder(&root, "published".into()).unwrap(), std::slice::from_ref(&wheel));
        std::os::unix::fs::symlink(&wheel, folder.join("pkg-2.0-py3-none-any.whl")).unwrap();
        let error = in_folder(&root, "published".into()).unwrap_err();
        assert!(error.to_string().contains("pkg-2.0"), "{error}");
    }
}
