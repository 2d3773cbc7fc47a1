//! Which of the libraries that a file needs does the wheel bring itself?

use std::collections::BTreeSet;

use super::{elf_file::Elf, search};
use crate::elf::ElfKind;

/// The machine that a file is for, whether or not it is one of ours; `None` if it cannot be judged.
type Machine = Option<(u16, bool, bool)>;

/// A library that lies in the wheel, under its file name or its own name, is not asked of the
/// system: a shared object for the same machine, whatever else has its name. One that cannot be
/// judged counts as such, since that is an error already.
pub(super) fn leave_out(elves: &mut [Elf]) {
    let bundled: BTreeSet<(Machine, String)> = elves.iter().flat_map(names).collect();
    expand_paths(elves, &bundled);
    for elf in elves {
        let own = machine(elf);
        let has =
            |name: &String| [own, None].iter().any(|&each| bundled.contains(&(each, name.clone())));
        elf.needs.libraries.retain(|library| !has(library));
        elf.needs.symbols.retain(|library, _| !has(library));
    }
}

/// Replaces needed paths with `$ORIGIN` or another variable by the names of the files of the wheel
/// that they lead to (glibc, `elf/dl-deps.c`, `expand_dst`). What `$LIB` and `$PLATFORM` stand for
/// depends on the system.
fn expand_paths(elves: &mut [Elf], bundled: &BTreeSet<(Machine, String)>) {
    let is_path = |name: &&mut String| name.contains('/') && name.contains('$');
    let place = |elf: &Elf| (machine(elf), search::installed(&elf.path));
    let places: BTreeSet<(Machine, String)> = elves.iter().map(place).collect();
    for elf in elves {
        let (own, path) = (machine(elf), elf.path.clone());
        let Ok(facts) = &mut elf.facts else { continue };
        for needed in facts.needed.iter_mut().filter(is_path) {
            let file = needed.rsplit('/').next().unwrap_or_default().to_owned();
            let is_there = match search::needed_place(&path, needed) {
                Some(place) => places.contains(&(own, place)),
                None => depends_on_system(needed) && bundled.contains(&(own, file.clone())),
            };
            if is_there {
                elf.needs.libraries.remove(needed.as_str());
                elf.expanded.insert(file.clone());
                *needed = file;
            }
        }
    }
}

/// Does a path have a variable whose value the system decides (`ld.so(8)`)?
fn depends_on_system(path: &str) -> bool {
    ["$LIB", "${LIB}", "$PLATFORM", "${PLATFORM}"].iter().any(|variable| path.contains(variable))
}

fn machine(elf: &Elf) -> Machine {
    let facts = elf.facts.as_ref().ok()?;
    Some((facts.machine, facts.is_64_bit, facts.little_endian))
}

/// The names under which a file is a library, each with its machine.
fn names(elf: &Elf) -> impl Iterator<Item = (Machine, String)> {
    let facts = elf.facts.as_ref().ok();
    let is_library = facts.is_none_or(|facts| facts.kind == ElfKind::Shared);
    let own = facts.and_then(|facts| facts.soname.clone());
    let file = elf.path.rsplit('/').next().map(str::to_owned);
    let machine = machine(elf);
    own.into_iter().chain(file).filter(move |_| is_library).map(move |name| (machine, name))
}
