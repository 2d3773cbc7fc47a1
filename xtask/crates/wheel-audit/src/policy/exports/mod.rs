//! What system libraries export, and since which version (`data/exports/`).
//!
//! A reference without a version binds as glibc's `check_match` says (`elf/dl-lookup.c`): to the default
//! version of a symbol, or to the oldest version of its library. The tables hold what such a reference finds.

mod libraries;
mod table;

use self::libraries::{Library, libraries};
use super::Arch;

/// Does a library export a symbol, for a reference without a version?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// The library is in no table, or not for this machine.
    UnknownLibrary,
    /// No release of the library exports the symbol.
    Never,
    /// Since a version of the library: a symbol version (`GLIBC_2.34`) or, where the library has none,
    /// its own version (`2.74`). `0`: since ever.
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
    match libraries().iter().find(|library| library.is(soname)) {
        Some(library) => export(library, symbol, arch),
        None => Export::UnknownLibrary,
    }
}

/// The libraries that export `symbol` on `arch` in some version, for hints.
pub(crate) fn providers(symbol: &str, arch: Arch) -> Vec<&'static str> {
    let exports = |library: &&'static Library| {
        matches!(export(library, symbol, arch), Export::Since(_) | Export::Between { .. })
    };
    libraries().iter().filter(exports).map(Library::name).collect()
}

fn export(library: &'static Library, symbol: &str, arch: Arch) -> Export {
    let Some(base) = library.base(arch) else { return Export::UnknownLibrary };
    let Some(values) = table::find(library.table(), symbol) else { return Export::Never };
    // The first value is for every machine without one of its own: `GLIBC_2.2.5 aarch64=GLIBC_2.18`.
    let mut words = values.split(' ');
    let common = words.next().unwrap_or_default();
    let own = words.find_map(|word| {
        let (machine, value) = word.split_once('=')?;
        (machine == arch.wheel_name()).then_some(value)
    });
    let (since, until) = match own.unwrap_or(common).split_once("..") {
        Some((since, until)) => (since, Some(until)),
        None => (own.unwrap_or(common), None),
    };
    // A machine that glibc knows since 2.17 has nothing older.
    let since = if own.is_none() && is_older(since, base) { base } else { since };
    match (since, until) {
        ("-", _) => Export::Never,
        (since, Some(until)) => Export::Between { since, until },
        (since, None) => Export::Since(since),
    }
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
