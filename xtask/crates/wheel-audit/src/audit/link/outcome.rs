//! What linking a file comes to.

use std::collections::BTreeMap;

use crate::audit::elf_file::Elf;
use crate::elf::VersionNeed;

/// At most so many symbols of a file are kept that do not resolve for the same reason.
const MAX_SYMBOLS: usize = 256;

/// Symbols that a file takes from elsewhere and that nothing surely provides, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Unresolved {
    /// Why they do not resolve.
    pub(in crate::audit) cause: Cause,
    /// They are functions that the loader looks up at the first call.
    pub(in crate::audit) is_lazy: bool,
    /// The symbols, in the order of the file; no names where a version is missing as a whole.
    pub(in crate::audit) symbols: Vec<Symbol>,
}

/// A symbol as the file asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::audit) struct Symbol {
    /// Its name, mangled.
    pub(in crate::audit) name: String,
    /// The version, if the file names one.
    pub(in crate::audit) version: Option<String>,
}

/// Why a symbol does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) enum Cause {
    /// Nothing in scope exports it, and everything there is known.
    Nowhere,
    /// This library of the wheel does not define the version.
    VersionNotDefined(String),
    /// The file needs versions of this library, and not the library itself.
    LibraryNotNeeded(String),
    /// The interpreters that the wheel is for do not export it.
    NotOfInterpreter,
    /// Every interpreter has loaded the library that exports it, and the file does not need it.
    OfInterpreter {
        /// The library.
        library: String,
        /// Newer systems export it from the C library.
        has_moved: bool,
    },
    /// No library exports it from this version on.
    Until(&'static str),
    /// This library, which has no symbol versions, exports it since this release of its own.
    Release(String, &'static str),
    /// Nothing in scope exports it, but this file of the wheel does.
    OutOfScope(String),
    /// Nothing known in scope exports it; one of these libraries may.
    Unknown(Vec<String>),
}

/// How a file comes to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) enum Starter {
    /// Python imports it, or a module that needs it: with `RTLD_NOW` (`CPython`,
    /// `Python/dynload_shlib.c` and `Python/pystate.c`).
    Import,
    /// The kernel starts it, or a program that needs it.
    Program,
    /// Something opens it by its path.
    Path,
}

/// What linking a file comes to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Imports by index that a library of the system provides: library and version.
    pub(super) provided: Vec<(usize, String, &'static str)>,
    unresolved: BTreeMap<(Cause, bool), Vec<Symbol>>,
    starter: Option<Starter>,
}

impl Outcome {
    /// Nothing is known yet of a file but how it comes to be loaded.
    pub(super) fn of(starter: Starter) -> Self {
        Self { starter: Some(starter), ..Self::default() }
    }

    /// Notes that a symbol does not resolve.
    pub(super) fn add(&mut self, cause: Cause, is_lazy: bool, symbol: Symbol) {
        // Python binds all functions at once in what it imports.
        let is_lazy = is_lazy && self.starter != Some(Starter::Import);
        let symbols = self.unresolved.entry((cause, is_lazy)).or_default();
        if symbols.len() < MAX_SYMBOLS {
            symbols.push(symbol);
        }
    }

    /// Moves what was found into the file, and drops the names that nobody needs any more.
    pub(super) fn apply(self, elf: &mut Elf) {
        let unresolved = self.unresolved.into_iter();
        elf.unresolved = unresolved
            .map(|((cause, is_lazy), symbols)| Unresolved { cause, is_lazy, symbols })
            .collect();
        elf.starter = self.starter;
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
