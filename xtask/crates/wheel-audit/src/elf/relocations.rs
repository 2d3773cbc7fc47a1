//! The relocations with symbols: the minimum number of symbols, and the time of each lookup (gABI, "Relocation";
//! glibc, `elf/do-rel.h`).

use goblin::elf::dynamic::{
    DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ,
};

use super::{Binding, ElfError, dynamic::Dynamic, image::Image};

/// A table of relocations.
struct Table<'a> {
    bytes: &'a [u8],
    /// The size of an entry, in bytes.
    entry: usize,
    /// True if the entries are functions of the procedure linkage table (`DT_JMPREL`).
    is_for_calls: bool,
}

/// One more than the highest symbol of a relocation.
pub(super) fn symbol_count(image: &Image<'_>, dynamic: &Dynamic) -> Result<u64, ElfError> {
    let mut count = 0;
    for table in tables(image, dynamic) {
        let table = table?;
        // A plain loop, for speed: tables with hundreds of thousands of entries are common.
        for entry in table.bytes.chunks_exact(table.entry) {
            count = count.max(symbol(image, entry).saturating_add(1));
        }
    }
    Ok(count)
}

/// The time at which the loader looks up each symbol of a file.
pub(super) struct Uses {
    at_load: Bits,
    at_call: Bits,
    binds_now: bool,
}

impl Uses {
    /// Reads them for this number of symbols.
    pub(super) fn read(
        image: &Image<'_>,
        dynamic: &Dynamic,
        count: usize,
    ) -> Result<Self, ElfError> {
        let (mut at_load, mut at_call) = (Bits::new(count), Bits::new(count));
        for table in tables(image, dynamic) {
            let table = table?;
            let uses = if table.is_for_calls { &mut at_call } else { &mut at_load };
            for entry in table.bytes.chunks_exact(table.entry) {
                uses.set(symbol(image, entry));
            }
        }
        Ok(Self { at_load, at_call, binds_now: dynamic.binds_now() })
    }

    /// The time at which the loader looks up the symbol with this index.
    pub(super) fn of(&self, symbol: usize) -> Binding {
        match (self.at_load.get(symbol), self.at_call.get(symbol)) {
            (true, _) => Binding::Load,
            (false, true) if self.binds_now => Binding::Load,
            (false, true) => Binding::Call,
            (false, false) => Binding::Never,
        }
    }
}

/// The tables of relocations. If the first one overlaps the table for calls, the overlap counts only there (glibc,
/// `elf/dynamic-link.h`, `_ELF_DYNAMIC_DO_RELOC`).
fn tables<'a>(
    image: &Image<'a>,
    dynamic: &Dynamic,
) -> impl Iterator<Item = Result<Table<'a>, ElfError>> {
    let plt_has_addends = dynamic.get(DT_PLTREL) == Some(DT_RELA);
    let calls = dynamic.get(DT_JMPREL).zip(dynamic.get(DT_PLTRELSZ));
    let all = [
        (DT_RELA, DT_RELASZ, true),
        (DT_REL, DT_RELSZ, false),
        (DT_JMPREL, DT_PLTRELSZ, plt_has_addends),
    ];
    let ranges = all.map(|(table, size, addends)| {
        let (address, mut length) = dynamic.get(table).zip(dynamic.get(size))?;
        let is_for_calls = table == DT_JMPREL;
        if let Some((start, size)) = calls.filter(|_| !is_for_calls)
            && start.checked_add(size) == address.checked_add(length)
        {
            length = length.saturating_sub(size);
        }
        (length > 0).then_some((address, length, addends, is_for_calls))
    });
    let read = |(address, length, addends, is_for_calls)| {
        let entry = image.word_size() * if addends { 3 } else { 2 };
        let bytes = image.table(address, length, "relocations")?;
        Ok(Table { bytes, entry, is_for_calls })
    };
    ranges.into_iter().flatten().map(read).collect::<Vec<_>>().into_iter()
}

/// The symbol of a relocation. 0 if it has none.
fn symbol(image: &Image<'_>, entry: &[u8]) -> u64 {
    let shift = if image.is_64_bit() { 32 } else { 8 };
    image.word(entry, image.word_size()) >> shift
}

/// A set of small numbers.
struct Bits(Vec<u64>);

impl Bits {
    /// An empty set of numbers below `count`.
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, number: u64) {
        let word = usize::try_from(number / 64).ok().and_then(|index| self.0.get_mut(index));
        if let Some(word) = word {
            *word |= 1 << (number % 64);
        }
    }

    fn get(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}
