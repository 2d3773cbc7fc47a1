//! The plan of a run: targets × platforms × interpreters, each job with its keys (pure).
//!
//! The keys of a job are hashes of all its inputs, so that two strings decide whether it is up to date. They depend
//! on declared values (image, pinned digest, source hash, build files, settings), and never on the state of an
//! engine.

mod key;
mod matrix;
mod obtainable;
mod recipe;
mod request;

pub(crate) use key::{Inputs, smoke_inputs};
pub(crate) use matrix::{MatrixEntry, matrix, no_runner};
pub(crate) use obtainable::check_obtainable;
pub(crate) use recipe::recipe;
pub(crate) use request::{Request, parse_words};

use serde::Serialize;

use crate::config::{Config, JobSettings, Platform, Target, build_identifier};
use crate::lock::Locked;
use wheel_audit::wheel::Interpreter;

/// A wheel to build: a target, a platform, an interpreter.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub target: Target,
    pub platform: Platform,
    pub interpreter: Interpreter,
    /// Settings for build, repair and tests.
    pub settings: JobSettings,
    /// Its versions in the lock file.
    pub locked: Locked,
    /// Hash of all inputs of the build.
    pub build_key: String,
    /// Hash of the inputs that build and repair the wheel, without the interpreter. Jobs with equal hashes may
    /// share a wheel.
    pub shared_key: String,
    /// Hash of the build key and the inputs of audit and tests.
    pub key: String,
}

impl Job {
    /// Title for output: `debian12-amd64 cp311`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.folder(), self.interpreter)
    }

    /// Build identifier: `cp311-debian12_x86_64`.
    pub(crate) fn identifier(&self) -> String {
        build_identifier(self.interpreter, &self.target, &self.platform)
    }

    /// Folder of its target below `dist/`.
    pub(crate) fn folder(&self) -> String {
        self.target.folder(&self.platform)
    }

    /// A word for file names and cache scopes, unique within a plan.
    pub(crate) fn slug(&self) -> String {
        format!("{}-{}", self.folder(), self.interpreter)
    }
}

/// The jobs of one run, in the order of the report.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The jobs: targets in the order of the command line, then platforms, then interpreters.
    pub jobs: Vec<Job>,
}

/// The JSON form of a plan (`--dry-run --json`).
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    /// Version of this format.
    pub schema_version: u32,
    pub jobs: Vec<JobView>,
}

/// The JSON form of a job.
#[derive(Debug, Serialize)]
pub(crate) struct JobView {
    /// Build identifier: `cp311-debian12_x86_64`.
    pub identifier: String,
    pub target: String,
    /// Image reference.
    pub image: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    pub interpreter: String,
    /// Folder below `dist/`.
    pub folder: String,
    /// Key of the job.
    pub key: String,
    /// True if the lock file has an entry for it.
    pub locked: bool,
    /// Settings for build, repair and tests.
    pub settings: JobSettings,
}

impl Plan {
    /// The JSON form of the plan.
    pub(crate) fn view(&self) -> PlanView {
        let view = |job: &Job| JobView {
            identifier: job.identifier(),
            target: job.target.name.clone(),
            image: job.target.image.clone(),
            platform: job.platform.to_string(),
            interpreter: job.interpreter.to_string(),
            folder: job.folder(),
            key: job.key.clone(),
            locked: job.locked.entry.is_some(),
            settings: job.settings.clone(),
        };
        PlanView { schema_version: 1, jobs: self.jobs.iter().map(view).collect() }
    }
}

/// Creates the plan for `request`.
pub(crate) fn plan(config: &Config, request: &Request, inputs: &Inputs) -> Plan {
    let jobs = request.places().map(|(target, platform, interpreter)| {
        job(config, request, inputs, (target, platform), interpreter)
    });
    Plan { jobs: jobs.filter(|job| request.selects(&job.identifier())).collect() }
}

/// Patterns of `[[override]]` that match neither a job of `plan` nor one of the configuration.
pub(crate) fn unused_overrides<'a>(config: &'a Config, plan: &Plan) -> Vec<&'a str> {
    let mut identifiers: Vec<String> = plan.jobs.iter().map(Job::identifier).collect();
    for target in &config.targets {
        for platform in &target.platforms {
            let all = target.pythons.iter().map(|&it| build_identifier(it, target, platform));
            identifiers.extend(all);
        }
    }
    config.job_overrides.iter().flat_map(|each| each.select.unused(&identifiers)).collect()
}

fn job(
    config: &Config,
    request: &Request,
    inputs: &Inputs,
    place: (&Target, &Platform),
    interpreter: Interpreter,
) -> Job {
    let settings = config.job_settings(interpreter, place, &inputs.passed);
    let (target, platform) = place;
    let locked = inputs.locked(&target.name, platform, interpreter);
    let own = (Some(interpreter), locked.build_hash());
    let build_key = key::build_key(config, inputs, place, own, &settings);
    let shared_key = key::shared_key(config, inputs, place, (&settings, &locked));
    let key = key::job_key(config, request, inputs, place, (&settings, &locked, &build_key));
    Job {
        target: target.clone(),
        platform: platform.clone(),
        interpreter,
        settings,
        locked,
        build_key,
        shared_key,
        key,
    }
}

#[cfg(test)]
mod tests;
