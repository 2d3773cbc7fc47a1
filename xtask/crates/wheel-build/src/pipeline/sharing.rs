//! One wheel for several interpreters: the lowest interpreter builds it. Others that can install it (`abi3`, `abi3t`,
//! pure Python) test it, each in its own clean container.
//!
//! A job shares only with jobs of the same target, platform and build settings ([`Job::shared_key`]). It waits for
//! the build step of the lowest interpreter if a shareable wheel is expected; otherwise it uses what exists when it
//! starts. Without a wheel to share, it builds its own.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use wheel_audit::dist::{Entry, Manifest};
use wheel_audit::wheel::{Interpreter, Tag, WheelName};

use super::env::{Context, PipelineError};
use super::survey::made_in;
use super::work::{Built, Workspace};
use crate::config::{Config, Source};
use crate::engine::base::BaseImage;
use crate::live::Watch;
use crate::plan::{Job, Plan};

/// Files of a package that configure the compilation of its extensions.
const BUILD_FILES: [&str; 6] =
    ["pyproject.toml", "setup.py", "setup.cfg", "Cargo.toml", "meson.build", "CMakeLists.txt"];
/// Words that select the stable ABI in setuptools, `PyO3`, meson-python and scikit-build-core, in lower case.
const STABLE_WORDS: [&str; 4] = ["abi3", "limited_api", "limited-api", "py-api"];
/// Maximum size of a build file that is searched for these words, in bytes.
const MAX_BUILD_FILE: u64 = 1 << 20;

/// Jobs that may build for others, by their indexes in the plan.
#[derive(Debug)]
pub(super) struct Sharing {
    jobs: Vec<Peers>,
}

/// The jobs that a job may share a wheel with.
#[derive(Debug, Default)]
struct Peers {
    /// Jobs that build for it, the most likely first.
    leads: Vec<usize>,
    /// Lower interpreters of its kind, lowest first. One of them replaces a lead that fails.
    fallbacks: Vec<usize>,
    /// All of them, including leads.
    all: Vec<usize>,
}

impl Sharing {
    pub(super) fn of(plan: &Plan) -> Self {
        let jobs = plan.jobs.iter().enumerate();
        Self { jobs: jobs.map(|(index, job)| peers(plan, index, job)).collect() }
    }

    /// Jobs that build for others.
    pub(super) fn leads(&self) -> BTreeSet<usize> {
        self.jobs.iter().flat_map(|peers| peers.leads.iter().copied()).collect()
    }

    /// The job whose wheel `index` tests if possible.
    pub(super) fn first_lead(&self, index: usize) -> Option<usize> {
        self.jobs[index].leads.first().copied()
    }
}

/// For each of the `open` jobs that waits for another: the first job whose wheel probably serves it.
pub(super) fn awaited(
    ctx: &Context<'_>,
    plan: &Plan,
    sharing: &Sharing,
    open: &BTreeSet<usize>,
) -> Result<BTreeMap<usize, usize>, PipelineError> {
    if open.iter().all(|&index| sharing.jobs[index].leads.is_empty()) {
        return Ok(BTreeMap::new());
    }
    let manifest = &ctx.store.manifest()?;
    let forecast = Forecast { manifest, is_stable: is_stable(ctx.config, &ctx.engine.root) };
    let awaited = |&index: &usize| {
        let expects = |lead: usize| {
            open.contains(&lead) && forecast.expects(&plan.jobs[lead], &plan.jobs[index])
        };
        let mut leads = sharing.jobs[index].leads.iter().copied();
        leads.find(|&lead| expects(lead)).map(|lead| (index, lead))
    };
    Ok(open.iter().filter_map(awaited).collect())
}

fn peers(plan: &Plan, index: usize, job: &Job) -> Peers {
    let is_peer =
        |other: &Job| other.shared_key == job.shared_key && other.folder() == job.folder();
    let others = || plan.jobs.iter().enumerate().filter(|(_, other)| is_peer(other));
    let lowest = |of: (String, bool)| {
        let like = others().filter(|(_, other)| kind(other.interpreter) == of);
        like.min_by_key(|(_, other)| other.interpreter.python_version()).map(|(at, _)| at)
    };
    // CPython also builds pure wheels, and `abi3.abi3t` ones.
    let candidates = [lowest(kind(job.interpreter)), lowest(("cp".to_owned(), false))];
    let mut leads: Vec<usize> = candidates.into_iter().flatten().collect();
    leads.dedup();
    // The lowest CPython builds for itself.
    let own = leads.iter().position(|&lead| lead == index);
    if kind(job.interpreter) == ("cp".to_owned(), false) && own.is_some() {
        leads.clear();
    }
    leads.retain(|&lead| lead != index);
    let version = |interpreter: Interpreter| interpreter.python_version();
    let is_lower = |other: &Job| {
        kind(other.interpreter) == kind(job.interpreter)
            && version(other.interpreter) < version(job.interpreter)
    };
    let lower = others().filter(|(at, other)| !leads.contains(at) && is_lower(other));
    let mut lower: Vec<_> = lower.map(|(at, other)| (version(other.interpreter), at)).collect();
    lower.sort_unstable();
    let fallbacks = lower.into_iter().map(|(_, at)| at).collect();
    let all = others().map(|(at, _)| at).filter(|&at| at != index).collect();
    Peers { leads, fallbacks, all }
}

/// Implementation, and whether it is free-threaded.
fn kind(interpreter: Interpreter) -> (String, bool) {
    let name = interpreter.python_tag();
    let name = name.trim_end_matches(|each: char| each.is_ascii_digit());
    (name.to_owned(), interpreter.is_free_threaded())
}

/// Knowledge about wheels before a build.
struct Forecast<'a> {
    /// Wheels of the last run.
    manifest: &'a Manifest,
    /// True if the source selects the stable ABI.
    is_stable: bool,
}

impl Forecast<'_> {
    /// Returns whether `lead` probably builds a wheel that serves `job`: as in the last run, else according to source and
    /// settings.
    fn expects(&self, lead: &Job, job: &Job) -> bool {
        let (platform, interpreter) = (job.platform.to_string(), lead.interpreter.to_string());
        if let Some(last) = self.manifest.wheel(&job.target.name, &platform, &interpreter) {
            return serves(&last.path, job.interpreter);
        }
        let build = &job.settings.build;
        let settings = serde_json::to_string(&(&build.config_settings, &build.env));
        let is_requested = self.is_stable || settings.is_ok_and(|text| selects_stable(&text));
        let (name, is_free_threaded) = kind(lead.interpreter);
        let has_stable =
            name == "cp" && (!is_free_threaded || lead.interpreter.python_version() >= (3, 15));
        is_requested && has_stable && kind(lead.interpreter) == kind(job.interpreter)
    }
}

/// Returns whether the package's own files select the stable ABI. Unknown for a source archive of the index before it is
/// fetched.
fn is_stable(config: &Config, root: &Utf8Path) -> bool {
    let Source::Path(source) = &config.source else { return false };
    let folder = root.join(&source.path).join(&source.package);
    BUILD_FILES.iter().any(|name| {
        let path = folder.join(name);
        let is_small = path.metadata().is_ok_and(|facts| facts.len() <= MAX_BUILD_FILE);
        is_small && fs_err::read_to_string(path).is_ok_and(|text| selects_stable(&text))
    })
}

fn selects_stable(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    STABLE_WORDS.iter().any(|word| text.contains(word))
}

/// Returns whether `interpreter` can install the wheel with this file name.
fn serves(file: &str, interpreter: Interpreter) -> bool {
    let name = WheelName::parse(file.rsplit('/').next().unwrap_or_default());
    name.is_ok_and(|name| name.tags.expand().iter().any(|tag| interpreter.accepts(tag)))
}

/// Returns whether the wheel with this file name serves several versions of Python.
fn is_shareable(file: &str) -> bool {
    let several = |tag: &Tag| tag.is_stable() || tag.lowest_interpreter().is_none();
    WheelName::parse(file).is_ok_and(|name| name.tags.expand().iter().any(several))
}

/// A job that may have a wheel for another job.
pub(super) struct Peer<'a> {
    pub(super) index: usize,
    pub(super) job: &'a Job,
    /// Its wheel in `dist/`, if it is up to date.
    pub(super) done: Option<&'a Entry>,
}

/// Progress of the jobs of a run.
pub(super) trait Progress {
    /// Returns whether the build step of the job at `index` has ended in this run.
    fn is_built(&self, index: usize) -> bool;
    /// Waits while the job is in its build step.
    fn wait_while_building(&self, index: usize);
}

/// The jobs that a job may take its wheel from.
pub(super) struct Shared<'a> {
    pub(super) leads: Vec<Peer<'a>>,
    pub(super) all: Vec<Peer<'a>>,
    pub(super) progress: &'a (dyn Progress + Sync),
}

impl<'a> Shared<'a> {
    pub(super) fn of(
        sharing: &Sharing,
        plan: &'a Plan,
        done: &'a [Option<Entry>],
        index: usize,
        progress: &'a (dyn Progress + Sync),
    ) -> Self {
        let peer = |&at: &usize| Peer { index: at, job: &plan.jobs[at], done: done[at].as_ref() };
        let Peers { leads, fallbacks, all } = &sharing.jobs[index];
        Self {
            leads: leads.iter().chain(fallbacks).map(peer).collect(),
            all: all.iter().map(peer).collect(),
            progress,
        }
    }

    /// The wheel to test for `job`: another job's, that of an earlier run, or the result of `build`.
    pub(super) fn built(
        &self,
        ctx: &Context<'_>,
        (job, base): (&Job, &BaseImage),
        workspace: &Workspace,
        watch: &dyn Watch,
        build: impl FnOnce() -> Result<Built, PipelineError>,
    ) -> Result<Built, PipelineError> {
        let title = job.title();
        if let Some(built) = self.taken(ctx, job, base, workspace)? {
            note(watch, &title, &built);
            return Ok(built);
        }
        let earlier = workspace.built(&job.build_key, &base.digest).filter(|_| !ctx.force);
        if let Some(built) = earlier.filter(|built| !self.is_from_peer(built)) {
            watch.note(&format!("{title}: using the wheel that an earlier run built"));
            return Ok(built);
        }
        let built = build()?;
        // Unexpectedly, both jobs built a shareable wheel at the same time. Both must test the same one.
        if built.wheels().any(is_shareable) {
            for lead in &self.leads {
                self.progress.wait_while_building(lead.index);
            }
            if let Some(taken) = self.taken(ctx, job, base, workspace)? {
                note(watch, &title, &taken);
                return Ok(taken);
            }
        }
        Ok(built)
    }

    /// Returns whether `built` comes from a job of this run that has another wheel now, or none.
    fn is_from_peer(&self, built: &Built) -> bool {
        let by = built.by.as_deref();
        by.is_some_and(|by| self.all.iter().any(|peer| peer.job.interpreter.to_string() == by))
    }

    /// The wheel of another job that serves `job`, copied to `workspace`.
    fn taken(
        &self,
        ctx: &Context<'_>,
        job: &Job,
        base: &BaseImage,
        workspace: &Workspace,
    ) -> Result<Option<Built>, PipelineError> {
        for peer in &self.all {
            let Some(entry) = peer.done else { continue };
            if serves(&entry.path, job.interpreter) && made_in(entry, peer.job, base) {
                let dist = ctx.store.dist();
                let info = dist.join(peer.job.folder()).join("build-info.json");
                let by = peer.job.interpreter.to_string();
                let by = entry.build(&by).and_then(|build| build.built_by.clone()).unwrap_or(by);
                let files = [dist.join(&entry.path), info];
                return Ok(Some(workspace.take(&files, &job.build_key, base, by)?));
            }
        }
        for lead in &self.leads {
            // A wheel of an earlier run is valid unless this run builds another one.
            if ctx.force && !self.progress.is_built(lead.index) {
                continue;
            }
            let theirs = Workspace::new(&ctx.work, lead.job)?;
            let Some(built) = theirs.built(&lead.job.build_key, &base.digest) else { continue };
            if built.wheels().any(|file| serves(file, job.interpreter)) {
                let folder = theirs.built_folder();
                let files: Vec<_> = built.files.iter().map(|(name, _)| folder.join(name)).collect();
                let by = built.by.unwrap_or_else(|| lead.job.interpreter.to_string());
                return Ok(Some(workspace.take(&files, &job.build_key, base, by)?));
            }
        }
        Ok(None)
    }
}

fn note(watch: &dyn Watch, title: &str, built: &Built) {
    if let Some(by) = &built.by {
        watch.note(&format!("{title}: tests the wheel that {by} built"));
    }
}

#[cfg(test)]
mod tests;
