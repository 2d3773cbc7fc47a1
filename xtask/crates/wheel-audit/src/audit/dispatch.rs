//! Code that runs only where another file of the wheel has asked the processor for it.
//!
//! No call is followed from file to file. A file takes part if it is linked with one that asks, or if its name
//! says that it is one of several. Whether the question guards the code is then unclear, and never certain.

use std::collections::BTreeSet;

use super::elf_file::Elf;
use crate::policy::{asks_for_itself, is_variant};

/// Marks as unclear what a file uses that does not ask by itself, where another file may ask for it.
pub(super) fn resolve(elves: &mut [Elf]) {
    let asking: BTreeSet<String> = elves.iter().filter(|elf| asks(elf)).flat_map(names).collect();
    let needed_by_asking: BTreeSet<String> =
        elves.iter().filter(|elf| asks(elf)).flat_map(needed).collect();
    for elf in elves {
        let is_variant = is_variant(file_name(&elf.path));
        let is_linked = needed(elf).iter().any(|name| asking.contains(name))
            || names(elf).iter().any(|name| needed_by_asking.contains(name));
        if let Some(Ok(facts)) = &mut elf.isa
            && (is_variant || is_linked)
        {
            facts.guard_elsewhere(is_variant);
        }
    }
}

fn asks(elf: &Elf) -> bool {
    matches!(&elf.isa, Some(Ok(facts)) if facts.asks_for_more())
        && !asks_for_itself(file_name(&elf.path))
}

/// The names that other files know it by.
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
