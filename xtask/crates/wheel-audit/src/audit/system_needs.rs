//! What the files of a wheel need of the system, each need with the first file that has it.

use std::collections::BTreeMap;

use super::{
    elf_file::Elf,
    loading::{Role, Roles, is_linux_module},
    needs::needs_of,
    non_elf,
};
use crate::elf::{ElfFacts, Refusal};
use crate::isa::Level;
use crate::policy::{Arch, Policies};
use crate::wheel::{ExtensionAbi, ExtensionSuffix};

/// From this `CPython` on the suffix of modules tells musl from glibc on every system (bpo-43112).
const TELLS_MUSL: (u8, u8) = (3, 11);

/// All that loading a wheel's files takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SystemNeeds {
    /// The machine they are for; `None` without machine code, or if it is none of ours.
    pub(super) arch: Option<Arch>,
    /// What the code needs of the processor, where it was read.
    pub(super) level: Option<Level>,
    /// Symbol versions of libraries that the wheel does not bring.
    pub(super) versions: BTreeMap<String, Need>,
    /// Versions of glibc's loader itself, which counts for no floor.
    pub(super) loader_versions: BTreeMap<String, Need>,
    /// The libraries themselves.
    pub(super) libraries: BTreeMap<String, Need>,
    /// The loaders that executables name.
    pub(super) loaders: BTreeMap<String, Need>,
    /// A module whose name only interpreters on glibc look for.
    pub(super) glibc_module: Option<String>,
    /// One for musl.
    pub(super) musl_module: Option<String>,
    /// Modules, and libraries that files need, which a loader refuses, for each reason the first.
    pub(super) refused: BTreeMap<Refusal, String>,
    /// A module for Linux that is no ELF file, and what it is.
    pub(super) non_elf: Option<(String, &'static str)>,
    /// There are files with machine code, and all of them are for other machines: one of them.
    pub(super) foreign: Option<String>,
}

/// The file that needs something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// The file.
    pub(super) path: String,
    /// A symbol that is bound to it.
    pub(super) symbol: Option<String>,
}

impl Need {
    fn of(path: &str, symbol: Option<&&str>) -> Self {
        Self { path: path.to_owned(), symbol: symbol.map(|&symbol| symbol.to_owned()) }
    }
}

impl SystemNeeds {
    /// Gathers them from the files for a machine.
    pub(super) fn of(elves: &[Elf], arch: Option<Arch>) -> Self {
        let mut system_needs = Self { arch, ..Self::default() };
        let loadable = elves.iter().filter_map(|elf| Some((elf, elf.loadable()?)));
        let (own, foreign): (Vec<_>, Vec<_>) = loadable.partition(|(elf, _)| elf.arch == arch);
        for &(elf, facts) in &own {
            system_needs.add(elf, facts);
        }
        system_needs.add_refused(elves);
        let levels = own.iter().filter_map(|(elf, _)| elf.level());
        system_needs.level = levels.reduce(|all, level| all.with(level.features()));
        let other = if arch.is_none() { own.first() } else { None };
        let other = other.or_else(|| foreign.first().filter(|_| own.is_empty()));
        system_needs.foreign = other.map(|(elf, _)| elf.path.clone());
        system_needs
    }

    /// Notes what is no machine code at all.
    pub(super) fn add_non_elf(&mut self, non_elf: &[(String, non_elf::Kind)]) {
        let found = non_elf.iter().find(|(path, _)| is_linux_module(path));
        self.non_elf = found.map(|(path, kind)| (path.clone(), kind.as_str()));
    }

    fn add_refused(&mut self, elves: &[Elf]) {
        let roles = Roles::of(elves);
        for elf in elves.iter().filter(|elf| elf.arch == self.arch) {
            let Ok(facts) = &elf.facts else { continue };
            if facts.refusals.is_empty()
                || !matches!(roles.role(elf, facts), Role::Module | Role::Needed)
            {
                continue;
            }
            for &refusal in &facts.refusals {
                self.refused.entry(refusal).or_insert_with(|| elf.path.clone());
            }
        }
    }

    fn add(&mut self, elf: &Elf, facts: &ElfFacts) {
        let path = elf.path.as_str();
        for need in needs_of(facts) {
            if need.is_implied || elf.needs.libraries.contains(need.library) {
                let first = || Need::of(path, need.symbols.first());
                self.versions.entry(need.version.to_owned()).or_insert_with(first);
            }
        }
        let of_loader =
            |need: &&crate::elf::VersionNeed| !need.weak && Policies::is_loader(&need.library);
        for need in facts.version_needs.iter().filter(of_loader) {
            let first = || Need::of(path, None);
            self.loader_versions.entry(need.version.clone()).or_insert_with(first);
        }
        for library in &elf.needs.libraries {
            self.libraries.entry(library.clone()).or_insert_with(|| Need::of(path, None));
        }
        if let Some(loader) = &facts.interpreter {
            self.loaders.entry(loader.clone()).or_insert_with(|| Need::of(path, None));
        }
        let Some((platform, ExtensionAbi::Interpreter(interpreter))) =
            ExtensionSuffix::parse(path).and_then(|suffix| Some((suffix.platform?, suffix.abi)))
        else {
            return;
        };
        if interpreter.is_cpython() && interpreter.python_version() >= TELLS_MUSL {
            let musl = platform.contains("-musl");
            let module = if musl { &mut self.musl_module } else { &mut self.glibc_module };
            module.get_or_insert_with(|| path.to_owned());
        }
    }
}
