//! Installs what a machine lacks: a pure plan first, then its actions.
//!
//! Invariant: a good machine gets an empty plan, and nothing installed is replaced, upgraded to another
//! release, or removed.

mod apply;
mod apt;
mod daemon;
mod plan;
pub(crate) mod sources;

use std::collections::BTreeSet;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

pub(crate) use self::apply::{Event, apply, draft};
pub(crate) use self::apt::Forecast;
pub(crate) use self::plan::{missing_keys, plan};
use crate::config::Bootstrap;
use crate::exec::{Step, quote};

/// Maximum time until an engine answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The requirements of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SetupOptions {
    /// Client, engine and buildx.
    pub engine: bool,
    /// The tool that makes base images from packages.
    pub bootstrap: bool,
    /// How to make the requested base images from packages, which may require more than that tool.
    pub bootstraps: Vec<Bootstrap>,
    /// Architectures, by their container platform names, whose programs must run.
    pub emulators: BTreeSet<String>,
    /// Add the borrowed release to `/etc/apt`, so that later updates include its packages.
    pub permanent: bool,
    /// pip for the machine's own Python.
    pub pip: bool,
}

/// The folders for `setup`'s own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Lists and settings of the separate apt.
    pub apt: Utf8PathBuf,
    /// Settings and log of an engine started without systemd.
    pub engine: Utf8PathBuf,
}

impl Folders {
    /// The folders in a workspace.
    pub(crate) fn of(workspace: &Utf8Path) -> Self {
        let base = workspace.join("target/xtask");
        Self { apt: base.join("apt"), engine: base.join("engine") }
    }
}

/// The actions in order; empty if there is nothing to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetupPlan {
    /// The actions.
    pub actions: Vec<Action>,
    /// Why the user is not allowed to run them, with a hint.
    denied: Option<(&'static str, &'static str)>,
}

/// One action: its description, its own files, and its command.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    /// Its description.
    pub what: String,
    /// Our own folders, created before.
    folders: Vec<Utf8PathBuf>,
    /// Files in our own folders, written before.
    files: Vec<(Utf8PathBuf, String)>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A command that must succeed.
    Run(Step),
    /// An apt command that must succeed.
    Apt(Step),
    /// A simulated installation, which must not change existing packages.
    Forecast { simulate: Step, own_version: String },
    /// A service to start; it is ready when it answers the query.
    Service { start: Step, question: Step },
    /// Our own daemon; it is ready when it answers the query.
    Daemon { start: Step, question: Step, log: Utf8PathBuf, limit: Duration },
}

impl SetupPlan {
    /// Returns whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The descriptions of the actions.
    pub(crate) fn describe(&self) -> Vec<String> {
        self.actions.iter().map(|action| action.what.clone()).collect()
    }

    /// The exact commands with their descriptions, ready to paste after [`draft`] has written the files that they
    /// use.
    pub(crate) fn script(&self) -> String {
        let mut lines = Vec::new();
        for action in &self.actions {
            lines.push(format!("# {}", action.what));
            // Contents are not shown, because an address may contain a password.
            lines.extend(action.files.iter().map(|(path, _)| format!("# (with {path})")));
            lines.push(action.command());
        }
        lines.join("\n")
    }
}

impl Action {
    fn new(what: impl Into<String>, kind: Kind) -> Self {
        Self { what: what.into(), folders: Vec::new(), files: Vec::new(), kind }
    }

    fn step(&self) -> &Step {
        match &self.kind {
            Kind::Run(step) | Kind::Apt(step) => step,
            Kind::Forecast { simulate, .. } => simulate,
            Kind::Service { start, .. } | Kind::Daemon { start, .. } => start,
        }
    }

    fn command(&self) -> String {
        match &self.kind {
            Kind::Daemon { start, log, .. } => {
                let mut detached = Step { program: "setsid".to_owned(), ..start.clone() };
                detached.args.insert(0, start.program.clone());
                format!("{detached} > {} 2>&1 &", quote(log.as_str()))
            }
            _ => self.step().to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
