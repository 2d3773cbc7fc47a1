//! What is to be done: targets × platforms × interpreters, each with a key. Pure.
//!
//! A job's keys are hashes of everything it was asked to be built from, so that "is this done
//! already" is a comparison of two strings. They are made from what was declared (image, pinned
//! digest, source hash, build files, settings), never from what an engine would have to be
//! asked for.

mod key;
mod matrix;
mod recipe;
mod request;

pub(crate) use key::{Inputs, smoke_inputs};
pub(crate) use matrix::{MatrixEntry, matrix, no_runner};
pub(crate) use recipe::recipe;
pub(crate) use request::{Request, parse_words};

use serde::Serialize;

use crate::config::{Config, JobSettings, Platform, Target, build_identifier};
use crate::lock::Locked;
use wheel_audit::wheel::Interpreter;

/// One wheel to be made: a target, a platform, an interpreter.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The system it is built in.
    pub target: Target,
    /// The platform it is built for.
    pub platform: Platform,
    /// The interpreter it is built for.
    pub interpreter: Interpreter,
    /// What it is built, repaired and tested with.
    pub settings: JobSettings,
    /// What the lock file has for it.
    pub locked: Locked,
    /// Hash of all that goes into the build.
    pub build_key: String,
    /// Hash of what builds and repairs the wheel, without the interpreter: jobs with the same one may share it.
    pub shared_key: String,
    /// Hash of the build key and of what the wheel has to prove.
    pub key: String,
}

impl Job {
    /// What people read: `debian12-amd64 cp311`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.folder(), self.interpreter)
    }

    /// Its build identifier: `cp311-debian12_x86_64`.
    pub(crate) fn identifier(&self) -> String {
        build_identifier(self.interpreter, &self.target, &self.platform)
    }

    /// The folder of its target below `dist/`.
    pub(crate) fn folder(&self) -> String {
        self.target.folder(&self.platform)
    }

    /// A word for file names and cache scopes, different for every job of a plan.
    pub(crate) fn slug(&self) -> String {
        format!("{}-{}", self.folder(), self.interpreter)
    }
}

/// The jobs of one run, in the order they are reported.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The jobs: targets in the order they were named, then platforms, then interpreters.
    pub jobs: Vec<Job>,
}

/// A plan as programs read it (`--dry-run --json`).
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    /// Version of this shape.
    pub schema_version: u32,
    /// The jobs.
    pub jobs: Vec<JobView>,
}

/// One job as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct JobView {
    /// Build identifier: `cp311-debian12_x86_64`.
    pub identifier: String,
    /// Target name.
    pub target: String,
    /// Image reference.
    pub image: String,
    /// Platform in the engine's words.
    pub platform: String,
    /// Interpreter tag.
    pub interpreter: String,
    /// Folder below `dist/`.
    pub folder: String,
    /// The job's key.
    pub key: String,
    /// Whether the lock file has an entry for it.
    pub locked: bool,
    /// What it is built, repaired and tested with.
    pub settings: JobSettings,
}

impl Plan {
    /// The plan as programs read it.
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

/// Makes the plan for `request`.
pub(crate) fn plan(config: &Config, request: &Request, inputs: &Inputs) -> Plan {
    let jobs = request.places().map(|(target, platform, interpreter)| {
        job(config, request, inputs, (target, platform), interpreter)
    });
    Plan { jobs: jobs.filter(|job| request.selects(&job.identifier())).collect() }
}

/// The patterns of `[[override]]` that match neither a job of `plan` nor one of the configuration.
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
