//! `reproduce`: builds each wheel twice, without caches and in different circumstances, and compares the results to
//! the byte.
//!
//! The second build runs `scripts/vary.sh`. What is varied is in [`VARIED`]; both builds have the fixed environment of
//! `scripts/build-env.sh`, which has to stand between the circumstances and the wheel.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheel_audit::UserError;
use wheel_audit::compare::{Builds, Comparison, compare};
use wheel_audit::dist::{Entry, Reproduced};

use super::accelerate::NativeImage;
use super::env::{Context, PipelineError};
use super::job::{self, Proved};
use super::outcome::{Failure, failure};
use super::source::PreparedSource;
use super::work::Workspace;
use super::{base_images, like, repair};
use crate::engine::bake::{Bake, NoCache};
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::engine::cache::Cached;
use crate::live::{Stage, Watch};
use crate::plan::{Job, Plan};

/// The steps that fetch for the package or run its code: made anew for each build.
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
/// Host names of both builds: `BuildKit`'s, and that of `scripts/vary.sh`.
const HOSTS: [&str; 2] = ["buildkitsandbox", "xtask-varied-host"];
/// Starts the names of `vary.sh` and `vary.c` in `scripts/`, which the varied build gets.
const VARY: &str = "vary.";
/// What the second build varies everywhere.
const VARIED: [&str; 5] = ["locale", "time zone", "umask", "cores", "workspace path"];
/// What it varies in addition unless native programs help an emulated build.
const VARIED_BY_SHIM: [&str; 3] = ["clock", "host name", "order of directory entries"];

/// What each wheel is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Against {
    /// A second build.
    Itself,
    /// A wheel, or a folder with wheels, that somebody else built.
    Other(Utf8PathBuf),
}

/// How one job ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub(crate) enum Verdict {
    /// The wheels are the same to the byte.
    Identical {
        /// The file's name.
        file: String,
        /// Its SHA-256.
        sha256: String,
    },
    /// They differ.
    Different {
        /// What was compared.
        of: &'static str,
        /// How they differ.
        #[serde(flatten)]
        comparison: Comparison,
    },
    /// One of them was not built.
    Failed(Failure),
}

/// One job's part of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reproduction {
    /// Target name.
    pub target: String,
    /// Platform in the engine's words.
    pub platform: String,
    /// Interpreter tag.
    pub interpreter: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// What the second build varied; nothing where there was none.
    pub varied: Vec<&'static str>,
    /// Whether the wheel in `dist/` is the one that was compared.
    pub in_dist: bool,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Reproduces the jobs of `plan`, one after the other. `done` is the wheel of each in `dist/`, if it is the one that
/// would be built now.
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

/// The verdict in one word.
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
            // Certificates would have expired.
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

    /// Compares the wheel in `dist/`, or a new one where it has none, with that at `place`.
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

    /// The base image, as a build has it.
    fn base(&self) -> Result<BaseImage, PipelineError> {
        let (ctx, job, base_policy) = (self.ctx, self.job, self.base_policy);
        let mut say = |text: &str| self.watch.note(&format!("{}: {text}", job.folder()));
        let images = ctx.work.join("base").join(job.folder());
        let base =
            base::resolve(ctx.engine, &job.target, &job.platform, base_policy, &images, &mut say)?;
        let (engine, accelerate, work) = (ctx.engine, &ctx.accelerate, ctx.work.as_path());
        let native_image = NativeImage { engine, accelerate, base_policy, work };
        Ok(native_image.onto(&job.target, &job.platform, base, &mut say))
    }

    /// Builds the wheel and gives it its final name; `varied` in other circumstances.
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
        let place = like::Place { ctx, job, base: &base, workspace: &workspace, log, watch };
        let built = job::build(&place, prebuilt.as_ref(), &adjust)?;
        let info = job::build_info(&workspace, job)?;
        let raw = job::pick_wheel(&workspace, &built, job)?;
        watch.stage(&title, Stage::Audit);
        let by = repair::Builder { interpreter: None, base: resolved };
        let Proved { path, .. } = job::audited(&place, by, &info, &raw)?;
        Ok(path)
    }
}

fn verdict(
    of: &'static str,
    first: &Utf8Path,
    second: &Utf8Path,
) -> Result<Verdict, PipelineError> {
    let comparison = compare(first, second, Builds { hosts: HOSTS }).map_err(|error| {
        let hint = "`cargo xtask verify` says what is wrong with a wheel";
        PipelineError::Wrong(UserError::new(error.to_string()).hint(hint))
    })?;
    Ok(if comparison.identical {
        let file = first.file_name().unwrap_or_default().to_owned();
        Verdict::Identical { file, sha256: comparison.first.sha256 }
    } else {
        Verdict::Different { of, comparison }
    })
}

/// A copy of the packed source in another folder: where it lies must not reach the wheel.
fn copied(folder: &Utf8Path) -> std::io::Result<tempfile::TempDir> {
    let copy = tempfile::Builder::new().prefix("xtask-elsewhere-").tempdir()?;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        fs_err::copy(entry.path(), copy.path().join(entry.file_name()))?;
    }
    Ok(copy)
}
