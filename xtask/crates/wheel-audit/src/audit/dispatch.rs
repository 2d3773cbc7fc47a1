//! Code that runs only after another file of the wheel has checked the processor.
//!
//! The audit does not follow calls between files. A file counts as guarded elsewhere if it is linked with one
//! that checks the processor, or if its name is that of a variant. The guard is then unclear, never certain.

use std::collections::BTreeSet;

use super::elf_file::Elf;
use crate::policy::{checks_only_for_itself, is_variant};

/// Marks instructions as unclear if only another file may check the processor for them.
pub(super) fn resolve(elves: &mut [Elf]) {
    let checking: BTreeSet<String> =
        elves.iter().filter(|elf| checks_processor(elf)).flat_map(names).collect();
    let needed_by_checking: BTreeSet<String> =
        elves.iter().filter(|elf| checks_processor(elf)).flat_map(needed).collect();
    for elf in elves {
        let is_variant = is_variant(file_name(&elf.path));
        let is_linked = needed(elf).iter().any(|name| checking.contains(name))
            || names(elf).iter().any(|name| needed_by_checking.contains(name));
        if let Some(Ok(facts)) = &mut elf.isa
            && (is_variant || is_linked)
        {
            facts.guard_elsewhere(is_variant);
        }
    }
}

fn checks_processor(elf: &Elf) -> bool {
    matches!(&elf.isa, Some(Ok(facts)) if facts.checks_processor())
        && !checks_only_for_itself(file_name(&elf.path))
}

/// The soname and file name, by which other files need it.
fn names(elf: &Elf) -> Vec<String> {
    let soname = elf.loadable().and_then(|facts| facts.soname.clone());
    soname.into_iter().chain([file_name(&elf.path).to_owned()]).collect()
}

fn needed(elf: &Elf) -> Vec<String> {
    elf.loadable().map(|facts| facts.needed.clone()).unwrap_or_default()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
