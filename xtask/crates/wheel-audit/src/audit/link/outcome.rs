//! The result of linking a file.

use std::collections::BTreeMap;

use crate::audit::elf_file::Elf;
use crate::elf::VersionNeed;

/// Maximum number of unresolved symbols per file and cause.
const MAX_SYMBOLS: usize = 256;

/// Undefined symbols of a file that may not resolve, for the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Unresolved {
    /// The cause.
    pub(in crate::audit) cause: Cause,
    /// Whether they are functions that the loader resolves at the first call.
    pub(in crate::audit) is_lazy: bool,
    /// The symbols, in the order of the file. The names are empty if a whole version is missing.
    pub(in crate::audit) symbols: Vec<Symbol>,
}

/// An undefined symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::audit) struct Symbol {
    /// Its name, mangled.
    pub(in crate::audit) name: String,
    /// The version, if any.
    pub(in crate::audit) version: Option<String>,
}

/// The cause why a symbol does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) enum Cause {
    /// Nothing in scope exports it, and all exports there are known.
    Nowhere,
    /// This library of the wheel does not define the version.
    VersionNotDefined(String),
    /// The file needs versions of this library, but not the library itself.
    LibraryNotNeeded(String),
    /// The interpreters of the wheel's tags do not export it.
    NotOfInterpreter,
    /// Every interpreter loads the library that exports it, but the file does not need the library.
    OfInterpreter {
        /// The library.
        library: String,
        /// Whether the C library of newer systems exports it.
        has_moved: bool,
    },
    /// Libraries since this version no longer export it.
    Until(&'static str),
    /// This library without symbol versions exports it since this release.
    Release(String, &'static str),
    /// Nothing in scope exports it, but this file of the wheel does.
    OutOfScope(String),
    /// No known library in scope exports it, but one of these libraries may.
    Unknown(Vec<String>),
}

/// How a file is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) enum LoadedBy {
    /// Python imports it, or a module that needs it: with `RTLD_NOW` (`CPython`,
    /// `Python/dynload_shlib.c` and `Python/pystate.c`).
    Import,
    /// The kernel starts it, or a program that needs it.
    Program,
    /// Other code opens it by path.
    Path,
}

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
