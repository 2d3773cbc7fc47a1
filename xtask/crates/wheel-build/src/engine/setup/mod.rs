//! Giving a machine what it lacks: first a plan, which is pure, then carrying it out.
//!
//! Architecture invariant: a machine that is fine gets an empty plan, and nothing that is installed
//! is replaced, upgraded out of its release or removed.

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

/// How long an engine may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What a run needs from its machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wants {
    /// Client, engine and buildx.
    pub engine: bool,
    /// The tool that makes base images from packages.
    pub bootstrap: bool,
    /// How the base images asked for are made from packages, which may take more than that tool.
    pub bootstraps: Vec<Bootstrap>,
    /// Architectures, as container platforms name them, whose programs have to run.
    pub emulators: BTreeSet<String>,
    /// Whether `/etc/apt` may learn the borrowed release, so that later updates reach its packages.
    pub permanent: bool,
    /// pip for the machine's own Python.
    pub pip: bool,
}

/// Where `setup` keeps what it writes for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Lists and settings of the private apt.
    pub apt: Utf8PathBuf,
    /// Settings and log of an engine started by hand.
    pub engine: Utf8PathBuf,
}

impl Folders {
    /// The folders in a workspace.
    pub(crate) fn of(workspace: &Utf8Path) -> Self {
        let base = workspace.join("target/xtask");
        Self { apt: base.join("apt"), engine: base.join("engine") }
    }
}

/// What will be done, in order; empty where nothing has to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetupPlan {
    /// The actions.
    pub actions: Vec<Action>,
    /// Why the user may not do it, where that is so.
    denied: Option<(&'static str, &'static str)>,
}

/// One action: what it is in words, the files it writes for itself, and what it runs.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    /// What it does, for people.
    pub what: String,
    /// Our own folders, made beforehand.
    folders: Vec<Utf8PathBuf>,
    /// Files in our own folders, written beforehand.
    files: Vec<(Utf8PathBuf, String)>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A command that has to succeed.
    Run(Step),
    /// An apt command that has to succeed.
    Apt(Step),
    /// A simulated installation, which must not change what is there.
    Forecast { simulate: Step, own_version: String },
    /// A service: started, then asked until it answers.
    Service { start: Step, question: Step },
    /// A daemon of our own: the same.
    Daemon { start: Step, question: Step, log: Utf8PathBuf, limit: Duration },
}

impl SetupPlan {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The plan in words, one line per action.
    pub(crate) fn describe(&self) -> Vec<String> {
        self.actions.iter().map(|action| action.what.clone()).collect()
    }

    /// The exact commands, ready to paste once [`draft`] has written the files they name, with
    /// what they are for.
    pub(crate) fn script(&self) -> String {
        let mut lines = Vec::new();
        for action in &self.actions {
            lines.push(format!("# {}", action.what));
            // Contents are not shown: an address among them may hold a password.
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
