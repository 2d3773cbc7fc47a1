//! What every job of a run shares.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

use super::accelerate::Accelerate;
use crate::config::Config;
use crate::engine::host::{HostSettings, SECRET_LIMIT, TEXT_SECRETS, ThisHost, VARIABLE_LIMIT};
use crate::engine::prebuilt::Finder;
use crate::engine::{Engine, EngineError};
use crate::exec::{Exec, Step};
use crate::lock::{Environment, LockFile};
use crate::store::{Store, StoreError};
use wheel_audit::audit::Settings;

/// What every job of a run shares.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// How strictly it has wheels judged.
    pub settings: Settings,
    /// The engine.
    pub engine: &'a Engine,
    /// `dist/`.
    pub store: &'a Store,
    /// One commit at a time.
    pub committing: Mutex<()>,
    /// xtask's own folder, `target/xtask`.
    pub work: Utf8PathBuf,
    /// Looks for base images that were built beforehand.
    pub prebuilt: Finder,
    /// Where the source comes from.
    pub source: &'a super::PreparedSource,
    /// Messages about recipes that were printed; each is printed once, not for each job.
    pub recipes: Mutex<BTreeSet<String>>,
    /// Keys of all jobs of the run.
    pub keys: BTreeSet<String>,
    /// Whether cached build results may not be used.
    pub no_cache: bool,
    /// Whether finished wheels are built again.
    pub force: bool,
    /// Whether wheels are smoke-tested.
    pub smoke: bool,
    /// Whether native compilers may do an emulated compiler's work.
    pub accelerate: Accelerate,
    /// What is done with the lock file.
    pub lock: LockUse<'a>,
    /// The lock file with its name, where there is one.
    pub locks: Option<(String, &'a LockFile)>,
}

/// What a run does with the lock file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LockUse<'a> {
    /// Report differences.
    Report,
    /// Fail where there are differences.
    Enforce,
    /// Record what goes in, and commit no wheel.
    Record(&'a Mutex<Vec<Environment>>),
}

impl LockUse<'_> {
    /// Whether the run makes a lock.
    pub(super) fn records(self) -> bool {
        matches!(self, Self::Record(_))
    }
}

/// Why a job gave no wheel.
#[derive(Debug, Error)]
pub(crate) enum PipelineError {
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
    Wrong(#[source] UserError),
    /// The audit found errors.
    #[error("the audit refuses `{file}`:\n{findings}")]
    Audit {
        /// The wheel's file name.
        file: String,
        /// The errors, one a line.
        findings: String,
    },
    /// The published wheel to compare with could not be fetched.
    #[error("the published wheel that `{file}` is compared with was not fetched: {source}")]
    Like {
        /// The wheel's file name.
        file: String,
        /// The engine's account of it.
        source: EngineError,
    },
    /// auditwheel failed.
    #[error("the repair of `{file}` failed: {source}")]
    Repair {
        /// The wheel's file name.
        file: String,
        /// The engine's account of it.
        source: EngineError,
    },
    /// The smoke test failed.
    #[error("the smoke test of `{file}` failed: {source}")]
    Smoke {
        /// The wheel's file name.
        file: String,
        /// The engine's account of it.
        source: EngineError,
    },
    /// The package's own tests failed.
    #[error("the package's tests of `{file}` failed: {source}")]
    Tests {
        /// The wheel's file name.
        file: String,
        /// The engine's account of it.
        source: EngineError,
    },
}

impl PipelineError {
    /// The engine's account of the failure, where it was the engine's.
    pub(crate) fn engine(&self) -> Option<&EngineError> {
        match self {
            Self::Engine(error)
            | Self::Smoke { source: error, .. }
            | Self::Repair { source: error, .. }
            | Self::Tests { source: error, .. }
            | Self::Like { source: error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Gathers what the containers inherit from this machine. The bundle of certificates is copied
/// below `work`, since newer clients read no file outside the workspace unasked.
///
/// # Errors
/// When the bundle cannot be read or copied, or is larger than BuildKit takes.
pub(crate) fn prepare_host(exec: &Exec, work: &Utf8Path) -> std::io::Result<HostSettings> {
    let step = Step::new("apt-config", ["dump", "Acquire"]).timeout(Duration::from_secs(5));
    // No apt, no apt proxies.
    let dump = exec.read(&step).unwrap_or_default();
    let mut host = HostSettings::gather(&ThisHost, &dump);
    for (secret, variable) in TEXT_SECRETS {
        let size = host.text(secret).map_or(0, |text| text.len());
        // With the `=`, and the NUL at the end.
        if size + variable.len() + 2 > VARIABLE_LIMIT {
            return Err(std::io::Error::other(
                UserError::new(format!(
                    "the inherited settings for the secret `{secret}` have {size} bytes, and a \
                 program takes {VARIABLE_LIMIT} in a variable"
                ))
                .hint(
                    "let `NETRC`, `CARGO_HOME` or the tool's own variable name a file with \
                 what the build needs",
                ),
            ));
        }
    }
    if let Some(bundle) = &host.ca {
        let contents = fs_err::read(bundle)?;
        if contents.len() as u64 > SECRET_LIMIT {
            return Err(std::io::Error::other(
                UserError::new(format!(
                    "the CA bundle `{bundle}` has {} bytes, a build secret at most {SECRET_LIMIT}",
                    contents.len()
                ))
                .hint("let `SSL_CERT_FILE` name a bundle with what your indexes need"),
            ));
        }
        let copy = work.join("host/ca.pem");
        if fs_err::read(&copy).ok().as_ref() != Some(&contents) {
            fs_err::create_dir_all(work.join("host"))?;
            // By rename: another build may be reading the one that is there.
            let draft = work.join(format!("host/ca-{}.pem", std::process::id()));
            fs_err::write(&draft, contents)?;
            fs_err::rename(draft, &copy)?;
        }
        host.ca = Some(copy);
    }
    Ok(host)
}
