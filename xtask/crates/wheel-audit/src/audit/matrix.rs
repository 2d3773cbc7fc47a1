//! Determines the distributions where a wheel installs and where it loads.
//!
//! These are separate results: installers read only the platform tags of the file name, the loader the needs of
//! the files. A wheel that installs but does not load is the worst case. The matrix ignores the distribution's
//! versions of Python and pip.

use serde::Serialize;

use super::{
    Audit,
    obstacle::{Effect, Obstacle},
};
use crate::policy::{Distribution, PlatformTag, distributions, installs};

/// The state of a wheel on a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It installs but does not load.
    Breaks,
    /// It installs but may not load.
    Unknown,
    /// It installs, and loads only on newer processors.
    LoadsOnSome,
    /// It would load, but does not install: its tag requires more than its files.
    Withheld,
    /// It does not install, and would not or may not load.
    Refused,
    /// It installs and loads.
    Loads,
    /// The distribution does not support the wheel's architecture.
    Absent,
}

impl State {
    /// A short text for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaks => "installs, does not load",
            Self::Unknown => "installs, may not load",
            Self::LoadsOnSome => "loads on newer processors",
            Self::Withheld => "not installed, would load",
            Self::Refused => "not installed",
            Self::Loads => "loads",
            Self::Absent => "no such system",
        }
    }
}

/// A cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The state.
    pub state: State,
    /// The reason. Empty if the wheel loads.
    pub reason: String,
    /// The worst obstacle.
    pub blocker: Option<Blocker>,
}

/// The obstacle that decides the state of a wheel on a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Code of the rule that reports it: `ELF009`.
    pub code: &'static str,
    /// The file in the wheel.
    pub path: String,
}

/// A known system that installs the wheel but does not, or may not, load it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Distribution and release: `Debian 13`.
    pub system: String,
    /// `fails`, `may fail` or `newer processors`.
    pub state: &'static str,
    /// Code of the rule that reports it: `ELF009`.
    pub code: Option<&'static str>,
    /// The file in the wheel.
    pub path: Option<String>,
    /// The reason, with the loader's message.
    pub reason: String,
}

impl Audit {
    /// The state of the wheel on each of [`distributions`], in their order.
    pub fn systems(&self) -> Vec<Cell> {
        distributions().iter().map(|system| self.on(system)).collect()
    }

    /// The systems that install the wheel but do not, or may not, load it.
    pub(super) fn find_blocked(&self) -> Vec<Blocked> {
        let blocked = |(cell, system): (Cell, &Distribution)| {
            let state = match cell.state {
                State::Breaks => "fails",
                State::Unknown => "may fail",
                State::LoadsOnSome => "newer processors",
                State::Withheld | State::Refused | State::Loads | State::Absent => return None,
            };
            let (code, path) = cell.blocker.map(|it| (it.code, it.path)).unzip();
            Some(Blocked { system: system.to_string(), state, code, path, reason: cell.reason })
        };
        self.systems().into_iter().zip(distributions()).filter_map(blocked).collect()
    }

    /// The state of the wheel on a distribution.
    pub fn on(&self, system: &Distribution) -> Cell {
        let arch = self.facts.needs.arch;
        if let Some(arch) = arch.filter(|arch| !system.machines.contains(arch)) {
            return cell(State::Absent, format!("{system} is not published for {arch}"));
        }
        let (effect, reason, blocker) = self.loading(system);
        let cell = match (self.is_refused(system), effect) {
            (None, None) => cell(State::Loads, String::new()),
            (None, Some(Effect::OnSome)) => cell(State::LoadsOnSome, reason),
            (None, Some(Effect::MayFail)) => cell(State::Unknown, reason),
            (None, Some(Effect::Fails)) => cell(State::Breaks, reason),
            (Some(refusal), None | Some(Effect::OnSome)) => {
                cell(State::Withheld, format!("{refusal}; its files load there"))
            }
            (Some(refusal), Some(_)) => cell(State::Refused, format!("{refusal}; {reason}")),
        };
        Cell { blocker, ..cell }
    }

    /// The worst effect of the obstacles on a system, and its reason.
    fn loading(&self, system: &Distribution) -> (Option<Effect>, String, Option<Blocker>) {
        let needs = &self.facts.needs;
        if self.facts.tag_claim.iter().all(|tag| tag.parse::<PlatformTag>().is_err()) {
            return (Some(Effect::MayFail), "it is for another system".to_owned(), None);
        }
        let holds = |each: &'_ Obstacle| each.effect_on(system, needs.arch);
        let holding = needs.obstacles.iter().filter_map(|each| Some((holds(each)?, each)));
        // The first of the worst obstacles.
        let worst = holding.reduce(|worst, each| if each.0 > worst.0 { each } else { worst });
        let is_worse = |effect: Effect| effect >= Effect::MayFail;
        match worst {
            worst if needs.is_unknown && !worst.is_some_and(|(effect, _)| is_worse(effect)) => {
                (Some(Effect::MayFail), "a file in it cannot be checked".to_owned(), None)
            }
            Some((effect, obstacle)) => {
                let blocker = Blocker { code: obstacle.rule.code, path: obstacle.path.clone() };
                (Some(effect), obstacle.reason(system), Some(blocker))
            }
            None => (None, String::new(), None),
        }
    }

    /// The reason why installers reject the wheel.
    fn is_refused(&self, system: &Distribution) -> Option<String> {
        if self.facts.needs.is_unreadable {
            return Some("its archive cannot be read".to_owned());
        }
        let claim = &self.facts.tag_claim;
        if claim.is_empty() {
            return Some("its file name is not a valid wheel name".to_owned());
        }
        let tags: Vec<PlatformTag> = claim.iter().filter_map(|text| text.parse().ok()).collect();
        let arch = self.facts.needs.arch;
        let arch = arch.or_else(|| tags.iter().find_map(PlatformTag::arch));
        let takes = |tag: &PlatformTag| match arch {
            Some(arch) => installs(*tag, system.libc, arch),
            None => *tag == PlatformTag::Any,
        };
        if tags.iter().any(takes) {
            return None;
        }
        let named = claim.iter().map(|tag| format!("`{}`", tag.escape_debug()));
        let named = named.collect::<Vec<_>>().join(", ");
        let is = if claim.len() == 1 { "is not" } else { "are not" };
        Some(format!("{named} {is} for {}", system.libc))
    }
}

fn cell(state: State, reason: String) -> Cell {
    Cell { state, reason, blocker: None }
}
