//! An ELF file of a wheel with its needs.

use std::collections::{BTreeMap, BTreeSet};

use super::needs::needs_of;
use super::unresolved::{LoadedBy, Unresolved};
use crate::elf::{Binding, ElfFacts, ElfKind, Import};
use crate::isa::{IsaFacts, Level};
use crate::policy::{Arch, Policies, Requirements};

/// The callers of symbols, by symbol.
pub(super) type Callers = BTreeMap<String, Vec<String>>;

/// The facts of an ELF file, or the reason why it is unreadable. `isa` is `None` if the code was not read.
pub(super) struct ReadElf {
    pub(super) facts: Result<ElfFacts, String>,
    pub(super) isa: Option<Result<IsaFacts, String>>,
}

/// An ELF file of the wheel.
pub(super) struct Elf {
    pub(super) path: String,
    /// The facts, or the reason why the file is unreadable.
    pub(super) facts: Result<ElfFacts, String>,
    /// The processor features that its code uses. `None` if the code was not read.
    pub(super) isa: Option<Result<IsaFacts, String>>,
    /// Its needs, without bundled libraries. Empty if the file is unreadable.
    pub(super) needs: Requirements,
    /// The architecture, if it is known.
    pub(super) arch: Option<Arch>,
    /// The callers of symbols that are too new.
    pub(super) callers: Callers,
    /// The symbols that may not resolve.
    pub(super) unresolved: Vec<Unresolved>,
    /// How the file is loaded. `None` if unknown.
    pub(super) loaded_by: Option<LoadedBy>,
    /// Names of the wheel's files that it needs by a path with a variable such as `$ORIGIN`.
    pub(super) expanded: BTreeSet<String>,
}

impl Elf {
    pub(super) fn new(path: String, read: ReadElf) -> Self {
        let ReadElf { mut facts, isa } = read;
        let needs = facts.as_ref().map(requirements).unwrap_or_default();
        if let Ok(facts) = &mut facts {
            // Drop unused symbols: a wheel may have thousands of files with thousands of symbols.
            let is_looked_up = |import: &Import| !import.weak && import.binding != Binding::Never;
            facts.imports.retain(|import| is_kept(import) || is_looked_up(import));
            facts.imports.shrink_to_fit();
        }
        let machine =
            |elf: &ElfFacts| Arch::from_elf(elf.machine, elf.is_64_bit, elf.little_endian);
        let arch = facts.as_ref().ok().and_then(machine);
        let (callers, unresolved, loaded_by) = (Callers::new(), Vec::new(), None);
        let expanded = BTreeSet::new();
        Self { path, facts, isa, needs, arch, callers, unresolved, loaded_by, expanded }
    }

    /// Drops the names of symbols that are unused after linking.
    pub(super) fn drop_names(&mut self) {
        if let Ok(facts) = &mut self.facts {
            facts.imports.retain(is_kept);
            facts.imports.shrink_to_fit();
        }
    }

    /// Returns whether other files need it by this name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let soname = self.facts.as_ref().ok().and_then(|facts| facts.soname.as_deref());
        soname == Some(name) || self.path.rsplit('/').next() == Some(name)
    }

    /// The level that its code always needs, if known.
    pub(super) fn level(&self) -> Option<Level> {
        self.isa.as_ref()?.as_ref().ok().map(|facts| facts.required)
    }

    /// Returns whether the linker marked the file for newer processors than the baseline.
    pub(super) fn is_marked(&self) -> bool {
        /// `GNU_PROPERTY_X86_ISA_1_BASELINE`, which every processor has.
        const BASELINE: u32 = 1;
        let bits = self.facts.as_ref().ok().and_then(|facts| facts.isa_needed);
        bits.is_some_and(|bits| bits & !BASELINE != 0)
    }

    /// The facts, if the file is readable and not an object file.
    pub(super) fn loadable(&self) -> Option<&ElfFacts> {
        self.facts.as_ref().ok().filter(|facts| facts.kind != ElfKind::Object)
    }
}

/// Returns whether it is a symbol of the interpreter, or one with a version.
fn is_kept(import: &Import) -> bool {
    import.need.is_some() || import.name.starts_with("Py") || import.name.starts_with("_Py")
}

fn requirements(elf: &ElfFacts) -> Requirements {
    let versions = needs_of(elf).iter().map(|need| need.version.to_owned()).collect();
    let libraries = elf.needed.iter().filter(|library| !Policies::is_loader(library));
    let libraries: BTreeSet<String> = libraries.cloned().collect();
    let mut symbols: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for library in libraries.iter().filter(|library| Policies::builtin().has_bans(library)) {
        let strong = elf.imports.iter().filter(|import| !import.weak);
        let forbidden = strong.filter(|import| Policies::builtin().forbids(library, &import.name));
        let forbidden: BTreeSet<String> = forbidden.map(|import| import.name.clone()).collect();
        if !forbidden.is_empty() {
            symbols.insert(library.clone(), forbidden);
        }
    }
    Requirements { versions, libraries, symbols }
}
