//! State that all jobs of a run share.

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

/// State that all jobs of a run share.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub config: &'a Config,
    pub settings: Settings,
    pub engine: &'a Engine,
    pub store: &'a Store,
    /// Serializes commits.
    pub committing: Mutex<()>,
    /// xtask's work folder, `target/xtask`.
    pub work: Utf8PathBuf,
    /// Finds prebuilt base images.
    pub prebuilt: Finder,
    /// Source of the package.
    pub source: &'a super::PreparedSource,
    /// Messages about recipes that were printed already, to print each only once.
    pub recipes: Mutex<BTreeSet<String>>,
    /// Keys of all jobs of the run.
    pub keys: BTreeSet<String>,
    /// Ignore cached build results.
    pub no_cache: bool,
    /// Rebuild finished wheels.
    pub force: bool,
    /// Run smoke tests.
    pub smoke: bool,
    /// Replacement of emulated programs by native ones.
    pub accelerate: Accelerate,
    /// Use of the lock file.
    pub lock: LockUse<'a>,
    /// Name and content of the lock file, if it exists.
    pub locks: Option<(String, &'a LockFile)>,
}

/// Use of the lock file by a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LockUse<'a> {
    /// Report differences.
    Report,
    /// Fail on differences.
    Enforce,
    /// Record versions; commit no wheel.
    Record(&'a Mutex<Vec<Environment>>),
}

impl LockUse<'_> {
    /// Returns whether the run writes a lock file.
    pub(super) fn records(self) -> bool {
        matches!(self, Self::Record(_))
    }
}

/// Why a job produced no wheel.
#[derive(Debug, Error)]
pub(crate) enum PipelineError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// `dist/` cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of xtask cannot be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The output of the build is not what was requested.
    #[error("{0}")]
    Wrong(#[source] UserError),
    /// The audit reported errors.
    #[error("the audit rejected `{file}`:\n{findings}")]
    Audit {
        file: String,
        /// The errors, one on each line.
        findings: String,
    },
    /// The published wheel for the comparison could not be fetched.
    #[error("could not fetch the published wheel to compare `{file}` with: {source}")]
    Like { file: String, source: EngineError },
    #[error("the repair of `{file}` failed: {source}")]
    Repair { file: String, source: EngineError },
    #[error("the smoke test of `{file}` failed: {source}")]
    Smoke { file: String, source: EngineError },
    #[error("the package tests of `{file}` failed: {source}")]
    Tests { file: String, source: EngineError },
}

impl PipelineError {
    /// Returns whether the audit misses the extension that the source builds.
    pub(super) fn lacks_machine_code(&self) -> bool {
        matches!(self, Self::Audit { findings, .. } if findings.contains("TAG103:"))
    }

    /// The error of the engine, if it caused the failure.
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

/// Collects the settings that containers inherit from this machine. Copies the certificate bundle below `work`,
/// because newer clients refuse to read files outside of the workspace.
///
/// # Errors
/// If the bundle cannot be read or copied, or exceeds BuildKit's limit.
pub(crate) fn prepare_host(exec: &Exec, work: &Utf8Path) -> std::io::Result<HostSettings> {
    let step = Step::new("apt-config", ["dump", "Acquire"]).timeout(Duration::from_secs(5));
    // A machine without apt has no apt proxies.
    let dump = exec.read(&step).unwrap_or_default();
    let mut host = HostSettings::collect(&ThisHost, &dump);
    for (secret, variable) in TEXT_SECRETS {
        let size = host.text(secret).map_or(0, |text| text.len());
        // Includes the `=` and the final NUL.
        if size + variable.len() + 2 > VARIABLE_LIMIT {
            return Err(std::io::Error::other(
                UserError::new(format!(
                    "the inherited settings in the secret `{secret}` have {size} bytes; the limit \
                     of an environment variable is {VARIABLE_LIMIT}"
                ))
                .hint(
                    "point `NETRC`, `CARGO_HOME` or the tool's own variable to a file with only \
                     the settings that the build needs",
                ),
            ));
        }
    }
    if let Some(bundle) = &host.ca {
        let contents = fs_err::read(bundle)?;
        if contents.len() as u64 > SECRET_LIMIT {
            return Err(std::io::Error::other(
                UserError::new(format!(
                    "the CA bundle `{bundle}` has {} bytes; the limit of a build secret is \
                     {SECRET_LIMIT}",
                    contents.len()
                ))
                .hint("set `SSL_CERT_FILE` to a bundle with only the certificates of your indexes"),
            ));
        }
        let copy = work.join("host/ca.pem");
        if fs_err::read(&copy).ok().as_ref() != Some(&contents) {
            fs_err::create_dir_all(work.join("host"))?;
            // Rename atomically: another build may be reading the old file.
            let draft = work.join(format!("host/ca-{}.pem", std::process::id()));
            fs_err::write(&draft, contents)?;
            fs_err::rename(draft, &copy)?;
        }
        host.ca = Some(copy);
    }
    Ok(host)
}
