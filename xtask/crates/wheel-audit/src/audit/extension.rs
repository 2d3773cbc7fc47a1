//! The extension modules that Python imports from a wheel.

use super::elf_file::Elf;
use super::library;
use super::loading::{init_name, starts};
use crate::elf::ElfKind;
use crate::wheel::{ExtensionAbi, ExtensionSuffix};

/// An extension module that Python imports from a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extension {
    /// Its dotted name: `pkg._speedups`.
    pub(super) module: String,
    /// The ABI of its suffix. `None` for `NAME.so`, which every interpreter imports.
    pub(super) abi: Option<ExtensionAbi>,
}

/// The extension module in a file, if Python can import it.
pub(super) fn extension(elf: &Elf) -> Option<Extension> {
    let facts = elf.loadable().filter(|facts| facts.kind == ElfKind::Shared)?;
    let abi = ExtensionSuffix::parse(&elf.path).map(|suffix| suffix.abi);
    let name = init_name(&elf.path);
    let starts = match abi {
        Some(abi) => starts(facts, name, abi),
        None => elf.path.strip_suffix(".so").is_some() && starts(facts, name, ExtensionAbi::Stable),
    };
    let module = starts.then(|| library::module(&elf.path))??;
    Some(Extension { module, abi })
}
