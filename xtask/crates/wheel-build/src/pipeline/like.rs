//! `[check] like`: compares each built wheel with the published wheel that an installer would choose on the same
//! system.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use wheel_audit::UserError;
use wheel_audit::audit::{Audit, newest_installable};
use wheel_audit::policy::Libc;
use wheel_audit::text::shown;
use wheel_audit::wheel::WheelName;

use super::env::PipelineError;
use super::job_run::JobRun;
use super::published::{self, in_folder};
use super::{calls, export};
use crate::config::Like;
use crate::live::Stage;

/// Adds the differences to the published wheel to `audit` of the wheel at `path`.
pub(super) fn compare(
    run: &JobRun<'_>,
    audit: &mut Audit,
    path: &Utf8Path,
    libc: Libc,
) -> Result<(), PipelineError> {
    let JobRun { ctx, job, .. } = run;
    let Some(like) = &ctx.config.check.like else { return Ok(()) };
    let file = path.file_name().unwrap_or_default();
    let (published, origin) = match like {
        Like::Index => (from_index(run, file)?, "the index".to_owned()),
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
        run.watch.note(&format!("{}: not compared: {reason}", job.title()));
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
fn from_index(run: &JobRun<'_>, file: &str) -> Result<Option<Utf8PathBuf>, PipelineError> {
    let JobRun { ctx, job, base, workspace, log, watch } = run;
    let wrong = |message: String| PipelineError::Wrong(UserError::new(message));
    let project = WheelName::parse(file).map_err(|error| wrong(error.to_string()))?.distribution;
    let (output, title) = (workspace.fresh("published")?, job.title());
    watch.stage(&title, Stage::Compare);
    let bake = calls::published(ctx, job, base, (&project, published::today()), &output);
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
