//! One file per subcommand: its arguments, a plan, a call into the modules below, a report.

pub(crate) mod assets;
pub(crate) mod base_image;
pub(crate) mod binfmt;
pub(crate) mod build_info;
pub(crate) mod check_glibc;
pub(crate) mod clean;
pub(crate) mod collect;
pub(crate) mod doctor;
pub(crate) mod engine_args;
pub(crate) mod examples;
pub(crate) mod host_settings;
pub(crate) mod hosted;
pub(crate) mod index;
pub(crate) mod init;
pub(crate) mod last_release;
pub(crate) mod lock;
mod locking;
pub(crate) mod matrix;
pub(crate) mod pin;
pub(crate) mod plan;
pub(crate) mod reference;
pub(crate) mod release;
pub(crate) mod reproduce;
pub(crate) mod selection;
pub(crate) mod setup;
pub(crate) mod shell;
pub(crate) mod source;
mod titles;
pub(crate) mod try_wheels;
pub(crate) mod verify;
pub(crate) mod wheels;
pub(crate) mod workflow;

use anyhow::Context as _;
use camino::Utf8PathBuf;
use wheel_audit::UserError;

use crate::assets::Assets;
use crate::config::{self, Config, ConfigFile, Platform};
use crate::lock::{self as locks, LockFile};
use crate::pipeline;
use wheel_audit::audit::Inputs;
use wheel_audit::cli::inputs;
use wheel_audit::files;
use wheel_audit::report;

pub use wheel_audit::cli::{COULD_NOT_RUN, FINDINGS};

/// The workspace of a command.
pub struct Workspace {
    /// The folder with `wheels.toml`.
    pub root: Utf8PathBuf,
    /// Work folder of xtask: `target/xtask`.
    pub work: Utf8PathBuf,
    /// Folder of finished wheels: `dist`.
    pub dist: Utf8PathBuf,
    /// The configuration file.
    pub(crate) file: ConfigFile,
}

impl Workspace {
    /// Finds the folder with `wheels.toml`, from the manifest folder that cargo names upwards.
    ///
    /// # Errors
    /// If no folder has one.
    pub fn find() -> anyhow::Result<Self> {
        Self::of(&ConfigFile::default())
    }

    /// Like [`Self::find`], with `file` as the configuration.
    pub(crate) fn of(file: &ConfigFile) -> anyhow::Result<Self> {
        // `cargo run` sets it, so it is right even for a binary that was built elsewhere.
        let manifest = std::env::var("CARGO_MANIFEST_DIR").ok().map(Utf8PathBuf::from);
        let start = match manifest {
            Some(dir) => dir,
            None => Utf8PathBuf::try_from(std::env::current_dir()?)?,
        };
        let name = file.name();
        let root = start.ancestors().find(|dir| dir.join(&name).is_file()).ok_or_else(|| {
            // cargo names the folder of xtask itself, which never has a wheels.toml.
            let shown = if start.ends_with("xtask") { start.parent() } else { None };
            let shown = shown.unwrap_or(&start);
            let hint = if file.is_default() {
                "run `cargo xtask init PATH` in a clone of the tool"
            } else {
                "copy wheels.toml to that name and change `package` in `[source]`"
            };
            UserError::new(format!("no {name} in `{shown}` or a parent folder")).hint(hint)
        })?;
        let (work, dist) = (root.join(file.work()), root.join(file.dist()));
        Ok(Self { root: root.to_owned(), work, dist, file: file.clone() })
    }

    /// The workspace and the image of its first target, which `doctor` looks up in its registry.
    pub(crate) fn with_image(file: &ConfigFile) -> anyhow::Result<(Self, String)> {
        let workspace = Self::of(file)?;
        let image = workspace.config()?.targets.first().map(|target| target.image.clone());
        Ok((workspace, image.unwrap_or_else(|| "debian:12".to_owned())))
    }

    /// The build files, in the folder that the engine's client reads.
    pub(crate) fn assets(&self, config: &Config) -> anyhow::Result<Assets> {
        let requirements = config.build.requirements.as_deref();
        Assets::place(&self.root, requirements).context("could not prepare the build files")
    }

    /// The configuration with the base images of the lock file, and the lock file if it exists.
    pub(crate) fn locked(&self) -> anyhow::Result<(Config, Option<LockFile>)> {
        let (mut config, lock) = (self.config()?, self.lock_file()?);
        if let Some(lock) = &lock {
            pin(&mut config, lock);
        }
        Ok((config, lock))
    }

    /// The lock file, if it exists.
    pub(crate) fn lock_file(&self) -> anyhow::Result<Option<LockFile>> {
        let name = self.file.lock_name();
        match files::text(&self.root.join(&name), locks::MAX_SIZE) {
            Ok(text) => Ok(Some(LockFile::parse(&name, &text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("could not read `{name}`")),
        }
    }

    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let config = config::load(&self.root, &self.file)?;
        // `config::load` does not know the codes of the rules.
        pipeline::settings(&config)?;
        if !config.overrides.is_empty() {
            let keys = config.overrides.join(", ");
            report::note(&format!("{} overrides: {keys}", self.file.local_name()));
        }
        Ok(config)
    }
}

/// Pins the base images of `lock` that wheels.toml does not pin.
pub(crate) fn pin(config: &mut Config, lock: &LockFile) {
    for target in &mut config.targets {
        for platform in &target.platforms {
            let digest = lock.image_digest(&target.name, &platform.to_string());
            if let (Some(digest), false) = (digest, target.digest.contains_key(platform)) {
                target.digest.insert(platform.clone(), digest.to_owned());
            }
        }
    }
}

/// The files that a command reads: the typed paths, else `dist/`.
pub(crate) fn requested_inputs(typed: &[Utf8PathBuf], file: &ConfigFile) -> anyhow::Result<Inputs> {
    if typed.is_empty() {
        let dist = Workspace::of(file)?.dist;
        let hint = "run `cargo xtask wheels`, or name wheels, files or folders";
        anyhow::ensure!(dist.is_dir(), UserError::new(format!("there is no `{dist}`")).hint(hint));
        return Ok(Inputs::find(&[dist])?);
    }
    let hint = "name wheels, ELF files or folders [default: dist/]; `verify --only debian12-amd64` \
                verifies one folder of `dist/`";
    inputs(typed, hint)
}

/// `wheels.toml` if no path was typed: its expectations and settings apply only to this repository's wheels.
pub(crate) fn own_config(
    typed: &[Utf8PathBuf],
    file: &ConfigFile,
) -> anyhow::Result<Option<Config>> {
    let workspace = if typed.is_empty() { Workspace::of(file).ok() } else { None };
    workspace.map(|workspace| workspace.config()).transpose()
}

/// The platform that this machine runs natively.
pub(crate) fn native_platform() -> Platform {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        "x86" => "linux/386",
        "powerpc64" => "linux/ppc64le",
        "s390x" => "linux/s390x",
        "riscv64" => "linux/riscv64",
        _ => "linux/arm",
    };
    // Every word above parses, as the test below checks.
    arch.parse().unwrap_or_else(|message: String| unreachable!("{message}"))
}
