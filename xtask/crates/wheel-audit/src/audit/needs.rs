//! The symbol versions that a file needs, each with the symbols that are bound to it.

use std::collections::BTreeMap;

use crate::elf::{ElfFacts, VersionNeed};
use crate::policy::{LibcVersion, Policies};

/// The first glibc whose loader applies packed relative relocations (glibc 2.36, NEWS).
pub(super) const RELR_SINCE: LibcVersion = LibcVersion::new(2, 36);

/// A version need of a file with the symbols bound to it.
pub(super) struct SymbolNeed<'a> {
    pub(super) library: &'a str,
    pub(super) version: &'a str,
    /// In alphabetical order.
    pub(super) symbols: Vec<&'a str>,
    /// The file does not name the version: it is the first that has the symbols.
    pub(super) is_implied: bool,
}

/// The version needs that count: not those towards the loader, and not those flagged weak, without
/// which the loader goes on.
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

/// Does the file have packed relative relocations without the version that keeps older loaders from
/// loading it?
pub(super) fn lacks_relr_node(elf: &ElfFacts) -> bool {
    let has_node = elf.version_needs.iter().any(|need| need.version == "GLIBC_ABI_DT_RELR");
    elf.relative_relocations && !has_node
}

/// Does the file need glibc by itself? A linker adds the version to no other file.
pub(super) fn needs_glibc(elf: &ElfFacts) -> bool {
    elf.needed.iter().any(|library| library == "libc.so.6")
}
