//! Calls and variables with which A64 code checks the processor through a library.

use super::{
    ProcessorCheck,
    code_file::CodeFile,
    tables::{Dynamic, Symbol, Symbols},
};

/// Sizes of the header of a procedure linkage table and of its stubs, without and with instructions for branch
/// targets and pointer authentication, in bytes (binutils, `elfnn-aarch64.c`).
const HEAD: u64 = 32;
const STUB: u64 = 16;
const LONG_STUB: u64 = 24;

/// The library functions and variables for processor checks ([`ProcessorCheck::Import`]).
#[derive(Debug, Clone, Default)]
pub(super) struct Queries {
    /// Addresses of the stubs for such functions.
    pub(super) stubs: Vec<u64>,
    /// Addresses of the slots for such functions and variables.
    pub(super) slots: Vec<u64>,
}

impl Queries {
    pub(super) fn of(elf: &CodeFile<'_>, dynamic: &Dynamic, symbols: &Symbols<'_>) -> Self {
        let (mut found, mut jumps, mut count) = (Self::default(), Vec::new(), 0);
        for each in dynamic.relocations(elf) {
            let symbol = symbols.get(each.symbol).filter(Symbol::is_import);
            let name = symbol.map(|symbol| symbols.name(&symbol)).unwrap_or_default();
            let is_query = ProcessorCheck::of_import(elf.machine, name).is_some();
            if each.is_jump_slot() {
                jumps.extend(is_query.then_some(count));
                count += 1;
            }
            found.slots.extend(is_query.then_some(each.slot));
        }
        let plt = elf.sections.iter().find(|each| elf.is_named(each, b".plt\0"));
        if let Some(plt) = plt {
            let size = stub_size(plt.sh_size, count);
            let stub = |index| plt.sh_addr.saturating_add(HEAD + index * size);
            found.stubs = jumps.into_iter().map(stub).collect();
        }
        found.stubs.sort_unstable();
        found.slots.sort_unstable();
        found
    }
}

/// The size of a stub in a procedure linkage table of `size` bytes with at least `count` stubs, in bytes.
fn stub_size(size: u64, count: u64) -> u64 {
    if size >= HEAD + count * LONG_STUB { LONG_STUB } else { STUB }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stubs_of_a_table_have_the_same_size() {
        assert_eq!(stub_size(32 + 10 * 16, 10), 16);
        assert_eq!(stub_size(32 + 10 * 24, 10), 24);
        assert_eq!(stub_size(32 + 10 * 16 + 32, 10), 16, "followed by a stub for TLS descriptors");
    }
}
