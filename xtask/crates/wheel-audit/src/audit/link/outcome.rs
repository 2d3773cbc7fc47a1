//! The result of linking a file.

use std::collections::BTreeMap;

use crate::audit::elf_file::Elf;
use crate::audit::unresolved::{Cause, LoadedBy, Symbol, Unresolved};
use crate::elf::VersionNeed;

/// Maximum number of unresolved symbols per file and cause.
const MAX_SYMBOLS: usize = 256;

/// The result of linking a file.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Imports (by index) that a system library provides, with library and version.
    pub(super) provided: Vec<(usize, String, &'static str)>,
    unresolved: BTreeMap<(Cause, bool), Vec<Symbol>>,
    loaded_by: Option<LoadedBy>,
}

impl Outcome {
    /// An empty result for a file with this kind of loading.
    pub(super) fn of(loaded_by: LoadedBy) -> Self {
        Self { loaded_by: Some(loaded_by), ..Self::default() }
    }

    /// Adds an unresolved symbol.
    pub(super) fn add(&mut self, cause: Cause, is_lazy: bool, symbol: Symbol) {
        // Python binds all functions of modules at import.
        let is_lazy = is_lazy && self.loaded_by != Some(LoadedBy::Import);
        let symbols = self.unresolved.entry((cause, is_lazy)).or_default();
        if symbols.len() < MAX_SYMBOLS {
            symbols.push(symbol);
        }
    }

    /// Stores the result in the file, and drops names that are no longer needed.
    pub(super) fn apply(self, elf: &mut Elf) {
        let unresolved = self.unresolved.into_iter();
        elf.unresolved = unresolved
            .map(|((cause, is_lazy), symbols)| Unresolved { cause, is_lazy, symbols })
            .collect();
        elf.loaded_by = self.loaded_by;
        let Ok(facts) = &mut elf.facts else { return };
        let mut known: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for (import, library, version) in self.provided {
            let need = *known.entry((library.clone(), version)).or_insert_with(|| {
                let version = version.to_owned();
                elf.needs.versions.insert(version.clone());
                let need = VersionNeed { library, version, weak: false, is_implied: true };
                facts.version_needs.push(need);
                facts.version_needs.len() - 1
            });
            if let Some(import) = facts.imports.get_mut(import) {
                import.need = Some(need);
            }
        }
        elf.drop_names();
    }
}
