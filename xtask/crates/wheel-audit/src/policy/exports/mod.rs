//! The exports of system libraries and interpreters, with their first versions (`data/exports/`).
//!
//! An unversioned reference binds to the default version of a symbol, or to the oldest version of its library
//! (glibc, `elf/dl-lookup.c`, `check_match`). The tables contain these versions.

mod interpreters;
mod libraries;
mod table;

use self::libraries::{Library, tables};
use super::Arch;

pub(crate) use self::interpreters::{Interpreter, interpreter_scope, of_interpreter};

/// The name of musl's table.
const MUSL: &str = "libc.so";

/// The export of a symbol by a library, for an unversioned reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// No table covers the library on this architecture.
    UnknownLibrary,
    /// No release of the library exports the symbol.
    Never,
    /// Since a version of the library: a symbol version (`GLIBC_2.34`), or a release (`2.74`) if the library has no
    /// symbol versions. `0`: before all covered systems, the oldest from 2016.
    Since(&'static str),
    /// As `Since`, but only before the version `until`: the symbol moved to another library, or only old binaries
    /// find it.
    Between {
        /// As in `Since`.
        since: &'static str,
        /// The first version that lacks it.
        until: &'static str,
    },
}

/// The export of `symbol` by `soname` on `arch`.
pub(crate) fn of_library(soname: &str, symbol: &str, arch: Arch) -> Export {
    match tables().libraries.iter().find(|library| library.is(soname)) {
        Some(library) => export(library, symbol, arch),
        None => Export::UnknownLibrary,
    }
}

/// The libraries of systems with glibc that export `symbol` on `arch` in any version, for hints.
pub(crate) fn providers(symbol: &str, arch: Arch) -> Vec<&'static str> {
    let exports = |library: &&'static Library| {
        library.name() != MUSL
            && matches!(export(library, symbol, arch), Export::Since(_) | Export::Between { .. })
    };
    tables().libraries.iter().filter(exports).map(Library::name).collect()
}

fn export(library: &'static Library, symbol: &str, arch: Arch) -> Export {
    let Some(base) = library.base(arch) else { return Export::UnknownLibrary };
    let Some(row) = table::find(library.table(), symbol) else { return Export::Never };
    match span(row, arch.wheel_name(), base) {
        None => Export::Never,
        Some((since, Some(until))) => Export::Between { since, until },
        Some((since, None)) => Export::Since(since),
    }
}

/// The first version and the end from a row of a table. The first value applies to every `column` without its own
/// value, as in `GLIBC_2.2.5 aarch64=GLIBC_2.18`. `-`: never.
fn span<'a>(row: &'a str, column: &str, base: &'a str) -> Option<(&'a str, Option<&'a str>)> {
    let mut words = row.split(' ');
    let common = words.next().unwrap_or_default();
    let own = words.find_map(|word| {
        let (name, value) = word.split_once('=')?;
        (name == column).then_some(value)
    });
    let value = own.unwrap_or(common);
    let (since, until) =
        value.split_once("..").map_or((value, None), |(since, until)| (since, Some(until)));
    // A version from before the architecture counts as the architecture's first version.
    let since = if own.is_none() && is_older(since, base) { base } else { since };
    (since != "-").then_some((since, until))
}

/// Returns whether `version` is older than `base` with the same prefix.
fn is_older(version: &str, base: &str) -> bool {
    let split = |text| str::rsplit_once(text, '_');
    let (Some((prefix, numbers)), Some((base_prefix, base_numbers))) =
        (split(version), split(base))
    else {
        return false;
    };
    prefix == base_prefix && numbers_of(numbers).lt(numbers_of(base_numbers))
}

fn numbers_of(text: &str) -> impl Iterator<Item = u32> {
    text.split('.').map(|part| part.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
