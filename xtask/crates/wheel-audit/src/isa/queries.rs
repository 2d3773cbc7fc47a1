//! What a function of an A64 file calls or reads to ask the processor through a library.

use super::{
    Question,
    code_file::CodeFile,
    tables::{Dynamic, Symbol, Symbols},
};

/// Sizes in bytes of the head of a procedure linkage table and of its stubs, without and with the
/// instructions for branch targets and pointer authentication (binutils, `elfnn-aarch64.c`).
const HEAD: u64 = 32;
const STUB: u64 = 16;
const LONG_STUB: u64 = 24;

/// What a function uses to ask the processor through a library ([`Question::Import`]).
#[derive(Debug, Clone, Default)]
pub(super) struct Queries {
    /// Addresses of the stubs that lead to such functions.
    pub(super) stubs: Vec<u64>,
    /// Addresses of the slots that hold the addresses of such functions and variables.
    pub(super) slots: Vec<u64>,
}

impl Queries {
    pub(super) fn of(elf: &CodeFile<'_>, dynamic: &Dynamic, symbols: &Symbols<'_>) -> Self {
        let (mut found, mut jumps, mut count) = (Self::default(), Vec::new(), 0);
        for each in dynamic.relocations(elf) {
            let symbol = symbols.get(each.symbol).filter(Symbol::is_import);
            let name = symbol.map(|symbol| symbols.name(&symbol)).unwrap_or_default();
            let is_query = Question::of_import(elf.machine, name).is_some();
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

/// Bytes of a stub in a procedure linkage table of `size` bytes that has at least `count` of them.
fn stub_size(size: u64, count: u64) -> u64 {
    if size >= HEAD + count * LONG_STUB { LONG_STUB } else { STUB }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_have_one_size_in_a_table() {
        assert_eq!(stub_size(32 + 10 * 16, 10), 16);
        assert_eq!(stub_size(32 + 10 * 24, 10), 24);
        assert_eq!(stub_size(32 + 10 * 16 + 32, 10), 16, "with a stub for TLS descriptors behind");
    }
}
