//! What every job of a run shares.

use std::sync::Mutex;
use std::time::Duration;

use camino::Utf8PathBuf;
use thiserror::Error;

use crate::config::Config;
use crate::engine::host::{HostSettings, ThisHost};
use crate::engine::{Engine, EngineError};
use crate::exec::{Exec, Step};
use crate::store::{Store, StoreError};

/// What every job of a run shares.
#[derive(Debug)]
pub struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The engine.
    pub engine: &'a Engine,
    /// `dist/`.
    pub store: &'a Store,
    /// One commit at a time.
    pub committing: Mutex<()>,
    /// xtask's own folder, `target/xtask`.
    pub work: Utf8PathBuf,
    /// Where the source comes from.
    pub source: &'a super::PreparedSource,
    /// Whether cached build results may not be used.
    pub no_cache: bool,
    /// Whether finished wheels are built again.
    pub force: bool,
    /// Whether wheels are smoke-tested.
    pub smoke: bool,
}

/// Why a job gave no wheel.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// The engine could not do its part.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// `dist/` could not take the result.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of ours could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What the build left is not what was asked for.
    #[error("{0}")]
    Wrong(String),
    /// The audit found errors.
    #[error("the audit refuses `{file}`:\n{findings}")]
    Audit {
        /// The wheel's file name.
        file: String,
        /// The errors, one a line.
        findings: String,
    },
    /// The smoke test failed.
    #[error("the smoke test of `{file}` failed: {source}")]
    Smoke {
        /// The wheel's file name.
        file: String,
        /// The engine's account of it.
        source: EngineError,
    },
}

impl PipelineError {
    /// The engine's account of the failure, where it was the engine's.
    pub fn engine(&self) -> Option<&EngineError> {
        match self {
            Self::Engine(error) | Self::Smoke { source: error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Gathers what the containers inherit from this machine.
pub fn prepare_host(exec: &Exec) -> HostSettings {
    let step = Step::new("apt-config", ["dump", "Acquire"]).timeout(Duration::from_secs(5));
    // No apt, no apt proxies.
    let dump = exec.read(&step).unwrap_or_default();
    HostSettings::gather(&ThisHost, &dump)
}
