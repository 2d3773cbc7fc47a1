//! The symbol versions that a file needs, each with the symbols that are bound to it.

use std::collections::BTreeMap;

use crate::elf::{ElfFacts, VersionNeed};
use crate::policy::{LibcVersion, Policies};

/// The first glibc that supports packed relative relocations (glibc 2.36, NEWS).
pub(super) const RELR_SINCE: LibcVersion = LibcVersion::new(2, 36);

/// A version need of a file with the symbols bound to it.
pub(super) struct SymbolNeed<'a> {
    pub(super) library: &'a str,
    pub(super) version: &'a str,
    /// Sorted.
    pub(super) symbols: Vec<&'a str>,
    /// The file does not record the version. It is the first one with the symbols.
    pub(super) is_implied: bool,
}

/// The version needs of a file, except those of the loader and weak ones, which may be missing.
pub(super) fn needs_of(elf: &ElfFacts) -> Vec<SymbolNeed<'_>> {
    let mut symbols: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for import in &elf.imports {
        if let Some(need) = import.need {
            symbols.entry(need).or_default().push(&import.name);
        }
    }
    let counts =
        |(_, need): &(usize, &VersionNeed)| !need.weak && !Policies::is_loader(&need.library);
    let needs = elf.version_needs.iter().enumerate().filter(counts);
    needs
        .map(|(index, need)| {
            let mut symbols = symbols.remove(&index).unwrap_or_default();
            symbols.sort_unstable();
            let (library, version) = (need.library.as_str(), need.version.as_str());
            SymbolNeed { library, version, symbols, is_implied: need.is_implied }
        })
        .collect()
}

/// Returns whether the file has packed relative relocations without the version that makes older loaders reject it.
pub(super) fn lacks_relr_node(elf: &ElfFacts) -> bool {
    let has_node = elf.version_needs.iter().any(|need| need.version == "GLIBC_ABI_DT_RELR");
    elf.relative_relocations && !has_node
}

/// Returns whether the file itself needs glibc. Linkers add the version only to such files.
pub(super) fn needs_glibc(elf: &ElfFacts) -> bool {
    elf.needed.iter().any(|library| library == "libc.so.6")
}
