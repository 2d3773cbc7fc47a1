//! One file per subcommand: its arguments, a plan, a call into the rooms below, a report.

pub mod base_image;
pub mod binfmt;
pub mod build_info;
pub mod check_glibc;
pub mod ci;
pub mod clean;
pub mod collect;
pub mod doctor;
pub mod engine_args;
pub mod host_settings;
pub mod index;
pub mod matrix;
pub mod pin;
pub mod policy;
pub mod release;
pub mod setup;
pub mod shell;
pub mod telling;
pub mod verify;
pub mod wheels;
pub mod workflow;

use std::io::BufRead as _;

use anyhow::Context as _;
use camino::Utf8PathBuf;

use crate::config::{self, Config, Platform};
use crate::pipeline;
use crate::report;

/// Exit status of a command that did its work and found something wrong.
pub const FINDINGS: u8 = 1;
/// Exit status of a command that could not run.
pub const COULD_NOT_RUN: u8 = 2;

/// The workspace that a command works in.
pub(crate) struct Workspace {
    pub(crate) root: Utf8PathBuf,
    pub(crate) work: Utf8PathBuf,
    pub(crate) dist: Utf8PathBuf,
}

impl Workspace {
    /// The workspace of this xtask: where cargo says that its manifest is.
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Set by `cargo run`, so also right for a binary that was built elsewhere.
        let manifest = std::env::var("CARGO_MANIFEST_DIR").ok().map(Utf8PathBuf::from);
        let start = match manifest {
            Some(dir) => dir,
            None => Utf8PathBuf::try_from(std::env::current_dir()?)?,
        };
        let root =
            start.ancestors().find(|dir| dir.join("wheels.toml").is_file()).with_context(|| {
                // cargo names the folder of xtask itself, which nobody expects a wheels.toml in.
                let shown = if start.ends_with("xtask") { start.parent() } else { None };
                format!(
                    "there is no wheels.toml in `{}` or above it\n\n\
                     hint: it says what is built; the one of this tool's own repository is commented, to be \
                     copied and changed",
                    shown.unwrap_or(&start)
                )
            })?;
        let work = root.join("target/xtask");
        Ok(Self { root: root.to_owned(), work, dist: root.join("dist") })
    }

    /// The workspace, and the image of its first target: the one that a registry is asked for when
    /// nothing else was named.
    pub(crate) fn find_with_image() -> anyhow::Result<(Self, String)> {
        let workspace = Self::find()?;
        let image = workspace.config()?.targets.first().map(|target| target.image.clone());
        Ok((workspace, image.unwrap_or_else(|| "debian:12".to_owned())))
    }

    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let config = config::load(&self.root)?;
        // Its codes are known only there.
        pipeline::settings(&config)?;
        if !config.overrides.is_empty() {
            let keys = config.overrides.join(", ");
            report::note(&format!("wheels.local.toml overrides: {keys}"));
        }
        Ok(config)
    }
}

/// The paths that a command was asked to look at: `dist/` of the workspace if none were typed, and
/// for `-` those on stdin, one a line.
pub(crate) fn asked_paths(typed: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    if typed.is_empty() {
        let dist = Workspace::find()?.dist;
        let hint = "build wheels with `cargo xtask wheels`, or name wheels, files or folders";
        anyhow::ensure!(dist.is_dir(), "there is no `{dist}`\n\nhint: {hint}");
        return Ok(vec![dist]);
    }
    let mut paths = Vec::new();
    for path in typed {
        if path == "-" {
            for line in std::io::stdin().lock().lines() {
                let line = line.context("stdin is no list of paths")?;
                let line = line.trim_end_matches('\r');
                paths.extend((!line.is_empty()).then(|| Utf8PathBuf::from(line)));
            }
            anyhow::ensure!(!paths.is_empty(), "stdin names no path");
        } else {
            anyhow::ensure!(
                path.symlink_metadata().is_ok(),
                "there is no `{}`\n\n\
                 hint: name wheels, ELF files or folders; without a path it is `dist/`, of which `verify \
                 --only debian12-amd64` takes one folder",
                path.as_str().escape_debug()
            );
            paths.push(path.clone());
        }
    }
    Ok(paths)
}

/// `wheels.toml`, where no path was typed: what it promises and sets, it does for this repository's
/// own wheels alone.
pub(crate) fn own_config(typed: &[Utf8PathBuf]) -> anyhow::Result<Option<Config>> {
    let workspace = if typed.is_empty() { Workspace::find().ok() } else { None };
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
    // Each of the words above is one that parses; see the test below.
    arch.parse().unwrap_or_else(|message: String| unreachable!("{message}"))
}
