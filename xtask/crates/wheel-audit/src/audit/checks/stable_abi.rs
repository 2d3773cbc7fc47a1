//! Checks that a wheel for the stable ABI (PEP 384, `abi3`) uses only its symbols. The next Python may
//! remove other symbols, and older ones lack symbols that were added later.
//!
//! Differences from `abi3audit`: weak symbols may be absent and do not count. Symbols that another file
//! of the wheel exports do not belong to the interpreter. A library outside the wheel may export the
//! symbol, which is a warning. The lowest of several Python tags decides.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::elf_file::Elf;
use crate::policy::{Arch, PlatformTag, Policies, StableAbi};
use crate::wheel::{ExtensionAbi, ExtensionSuffix, Interpreter};

const NOT_STABLE: Rule = Rule::error(
    "ABI001",
    "not-in-stable-abi",
    "define `Py_LIMITED_API` for every source file, or tag the wheel for its interpreter",
);
const NEWER_THAN_TAG: Rule = Rule::error(
    "ABI002",
    "newer-than-tag",
    "set `Py_LIMITED_API` to the version of the Python tag, or raise the tag",
);
const FALSE_SUFFIX: Rule = Rule::warning(
    "ABI003",
    "false-stable-suffix",
    "define `Py_LIMITED_API` for every source file, or use the suffix of the interpreter",
);

const UNPROVEN: Rule = Rule::warning(
    "ABI004",
    "unproven-stable-abi",
    "make sure that the library exports these symbols, or use only symbols of the stable ABI",
);

pub(super) const CHECK: Check =
    Check { rules: &[NOT_STABLE, NEWER_THAN_TAG, FALSE_SUFFIX, UNPROVEN], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(promised) = Promised::of(context) else { return };
    let elves = context.elves();
    let offered: BTreeSet<&str> = elves
        .iter()
        .filter_map(|elf| elf.facts.as_ref().ok())
        .flat_map(|facts| facts.python_exports.iter().map(String::as_str))
        .collect();
    let unknown = unknown_libraries(elves);
    for elf in elves {
        let suffix = ExtensionSuffix::parse(&elf.path).map(|suffix| suffix.abi);
        match (&promised, suffix) {
            // TAG201 covers modules for another interpreter.
            (_, Some(ExtensionAbi::Interpreter(_))) | (Promised::Exact(_), None) => continue,
            _ => {}
        }
        let mut symbols = Symbols::of(elf, &offered, promised.version());
        if !symbols.foreign.is_empty()
            && let Some(library) = unknown.get(elf.path.as_str())
        {
            findings.push(unproven(&elf.path, &symbols.foreign, library));
            symbols.foreign.clear();
        }
        findings.extend(symbols.findings(&elf.path, &promised));
    }
}

fn unproven(path: &str, symbols: &[&str], library: &str) -> Finding {
    let (names, library) = (listing(symbols), library.escape_debug());
    let message = format!(
        "uses {names}, which no Python has in its stable ABI; only `{library}`, which is not in the wheel, could provide them"
    );
    UNPROVEN.broken(path, message)
}

/// The ELF files of the wheel by file name and soname.
fn bundled(elves: &[Elf]) -> BTreeMap<&str, &Elf> {
    let mut bundled = BTreeMap::new();
    for elf in elves {
        let soname = elf.facts.as_ref().ok().and_then(|facts| facts.soname.as_deref());
        bundled
            .extend(elf.path.rsplit('/').next().into_iter().chain(soname).map(|name| (name, elf)));
    }
    bundled
}

/// For each file, a library of unknown origin that the loader loads with it, directly or indirectly: not from the
/// wheel, the system or the interpreter. It may export any symbol.
fn unknown_libraries(elves: &[Elf]) -> BTreeMap<&str, &str> {
    let bundled = bundled(elves);
    let mut known: BTreeMap<(&str, Option<Arch>), bool> = BTreeMap::new();
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut unknown = BTreeMap::new();
    for elf in elves {
        for library in elf.loadable().iter().flat_map(|facts| &facts.needed) {
            if let Some(other) = bundled.get(library.as_str()) {
                users.entry(&other.path).or_default().push(&elf.path);
            } else if !*known
                .entry((library, elf.arch))
                .or_insert_with(|| is_known(library, elf.arch))
            {
                unknown.entry(elf.path.as_str()).or_insert(library.as_str());
            }
        }
    }
    let mut left: Vec<(&str, &str)> =
        unknown.iter().map(|(&path, &library)| (path, library)).collect();
    while let Some((path, library)) = left.pop() {
        for user in users.remove(path).unwrap_or_default() {
            if unknown.insert(user, library).is_none() {
                left.push((user, library));
            }
        }
    }
    unknown
}

/// Returns whether it is a system library with known exports, or belongs to the interpreter.
fn is_known(library: &str, arch: Option<Arch>) -> bool {
    let policies = Policies::builtin();
    let newest = |arch| policies.limits(PlatformTag::Manylinux(policies.newest_glibc(), arch));
    Policies::is_loader(library)
        || ["libpython", "libpypy", "libc."].iter().any(|own| library.starts_with(own))
        || arch.and_then(newest).is_some_and(|limits| limits.library(library))
}

/// The ABI that the wheel's tags promise.
enum Promised {
    /// The stable ABI of this Python version and later.
    Stable((u8, u8)),
    /// The ABI of exactly this version, or none.
    Exact(Option<(u8, u8)>),
}

impl Promised {
    fn of(context: &AuditContext<'_>) -> Option<Self> {
        let tags = context.name.as_ref().ok()?.tags.expand();
        let version = |python: &str| Some(python.parse::<Interpreter>().ok()?.python_version());
        let stable = tags.iter().filter(|tag| tag.is_stable());
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

/// The symbols of a file that the promised ABI lacks.
#[derive(Default)]
struct Symbols<'a> {
    foreign: Vec<&'a str>,
    newer: Vec<String>,
    /// The lowest version with all of them.
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
            let message = format!("uses {names}, which no Python has in its stable ABI");
            findings.push(rule.broken(path, message));
        }
        if let Some((major, minor)) = promised.version().filter(|_| !self.newer.is_empty()) {
            let (names, needed) = (listing(&self.newer), self.needed);
            let message = format!(
                "uses {names}, in the stable ABI since Python {}.{}, but the wheel is for {major}.{minor}",
                needed.0, needed.1
            );
            // An interpreter may export a symbol before it becomes part of the stable ABI.
            let is_stable = matches!(promised, Promised::Stable(_));
            let rule = if is_stable { &NEWER_THAN_TAG } else { &FALSE_SUFFIX };
            findings.push(rule.broken(path, message));
        }
        findings
    }
}

/// Returns whether the name is that of an interpreter's symbol, such as `PyLong_FromLong` or `_Py_Dealloc`.
fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix('_').unwrap_or(name).strip_prefix("Py");
    rest.is_some_and(|rest| rest.starts_with(|each: char| each == '_' || each.is_ascii_uppercase()))
}
