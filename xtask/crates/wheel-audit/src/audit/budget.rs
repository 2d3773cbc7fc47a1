//! Limits the memory for the names in a wheel's ELF files: a few bytes of a malicious file can encode
//! thousands of overlapping names.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::elf_file::{Elf, ReadElf};
use crate::elf::ElfFacts;
use crate::policy::Policies;

/// Maximum estimated memory per wheel, in bytes. The estimate is about twice the real size. The maximum in 600
/// published wheels is 21 MiB (`pyside6_essentials`, 285 files).
const MAX_MEMORY: usize = 48 << 20;
/// Estimated size of a file, and of each import apart from its name, in bytes.
const FILE: usize = 2_048;
const IMPORT: usize = 96;
/// Estimated size of a need, which may become a finding.
const NEED: usize = 640;
/// Copies of a need: in facts, report, matrix and messages.
const COPIES: usize = 4;
/// Estimated size of a used processor feature.
const FEATURE: usize = 768;

/// The remaining budget for the files of one wheel.
pub(super) struct Budget {
    left: AtomicUsize,
    is_exceeded: AtomicBool,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: AtomicUsize::new(MAX_MEMORY), is_exceeded: AtomicBool::new(false) }
    }

    /// Returns whether the files exceed the budget.
    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }

    /// Counts a file. `false` if it exceeds the budget.
    pub(super) fn charge(&self, elf: &Elf) -> bool {
        let weight = weight(elf);
        let take = |left: usize| left.checked_sub(weight);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_err() {
            self.is_exceeded.store(true, Ordering::Relaxed);
        }
        !self.is_exceeded()
    }
}

/// Replaces all ELF files of a wheel that exceeds the budget. Otherwise the order of threads would decide which
/// files are checked. `first` is the path of the first of `count` files.
pub(super) fn too_much(first: String, count: usize) -> Elf {
    let mib = MAX_MEMORY >> 20;
    let reason = format!(
        "the names in the {count} ELF files of the wheel take more than {mib} MiB, so none of them was checked"
    );
    Elf::new(first, ReadElf { facts: Err(reason), isa: None })
}

/// Estimated memory for a file, in bytes.
fn weight(elf: &Elf) -> usize {
    let facts = elf.facts.as_ref().map_or(0, |facts| names(facts, elf.path.len()));
    let features = elf.isa.as_ref().and_then(|isa| isa.as_ref().ok());
    let features = features.map_or(0, |isa| isa.features.len() * FEATURE);
    FILE + COPIES * elf.path.len() + facts + features
}

fn names(facts: &ElfFacts, path: usize) -> usize {
    let need = |text: usize| NEED + COPIES * text + path;
    let versions: Vec<usize> =
        facts.version_needs.iter().map(|each| each.library.len() + each.version.len()).collect();
    let of_version = |index: Option<usize>| {
        index.and_then(|index| versions.get(index)).copied().unwrap_or_default()
    };
    let imports = facts.imports.iter().map(|each| {
        // Each may be a culprit with its version.
        IMPORT + 2 * each.name.len() + of_version(each.need)
    });
    let libraries = facts.needed.iter().filter(|library| !Policies::is_loader(library));
    let texts = [&facts.soname, &facts.rpath, &facts.runpath, &facts.interpreter];
    imports.sum::<usize>()
        + facts.exports.count() * size_of::<u32>()
        + facts.version_defs.iter().map(|name| IMPORT + name.len()).sum::<usize>()
        + versions.iter().map(|&text| need(text)).sum::<usize>()
        + libraries.map(|library| need(library.len())).sum::<usize>()
        + texts.into_iter().flatten().map(|text| COPIES * text.len()).sum::<usize>()
        + [&facts.module_inits, &facts.python_exports]
            .into_iter()
            .flatten()
            .map(|name| IMPORT + name.len())
            .sum::<usize>()
}
