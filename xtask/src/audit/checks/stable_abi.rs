//! Does a wheel for the stable binary interface (PEP 384, `abi3`) keep to it? A symbol that is not
//! in it may be gone in the next Python; one that was added later is missing in the older ones.
//!
//! The same question as that of `abi3audit`, with three differences: a weak symbol may be absent, so
//! it does not count; what another file of the wheel offers is no symbol of the interpreter; and of
//! several Python tags the lowest one counts, since the wheel is installed there.

use std::collections::BTreeSet;

use super::{Check, Finding, Rule, Subject, listing};
use crate::{
    audit::gather::Elf,
    policy::StableAbi,
    wheel::{ExtensionAbi, ExtensionSuffix, Interpreter},
};

const NOT_STABLE: Rule = Rule::error(
    "ABI001",
    "not-in-stable-abi",
    "compile with `Py_LIMITED_API` defined, or give the wheel the ABI tag of its interpreter",
);
const NEWER_THAN_TAG: Rule = Rule::error(
    "ABI002",
    "newer-than-tag",
    "define `Py_LIMITED_API` as the version of the Python tag, or raise the tag",
);
const FALSE_SUFFIX: Rule = Rule::warning(
    "ABI003",
    "false-stable-suffix",
    "compile with `Py_LIMITED_API` defined, or give the file the suffix of its interpreter",
);

pub(super) const CHECK: Check = Check { rules: &[NOT_STABLE, NEWER_THAN_TAG, FALSE_SUFFIX], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(promised) = Promised::of(subject) else { return };
    let elves = subject.elves();
    let offered: BTreeSet<&str> = elves
        .iter()
        .filter_map(|elf| elf.facts.as_ref().ok())
        .flat_map(|facts| facts.python_exports.iter().map(String::as_str))
        .collect();
    for elf in elves {
        let suffix = ExtensionSuffix::parse(&elf.path).map(|suffix| suffix.abi);
        match (&promised, suffix) {
            // That such a file is in the wheel at all is another rule's matter.
            (_, Some(ExtensionAbi::Interpreter(_))) | (Promised::Exact(_), None) => continue,
            _ => {}
        }
        let symbols = Symbols::of(elf, &offered, promised.version());
        findings.extend(symbols.findings(&elf.path, &promised));
    }
}

/// What the wheel is for.
enum Promised {
    /// The stable interface from this version of Python on.
    Stable((u8, u8)),
    /// No interpreter's interface in particular, or that of exactly this version.
    Exact(Option<(u8, u8)>),
}

impl Promised {
    fn of(subject: &Subject<'_>) -> Option<Self> {
        let tags = subject.name.as_ref().ok()?.tags.expand();
        let version = |python: &str| Some(python.parse::<Interpreter>().ok()?.python_version());
        let stable = tags.iter().filter(|tag| tag.abi == "abi3" || tag.abi == "abi3t");
        if let Some(lowest) = stable.filter_map(|tag| version(&tag.python)).min() {
            return Some(Self::Stable(lowest));
        }
        let exact = tags.iter().filter(|tag| tag.abi != "none");
        Some(Self::Exact(exact.filter_map(|tag| version(&tag.python)).min()))
    }

    fn version(&self) -> Option<(u8, u8)> {
        match *self {
            Self::Stable(version) => Some(version),
            Self::Exact(version) => version,
        }
    }
}

/// The symbols of a file that break a promise.
#[derive(Default)]
struct Symbols<'a> {
    foreign: Vec<&'a str>,
    newer: Vec<String>,
    /// What it would take to have them all.
    needed: (u8, u8),
}

impl<'a> Symbols<'a> {
    fn of(elf: &'a Elf, offered: &BTreeSet<&str>, promised: Option<(u8, u8)>) -> Self {
        let mut symbols = Self::default();
        let Some(facts) = elf.loadable() else { return symbols };
        let strong = facts.imports.iter().filter(|import| !import.weak);
        let names: BTreeSet<&str> = strong.map(|import| import.name.as_str()).collect();
        for name in names {
            if !is_python(name) || offered.contains(name) {
                continue;
            }
            match StableAbi::builtin().added(name) {
                None => symbols.foreign.push(name),
                Some(added) if promised.is_some_and(|promised| added > promised) => {
                    symbols.newer.push(name.to_owned());
                    symbols.needed = symbols.needed.max(added);
                }
                Some(_) => {}
            }
        }
        symbols
    }

    fn findings(self, path: &str, promised: &Promised) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.foreign.is_empty() {
            let names = listing(&self.foreign);
            let rule =
                if matches!(promised, Promised::Stable(_)) { &NOT_STABLE } else { &FALSE_SUFFIX };
            let message = format!("uses {names}, not in the stable interface of any Python");
            findings.push(rule.broken(path, message));
        }
        if let Some((major, minor)) = promised.version().filter(|_| !self.newer.is_empty()) {
            let (names, needed) = (listing(&self.newer), self.needed);
            let message = format!(
                "uses {names}, in the stable interface since Python {}.{}, and the wheel is for {major}.{minor}",
                needed.0, needed.1
            );
            findings.push(NEWER_THAN_TAG.broken(path, message));
        }
        findings
    }
}

/// Is it named like a symbol of the interpreter, `PyLong_FromLong` or `_Py_Dealloc`?
fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix('_').unwrap_or(name).strip_prefix("Py");
    rest.is_some_and(|rest| rest.starts_with(|each: char| each == '_' || each.is_ascii_uppercase()))
}
