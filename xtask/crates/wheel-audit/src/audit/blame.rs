//! Finds the functions that call the symbols that set a floor.
//!
//! This requires reading the code. So it runs only for files that need more than the wheel promises, and for
//! wheels without a promise.

use std::collections::BTreeSet;

use super::{Depth, MAX_WHOLE_ELF, context::AuditContext, elf_file::Elf, needs::needs_of};
use crate::elf::ElfFacts;
use crate::isa;
use crate::policy::{Arch, Limits, VersionVerdict};
use crate::wheel::{SharedFile, WheelArchive};

/// Maximum number of files per wheel. Files of one build usually have the same callers.
const MAX_FILES: usize = 8;
/// Maximum number of bytes to read per wheel.
const MAX_BYTES: u64 = 64 << 20;
/// Maximum number of symbols per file.
const MAX_SYMBOLS: usize = 32;
/// Maximum number of callers per symbol.
const MAX_CALLERS: usize = 8;

/// Finds the callers of too new symbols in a wheel's files.
pub(super) fn find(context: &mut AuditContext<'_>, archive: &WheelArchive<SharedFile>) {
    let mut archive = archive.share();
    let mut read = |path: &str, limit| {
        let index = archive.position(path)?;
        archive.read(index, limit).ok()
    };
    search(context, true, &mut read);
}

/// As [`find`], for a file outside of a wheel.
pub(super) fn find_in_file(context: &mut AuditContext<'_>, depth: Depth) {
    let mut read = |path: &str, limit| {
        let size = fs_err::metadata(path).ok()?.len();
        if size > limit { None } else { fs_err::read(path).ok() }
    };
    // A folder may contain thousands of files without a promise.
    search(context, depth == Depth::Code, &mut read);
}

type Read<'a> = dyn FnMut(&str, u64) -> Option<Vec<u8>> + 'a;

fn search(context: &mut AuditContext<'_>, without_limits: bool, read: &mut Read<'_>) {
    let candidates: Vec<(usize, Vec<String>)> = (0..)
        .zip(context.elves())
        .filter_map(|(index, elf)| Some((index, candidates(context, elf, without_limits)?)))
        .take(MAX_FILES)
        .collect();
    let mut left = MAX_BYTES;
    for (index, symbols) in candidates {
        let Some(elf) = context.archive.as_mut().ok().and_then(|all| all.elves.get_mut(index))
        else {
            continue;
        };
        let Some(bytes) = read(&elf.path, left.min(MAX_WHOLE_ELF)) else { continue };
        left = left.saturating_sub(bytes.len() as u64);
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        // No callers if the code is unreadable.
        let mut callers = isa::callers(&bytes, &symbols).unwrap_or_default();
        callers.retain(|_, names| !names.is_empty());
        for names in callers.values_mut() {
            names.truncate(MAX_CALLERS);
        }
        elf.callers = callers;
    }
    name_in_report(context);
}

/// The symbols of a file whose callers are wanted. `None` if there are none.
fn candidates(context: &AuditContext<'_>, elf: &Elf, without_limits: bool) -> Option<Vec<String>> {
    let facts = elf.loadable()?;
    if !matches!(elf.arch, Some(Arch::X86_64 | Arch::Aarch64)) {
        return None;
    }
    let limits = context.limits(elf.arch);
    let symbols: BTreeSet<&str> = if limits.is_empty() {
        if without_limits { floor_symbols(context, elf, facts) } else { BTreeSet::new() }
    } else {
        let too_new = |limits: &Limits, version: &str| {
            matches!(limits.version(version), VersionVerdict::TooNew | VersionVerdict::Unknown)
        };
        let needs = needs_of(facts).into_iter();
        let beyond = needs.filter(|need| limits.iter().any(|each| too_new(each, need.version)));
        beyond.flat_map(|need| need.symbols).collect()
    };
    let symbols: Vec<String> = symbols.into_iter().take(MAX_SYMBOLS).map(str::to_owned).collect();
    (!symbols.is_empty()).then_some(symbols)
}

/// The symbols that set the floor of glibc, in the files that set the wheel's.
fn floor_symbols<'a>(
    context: &AuditContext<'_>,
    elf: &Elf,
    facts: &'a ElfFacts,
) -> BTreeSet<&'a str> {
    let highest = context.facts.floor.get("GLIBC");
    let Some(version) = highest.filter(|&floor| elf.needs.floor().get("GLIBC") == Some(floor))
    else {
        return BTreeSet::new();
    };
    let name = format!("GLIBC_{version}");
    needs_of(facts)
        .into_iter()
        .filter(|need| need.version == name)
        .flat_map(|n| n.symbols)
        .collect()
}

/// Adds the callers to the culprits.
fn name_in_report(context: &mut AuditContext<'_>) {
    let Ok(contents) = &context.archive else { return };
    for elf in contents.elves.iter().filter(|elf| !elf.callers.is_empty()) {
        for report in context.facts.elf.iter_mut().filter(|report| report.path == elf.path) {
            for culprit in &mut report.culprits {
                let callers = culprit.symbol.as_ref().and_then(|symbol| elf.callers.get(symbol));
                culprit.callers = callers.cloned().unwrap_or_default();
            }
        }
    }
}
