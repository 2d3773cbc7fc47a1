//! Why a machine cannot be set up, each with what to do about it.

use thiserror::Error;

use super::apt::Obstacle;
use crate::exec::{ExecError, Step};

/// Why `setup` stopped. Unless it says otherwise, nothing was changed.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    /// There is no apt.
    #[error(
        "`setup` installs with apt, and {system} has none; missing:\n{}\n\n\
         hint: install them, then `cargo xtask doctor` says whether they are found",
        parts.join("\n")
    )]
    NoApt {
        /// The operating system.
        system: String,
        /// One line per missing part: what, and where it comes from.
        parts: Vec<String>,
    },
    /// A release whose packages are too old, with nothing to borrow from.
    #[error(
        "the packages of {system} are too old to build with\n\n\
         hint: install engine and buildx from {docs}"
    )]
    OldSystem {
        /// The operating system.
        system: String,
        /// Where an engine comes from.
        docs: &'static str,
    },
    /// No source of the machine's own release.
    #[error(
        "`/etc/apt` names no source of `main` for the release `{codename}`\n\n\
         hint: `apt-get indextargets` lists the sources that apt reads"
    )]
    NoSources {
        /// The machine's release.
        codename: String,
    },
    /// The user's own part is no good, and is not ours to replace.
    #[error("{what}\n\nhint: {hint}")]
    NotOurs {
        /// What is wrong.
        what: String,
        /// What the user can do.
        hint: String,
    },
    /// Only root may do it.
    #[error("{reason}; as root, these would do:\n{}\n\nhint: {hint}", lines(.commands))]
    Privileges {
        /// Why not.
        reason: &'static str,
        /// What to run.
        commands: Vec<Step>,
        /// How to get there.
        hint: &'static str,
    },
    /// Packages that are installed now would be changed.
    #[error(
        "installing would change what is there: {packages}\n\n\
         hint: nothing was changed; update or remove these yourself if you agree, \
         then run the same command again"
    )]
    WouldChange {
        /// Their names and versions.
        packages: String,
    },
    /// apt failed.
    #[error("{}: `{command}` said\n{said}\n\nhint: {}", obstacle.what(), obstacle.hint())]
    Apt {
        /// What stood in the way.
        obstacle: Obstacle,
        /// The command.
        command: String,
        /// Its last lines.
        said: String,
    },
    /// The engine was started and does not answer.
    #[error("the engine {end}\n{tail}\n\nhint: {hint}")]
    Daemon {
        /// How it ended.
        end: String,
        /// The end of its log.
        tail: String,
        /// The likely cause.
        hint: String,
    },
    /// A command failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A file could not be written; `fs_err` names it.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

fn lines(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("  {step}")).collect::<Vec<_>>().join("\n")
}
