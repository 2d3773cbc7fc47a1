//! The run of `wheels` for a lock file.

use std::sync::Mutex;

use super::{Workspace, pin};
use crate::config::Config;
use crate::lock::{Environment, LockFile};

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
