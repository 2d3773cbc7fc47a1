//! The run of `wheels` for a lock file.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{Workspace, pin};
use crate::config::Config;
use crate::lock::{Environment, LockFile};
use crate::plan::Job;

/// State of a run that writes a lock file.
#[derive(Debug)]
pub(super) struct Locking {
    /// Entries that keep their versions.
    pub file: LockFile,
    /// Makes the layers of this run new.
    pub stamp: String,
    /// Record of each job.
    pub recorded: Mutex<Vec<Environment>>,
}

impl Locking {
    /// The configuration with the base images that keep their digests.
    pub(super) fn config(&self, workspace: &Workspace) -> anyhow::Result<Config> {
        let mut config = workspace.config()?;
        pin(&mut config, &self.file);
        Ok(config)
    }
}

/// The command that locks `jobs` and no others.
pub(super) fn lock_command(config: &Config, jobs: &[&Job]) -> String {
    let known = |job: &Job| config.targets.iter().find(|target| target.name == job.target.name);
    let is_listed = |job: &&Job| {
        known(job).is_some_and(|target| {
            target.platforms.contains(&job.platform) && target.pythons.contains(&job.interpreter)
        })
    };
    let only = jobs.iter().map(|job| job.identifier()).collect::<Vec<_>>().join(",");
    if jobs.iter().all(is_listed) {
        return format!("cargo xtask lock --only {only}");
    }
    // The command line of the run selected the others.
    let words = |word: &dyn Fn(&Job) -> String, between: &str| {
        let words: BTreeSet<String> = jobs.iter().map(|job| word(job)).collect();
        words.into_iter().collect::<Vec<_>>().join(between)
    };
    let target = |job: &Job| known(job).map_or(&job.target.image, |known| &known.name).clone();
    let targets = words(&target, " ");
    let platforms = words(&|job| job.platform.to_string(), " ");
    let pythons = words(&|job| job.interpreter.to_string(), ",");
    format!("cargo xtask lock {targets} {platforms} --python {pythons} --only {only}")
}
