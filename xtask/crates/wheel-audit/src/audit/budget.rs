//! How much of what is read of a wheel's ELF files may be held: names are free for who makes a file,
//! since thousands of them can lie in the same few bytes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::elf_file::{Elf, ReadElf};
use crate::elf::ElfFacts;
use crate::policy::Policies;

/// What may be held of one wheel, in bytes, as far as it can be reckoned: about twice what it really
/// takes. Of some 600 published wheels the one with most, `pyside6_essentials` with 285 files, comes to 21
/// MiB.
const MOST: usize = 48 << 20;
/// What is held of a file in any case, and of each thing beside its name.
const FILE: usize = 2_048;
const IMPORT: usize = 96;
/// A need may come to a finding.
const NEED: usize = 640;
/// A need is in the facts, in the report, in the matrix, and in messages.
const COPIES: usize = 4;
/// What is told of the use of a feature.
const FEATURE: usize = 768;

/// What is left for the files of one wheel.
pub(super) struct Budget {
    left: AtomicUsize,
    is_spent: AtomicBool,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: AtomicUsize::new(MOST), is_spent: AtomicBool::new(false) }
    }

    /// Is there more than may be held?
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed)
    }

    /// Takes a file into account; `false` if there is no room for it.
    pub(super) fn charge(&self, elf: &Elf) -> bool {
        let weight = weight(elf);
        let take = |left: usize| left.checked_sub(weight);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_err() {
            self.is_spent.store(true, Ordering::Relaxed);
        }
        !self.is_spent()
    }
}

/// What stands for all ELF files of a wheel where there was too much: which of them were judged would
/// depend on the order in which threads came by. `first` is the first of so many.
pub(super) fn too_much(first: String, count: usize) -> Elf {
    let mib = MOST >> 20;
    let reason = format!(
        "the names in the {count} ELF files of the wheel take more than {mib} MiB, so none of them was checked"
    );
    Elf::new(first, ReadElf { facts: Err(reason), isa: None })
}

/// About how many bytes are held for a file.
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
        // Each may be named with its version as what sets the floor.
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
