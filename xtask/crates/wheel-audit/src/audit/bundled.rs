//! Removes bundled libraries from the needs of files.

use std::collections::BTreeSet;

use super::{elf_file::Elf, search};
use crate::elf::ElfKind;

/// The machine of a file, known or not. `None` if the file is unreadable.
type Machine = Option<(u16, bool, bool)>;

/// Removes needs that a library of the wheel fulfils: a shared object for the same machine, by file name or
/// soname. An unreadable file also counts, because it is an error already.
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

/// Replaces needed paths with `$ORIGIN` or another variable by the names of the wheel's files at these paths
/// (glibc, `elf/dl-deps.c`, `expand_dst`). The values of `$LIB` and `$PLATFORM` depend on the system.
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

/// Returns whether a path contains a variable that depends on the system (`ld.so(8)`).
fn depends_on_system(path: &str) -> bool {
    ["$LIB", "${LIB}", "$PLATFORM", "${PLATFORM}"].iter().any(|variable| path.contains(variable))
}

fn machine(elf: &Elf) -> Machine {
    let facts = elf.facts.as_ref().ok()?;
    Some((facts.machine, facts.is_64_bit, facts.little_endian))
}

/// The file name and soname of a library, each with its machine.
fn names(elf: &Elf) -> impl Iterator<Item = (Machine, String)> {
    let facts = elf.facts.as_ref().ok();
    let is_library = facts.is_none_or(|facts| facts.kind == ElfKind::Shared);
    let own = facts.and_then(|facts| facts.soname.clone());
    let file = elf.path.rsplit('/').next().map(str::to_owned);
    let machine = machine(elf);
    own.into_iter().chain(file).filter(move |_| is_library).map(move |name| (machine, name))
}
