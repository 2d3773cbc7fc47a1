//! `reproduce`: builds each wheel twice, without caches and under different conditions, and compares the bytes.
//!
//! The second build runs `scripts/vary.sh`, which varies the conditions in [`VARIED`]. Both builds use the fixed
//! environment of `scripts/build-env.sh`, which must hide these conditions from the wheel.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheel_audit::UserError;
use wheel_audit::compare::{Builds, Comparison, compare};
use wheel_audit::dist::{Entry, Reproduced};

use super::accelerate::NativeImage;
use super::env::{Context, PipelineError};
use super::job::{self, AuditedWheel};
use super::job_run::JobRun;
use super::outcome::{Failure, failure};
use super::source::PreparedSource;
use super::work::Workspace;
use super::{base_images, repair};
use crate::engine::bake::{Bake, NoCache};
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::engine::cache::Cached;
use crate::live::{Stage, Watch};
use crate::plan::{Job, Plan};

/// Steps that fetch for the package or run its code. Both builds run them without cache.
const STAGES: [&str; 10] = [
    "fetch-sdist",
    "before-run",
    "before-run-online",
    "pyproject-run",
    "fetch-build",
    "fetch-crates",
    "build-environment",
    "wheel-builder",
    "wheel-builder-online",
    "repair-run",
];
/// Host names of the builds: that of `BuildKit`, and that of `scripts/vary.sh`.
const HOSTS: [&str; 2] = ["buildkitsandbox", "xtask-varied-host"];
/// Prefix of `vary.sh` and `vary.c` in `scripts/`, which only the varied build needs.
const VARY: &str = "vary.";
/// Conditions that the second build always varies.
const VARIED: [&str; 5] = ["locale", "time zone", "umask", "cores", "workspace path"];
/// Additional conditions, unless native programs help an emulated build.
const VARIED_BY_SHIM: [&str; 3] = ["clock", "host name", "order of directory entries"];

/// The other side of the comparison.
#[derive(Debug, Clone)]
pub(crate) enum Against {
    /// A second build.
    Itself,
    /// A wheel, or a folder with wheels, from another build.
    Other(Utf8PathBuf),
}

/// Result of one job.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub(crate) enum Verdict {
    /// The wheels are identical.
    Identical {
        file: String,
        /// Its SHA-256.
        sha256: String,
    },
    /// The wheels differ.
    Different {
        /// The compared wheels.
        of: &'static str,
        /// Their differences.
        #[serde(flatten)]
        comparison: Comparison,
    },
    /// A build failed.
    Failed(Failure),
}

/// One job of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reproduction {
    pub target: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    pub interpreter: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Conditions that the second build varied; empty without a second build.
    pub varied: Vec<&'static str>,
    /// True if the wheel in `dist/` was part of the comparison.
    pub in_dist: bool,
    /// Result.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Reproduces the jobs of `plan` one after the other. `done` has each job's wheel in `dist/` if it is up to date.
pub(crate) fn reproduce(
    ctx: &Context<'_>,
    plan: &Plan,
    done: &[Option<Entry>],
    (against, base_policy): (&Against, BasePolicy),
    watch: &dyn Watch,
) -> Vec<Reproduction> {
    let one = |(job, done): (&Job, &Option<Entry>)| {
        let start = Instant::now();
        let log = ctx.work.join("logs").join(format!("{}-reproduce.log", job.slug()));
        let run = Run { ctx, job, done: done.as_ref(), base_policy, log: &log, watch };
        let outcome = fs_err::create_dir_all(ctx.work.join("logs"))
            .and_then(|()| fs_err::write(&log, ""))
            .map_err(PipelineError::from)
            .and_then(|()| run.outcome(against));
        let seconds = start.elapsed().as_secs_f64();
        let (varied, in_dist, verdict) = outcome.unwrap_or_else(|error| {
            (Vec::new(), false, Verdict::Failed(failure(&error, log.clone())))
        });
        watch.ended(&job.title(), word(&verdict), seconds);
        Reproduction {
            target: job.target.name.clone(),
            platform: job.platform.to_string(),
            interpreter: job.interpreter.to_string(),
            seconds,
            varied,
            in_dist,
            verdict,
        }
    };
    plan.jobs.iter().zip(done).map(one).collect()
}

/// The verdict as a word.
pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Identical { .. } => "identical",
        Verdict::Different { .. } => "different",
        Verdict::Failed(_) => "FAILED",
    }
}

type Ended = (Vec<&'static str>, bool, Verdict);

struct Run<'a> {
    ctx: &'a Context<'a>,
    job: &'a Job,
    done: Option<&'a Entry>,
    base_policy: BasePolicy,
    log: &'a Utf8Path,
    watch: &'a dyn Watch,
}

impl Run<'_> {
    fn outcome(&self, against: &Against) -> Result<Ended, PipelineError> {
        match against {
            Against::Itself => self.twice(),
            Against::Other(place) => self.with(place),
        }
    }

    fn twice(&self) -> Result<Ended, PipelineError> {
        let base = self.base()?;
        let first = self.built(&base, false)?;
        let second = self.built(&base, true)?;
        let shim: &[_] = match base.native {
            Some(_) => &[],
            // Cached certificates would have expired.
            None if self.job.settings.build.network => &VARIED_BY_SHIM[1..],
            None => &VARIED_BY_SHIM,
        };
        let varied = [shim, &VARIED].concat();
        let verdict = verdict("two builds", &first, &second)?;
        let Some(done) = self.done else { return Ok((varied, false, verdict)) };
        let ours = self.ctx.store.dist().join(&done.path);
        let reproduced = match &verdict {
            Verdict::Identical { sha256, .. } if *sha256 == done.sha256 => Reproduced::Identical,
            _ => Reproduced::Different,
        };
        let interpreter = self.job.interpreter.to_string();
        self.ctx.store.note(&done.path, &interpreter, |build| build.reproduced = reproduced)?;
        let verdict = match verdict {
            Verdict::Identical { .. } => {
                self::verdict("the wheel in dist/ and a new build", &ours, &first)?
            }
            other => other,
        };
        Ok((varied, true, verdict))
    }

    /// Compares the wheel in `dist/`, or a new build, with the wheel at `place`.
    fn with(&self, place: &Utf8Path) -> Result<Ended, PipelineError> {
        let ours = match self.done {
            Some(done) => self.ctx.store.dist().join(&done.path),
            None => self.built(&self.base()?, false)?,
        };
        let name = ours.file_name().unwrap_or_default();
        let places = [place.to_owned(), place.join(self.job.folder()).join(name), place.join(name)];
        let Some(theirs) = places.into_iter().find(|path| path.is_file()) else {
            let message = format!("`{place}` has no `{name}`");
            let hint =
                "name a wheel, a folder with wheels, or the `dist/` folder of another machine";
            return Err(PipelineError::Wrong(UserError::new(message).hint(hint)));
        };
        Ok((
            Vec::new(),
            self.done.is_some(),
            verdict("this build and another one", &ours, &theirs)?,
        ))
    }

    /// The base image of a build.
    fn base(&self) -> Result<BaseImage, PipelineError> {
        let (ctx, job, base_policy) = (self.ctx, self.job, self.base_policy);
        let mut notify = |text: &str| self.watch.note(&format!("{}: {text}", job.folder()));
        let images = ctx.work.join("base").join(job.folder());
        let base = base::resolve(
            ctx.engine,
            &job.target,
            &job.platform,
            base_policy,
            &images,
            &mut notify,
        )?;
        let (engine, accelerate, work) = (ctx.engine, &ctx.accelerate, ctx.work.as_path());
        let native_image = NativeImage { engine, accelerate, base_policy, work };
        Ok(native_image.onto(&job.target, &job.platform, base, &mut notify))
    }

    /// Builds the wheel and renames it to its final name; `varied`: under other conditions.
    fn built(&self, resolved: &BaseImage, varied: bool) -> Result<Utf8PathBuf, PipelineError> {
        let (ctx, job, log, watch) = (self.ctx, self.job, self.log, self.watch);
        let title = job.title();
        let (base, prebuilt) = base_images::prepared(ctx, job, resolved, watch)?;
        let name = if varied { "varied" } else { "plain" };
        let workspace = Workspace::new(&ctx.work.join("reproduce").join(name), job)?;
        let elsewhere = match ctx.source {
            PreparedSource::Packed { folder, .. } if varied => Some(copied(folder)?),
            _ => None,
        };
        let adjust = |bake: &mut Bake<'_>| {
            bake.no_cache = NoCache::Stages(&STAGES);
            bake.cached = Cached::No;
            bake.args.remove("COMPILER_CACHE");
            if varied {
                bake.args.insert("VARY", VARY.to_owned());
            }
            if let Some(folder) = &elsewhere {
                let place = folder.path().to_string_lossy().into_owned();
                bake.contexts.insert("package".to_owned(), place);
            }
        };
        let run = JobRun { ctx, job, base: &base, workspace: &workspace, log, watch };
        let built = job::build(&run, prebuilt.as_ref(), &adjust)?;
        let info = job::build_info(&workspace, job)?;
        let raw = job::pick_wheel(&workspace, &built, job)?;
        watch.stage(&title, Stage::Audit);
        let by = repair::Builder { interpreter: None, base: resolved };
        let AuditedWheel { path, .. } = job::audited(&run, by, &info, &raw)?;
        Ok(path)
    }
}

fn verdict(
    of: &'static str,
    first: &Utf8Path,
    second: &Utf8Path,
) -> Result<Verdict, PipelineError> {
    let comparison = compare(first, second, Builds { hosts: HOSTS }).map_err(|error| {
        let hint = "`cargo xtask verify WHEEL` lists the problems of a wheel";
        PipelineError::Wrong(UserError::new(error.to_string()).hint(hint))
    })?;
    Ok(if comparison.identical {
        let file = first.file_name().unwrap_or_default().to_owned();
        Verdict::Identical { file, sha256: comparison.first.sha256 }
    } else {
        Verdict::Different { of, comparison }
    })
}

/// A copy of the packed source in another folder: its path must not reach the wheel.
fn copied(folder: &Utf8Path) -> std::io::Result<tempfile::TempDir> {
    let copy = tempfile::Builder::new().prefix("xtask-elsewhere-").tempdir()?;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        fs_err::copy(entry.path(), copy.path().join(entry.file_name()))?;
    }
    Ok(copy)
}
