//! Resolves the undefined symbols of a wheel's files as the loader does (glibc, `elf/dl-lookup.c`,
//! `elf/dl-version.c`; musl, `ldso/dynlink.c`).
//!
//! The version needs cover versioned symbols of system libraries. Any library in the file's scope may define an
//! unversioned symbol, so this module determines the system that it requires.

mod host;
mod outcome;
mod resolver;
mod scope;
mod shadowed;

pub(super) use host::Host;
pub(super) use shadowed::Shadowed;

use super::elf_file::Elf;
use resolver::Resolver;

/// Resolves the symbols of all files. Unversioned symbols of system libraries become version needs, which count for
/// the floor. Unresolved symbols are in [`Elf::unresolved`].
pub(super) fn resolve(elves: &mut [Elf], host: &Host, shadowed: &Shadowed) {
    let outcomes = Resolver::new(elves, host, shadowed).map(|resolver| resolver.outcomes());
    let mut outcomes = outcomes.unwrap_or_default().into_iter();
    for elf in elves {
        outcomes.next().unwrap_or_default().apply(elf);
    }
}
