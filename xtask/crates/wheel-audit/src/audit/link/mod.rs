//! Links the files of a wheel as the loader does: where each symbol comes from that a file takes from
//! elsewhere (glibc, `elf/dl-lookup.c`, `elf/dl-version.c`; musl, `ldso/dynlink.c`).
//!
//! A symbol with a version is the loader's business only if a file of the wheel defines it: what the
//! version asks of a system is in the version needs. A symbol without one may come from any library
//! in the file's scope, and what it asks of a system shows only here.

mod astray;
mod host;
mod outcome;
mod resolver;
mod scope;

pub(super) use astray::Astray;
pub(super) use host::Host;
pub(super) use outcome::{Cause, Starter, Unresolved};

use super::elf_file::Elf;
use resolver::Resolver;

/// Resolves the symbols of all files. Those without a version that the system provides become version
/// needs, which count for the floor; the rest is noted in [`Elf::unresolved`].
pub(super) fn resolve(elves: &mut [Elf], host: &Host, astray: &Astray) {
    let outcomes = Resolver::new(elves, host, astray).map(|resolver| resolver.outcomes());
    let mut outcomes = outcomes.unwrap_or_default().into_iter();
    for elf in elves {
        outcomes.next().unwrap_or_default().apply(elf);
    }
}
