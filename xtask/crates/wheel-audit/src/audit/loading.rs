//! The role of each file of a wheel when it is loaded, and whether the loader rejects it.

use std::collections::BTreeSet;

use super::elf_file::Elf;
use crate::elf::{ElfFacts, Refusal};
use crate::policy::Arch;
use crate::wheel::{ExtensionAbi, ExtensionSuffix, is_identifier};

/// The role of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Python imports it.
    Module,
    /// A file of the wheel needs it.
    Needed,
    /// It is named like a library and may be loaded by path.
    Library,
    /// A program or another file.
    Other,
}

/// The libraries that files of a wheel need, by architecture.
pub(super) struct Roles<'a> {
    needed: BTreeSet<(Option<Arch>, &'a str)>,
}

impl<'a> Roles<'a> {
    pub(super) fn of(elves: &'a [Elf]) -> Self {
        let facts = elves.iter().filter_map(|elf| Some((elf, elf.facts.as_ref().ok()?)));
        let needed = facts
            .flat_map(|(elf, facts)| facts.needed.iter().map(|name| (elf.arch, name.as_str())));
        Self { needed: needed.collect() }
    }

    /// The role of this file.
    pub(super) fn role(&self, elf: &Elf, facts: &ElfFacts) -> Role {
        let file = file_name(&elf.path);
        let names = facts.soname.as_deref().into_iter().chain([file]);
        if is_module_name(&elf.path)
            || !facts.module_inits.is_empty() && file.strip_suffix(".so").is_some()
        {
            Role::Module
        } else if names.into_iter().any(|name| self.needed.contains(&(elf.arch, name))) {
            Role::Needed
        } else if is_library_name(file) {
            Role::Library
        } else {
            Role::Other
        }
    }
}

/// Returns whether Python imports files of this name: with the suffix of an interpreter, or `NAME.so`. Excludes names
/// that start with `lib`, which are usually libraries.
pub(super) fn is_module_name(path: &str) -> bool {
    let plain = file_name(path).strip_suffix(".so");
    let is_plain = |name: &str| is_identifier(name) && name.strip_prefix("lib").is_none();
    ExtensionSuffix::parse(path).is_some() || plain.is_some_and(is_plain)
}

/// Returns whether only interpreters on Linux import files of this name.
pub(super) fn is_linux_module(path: &str) -> bool {
    let is_linux = |platform: &String| platform.contains("-linux");
    ExtensionSuffix::parse(path).is_some_and(|suffix| suffix.platform.as_ref().is_none_or(is_linux))
}

/// Returns whether it is a name such as `libx.so` or `libx.so.1`.
fn is_library_name(file: &str) -> bool {
    file.strip_suffix(".so").is_some() || file.contains(".so.")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path of a module without its suffix.
pub(super) fn stem(path: &str) -> &str {
    let file = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path.get(file..).and_then(|name| name.find('.'));
    dot.and_then(|dot| path.get(..file + dot)).unwrap_or(path)
}

/// The last part of the module's dotted name: `pkg` for `pkg/__init__.abi3.so`.
pub(super) fn init_name(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = file.split('.').next().unwrap_or(file);
    let package = folder.rsplit('/').next().filter(|package| !package.is_empty());
    if name == "__init__" { package.unwrap_or(name) } else { name }
}

/// Returns whether the file exports the init function of the module `name`.
pub(super) fn starts(facts: &ElfFacts, name: &str, abi: ExtensionAbi) -> bool {
    let has = |prefix: &str| {
        let rest = |init: &String| init.strip_prefix(prefix).map(str::to_owned);
        facts.module_inits.iter().filter_map(rest).any(|rest| rest == name)
    };
    if !name.is_ascii() {
        // The exported name is in punycode. Comparing it is unnecessary, because files rarely have two modules.
        return facts
            .module_inits
            .iter()
            .any(|init| init.starts_with("PyInitU_") || init.starts_with("PyModExportU_"));
    }
    let is_pypy = matches!(abi, ExtensionAbi::Interpreter(own) if own.is_pypy());
    has("PyInit_") || has("PyModExport_") || is_pypy && has("_cffi_pypyinit_")
}

/// The reason why the C library's loader rejects the file.
pub(super) fn refusal(facts: &ElfFacts, is_musl: bool) -> Option<Refusal> {
    facts.refusals.iter().copied().find(|refusal| !is_musl || refusal.is_musls())
}
