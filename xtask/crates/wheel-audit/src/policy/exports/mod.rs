//! What system libraries and interpreters export, and since which version (`data/exports/`).
//!
//! A reference without a version binds as glibc's `check_match` says (`elf/dl-lookup.c`): to the default
//! version of a symbol, or to the oldest version of its library. The tables hold what such a reference finds.

mod interpreters;
mod libraries;
mod table;

use self::libraries::{Library, tables};
use super::Arch;

pub(crate) use self::interpreters::{Interpreter, interpreter_scope, of_interpreter};

/// The name of musl's table.
const MUSL: &str = "libc.so";

/// Does a library export a symbol, for a reference without a version?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// No table has the library for this machine.
    UnknownLibrary,
    /// No release of the library exports the symbol.
    Never,
    /// Since a version of the library: a symbol version (`GLIBC_2.34`) or, where the library has none,
    /// its own version (`2.74`). `0`: before all systems that were read, the oldest from 2016.
    Since(&'static str),
    /// The same, up to but not including the version `until`: the symbol moved to another library, or
    /// only old binaries find it.
    Between {
        /// As in `Since`.
        since: &'static str,
        /// The first version known to be without it.
        until: &'static str,
    },
}

/// What `soname` exports on `arch`.
pub(crate) fn of_library(soname: &str, symbol: &str, arch: Arch) -> Export {
    match tables().libraries.iter().find(|library| library.is(soname)) {
        Some(library) => export(library, symbol, arch),
        None => Export::UnknownLibrary,
    }
}

/// The libraries of systems with glibc that export `symbol` on `arch` in some version, for hints.
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

/// Since which version and until which one, by a row of a table: the first value is for every `column`
/// without one of its own, as in `GLIBC_2.2.5 aarch64=GLIBC_2.18`. `-`: never.
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
    // What older machines have from early on begins where the column begins.
    let since = if own.is_none() && is_older(since, base) { base } else { since };
    (since != "-").then_some((since, until))
}

/// Is `version` older than `base`, where both have the same prefix?
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
