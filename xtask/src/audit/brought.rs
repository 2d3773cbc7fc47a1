//! Which of the libraries that a file needs does the wheel bring itself?

use std::collections::BTreeSet;

use super::gather::Contents;

/// A library that lies in the wheel, under its file name or its own name, is not asked of the
/// system.
pub(super) fn leave_out(contents: &mut Contents) {
    let own = contents.elves.iter().filter_map(|elf| elf.facts.as_ref().ok()?.soname.clone());
    // Of wheels of which only the floor is asked, other files have no digest.
    let paths = contents.digests.keys().chain(contents.elves.iter().map(|elf| &elf.path));
    let files = paths.filter_map(|path| path.rsplit('/').next()).map(str::to_owned);
    let brought: BTreeSet<String> = own.chain(files).collect();
    for elf in &mut contents.elves {
        elf.needs.libraries.retain(|library| !brought.contains(library));
        elf.needs.symbols.retain(|library, _| !brought.contains(library));
    }
}
