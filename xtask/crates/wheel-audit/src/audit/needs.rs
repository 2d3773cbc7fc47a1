//! The symbol versions that a file needs, each with the symbols that are bound to it.

use std::collections::BTreeMap;

use crate::elf::{ElfFacts, VersionNeed};
use crate::policy::Policies;

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
    let uses_glibc = elf.needed.iter().any(|library| library == "libc.so.6");
    elf.relative_relocations && uses_glibc && !has_node
}
