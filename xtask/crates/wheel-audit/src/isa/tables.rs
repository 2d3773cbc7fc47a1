//! Reads names, relocations and initialisers from the loader's tables and the symbol table.

use std::{collections::BTreeMap, ops::Range};

use goblin::elf::{
    dynamic::{
        DT_GNU_HASH, DT_HASH, DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_JMPREL, DT_PLTREL,
        DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ, DT_STRSZ, DT_STRTAB, DT_SYMTAB,
    },
    program_header::PT_DYNAMIC,
    section_header::{SHT_DYNSYM, SHT_SYMTAB, SectionHeader},
};

use super::{
    Machine,
    bytes::{u16_at, u32_at, u64_at},
    code_file::CodeFile,
};
use crate::elf::{FileBytes, FilteredStrings, Image, MAX_STRINGS, is_known_tag};

/// Maximum length of a name for reports, in bytes.
const MAX_NAME: u64 = 200;
/// Maximum memory for all names, in bytes. Reports contain only three places per feature.
const MAX_NAMES: usize = 8 << 20;
/// Maximum number of initialisers. Real files have fewer.
const MAX_INITS: u64 = 1 << 16;

/// An entry of a symbol table.
pub(super) struct Symbol {
    name: u32,
    /// The address. 0 for an import.
    pub(super) value: u64,
    pub(super) size: u64,
    info: u8,
    section: u16,
}

impl Symbol {
    pub(super) fn is_import(&self) -> bool {
        self.section == 0
    }

    /// Returns whether it is a function that the file defines.
    pub(super) fn is_function(&self) -> bool {
        !self.is_import() && matches!(self.info & 0xf, 2 | 10)
    }

    /// Returns whether it is a function that other files may call.
    pub(super) fn is_exported(&self) -> bool {
        self.is_function() && self.info >> 4 != 0
    }

    /// Returns whether it is a function that the loader selects (`STT_GNU_IFUNC`).
    pub(super) fn is_chosen(&self) -> bool {
        !self.is_import() && self.info & 0xf == 10
    }
}

/// Maximum size of a symbol table that the loader does not need, in bytes. Some files have hundreds of megabytes.
/// Only names are lost, because the unwind information contains the functions.
const MAX_BYTES: u64 = 16 << 20;

/// A symbol table with its names.
pub(super) struct Symbols<'a> {
    entries: &'a [u8],
    names: Texts<'a>,
    wide: bool,
}

/// The names of symbols, by their offset in the file.
struct Texts<'a> {
    file: &'a dyn FileBytes,
    place: Range<u64>,
    filtered: Option<&'a FilteredStrings>,
}

impl<'a> Texts<'a> {
    /// `None` if they are not in memory. For a large table, the names of interest were already extracted.
    fn of(image: &'a Image<'a>, offset: u64, size: u64) -> Option<Self> {
        let file = image.source();
        let place = offset..offset.checked_add(size)?;
        let filtered = file.names().filter(|names| names.table().start == offset);
        if filtered.is_none() && size <= MAX_STRINGS {
            image.file(offset, size)?;
        }
        Some(Self { file, place, filtered })
    }

    fn at(&self, place: u64) -> &'a [u8] {
        let Some(offset) = self.place.start.checked_add(place).filter(|at| *at < self.place.end)
        else {
            return &[];
        };
        let found = self.filtered.map_or_else(|| self.file.run(offset), |names| names.at(offset));
        let most = (self.place.end - offset).min(MAX_NAME);
        &found[..found.len().min(usize::try_from(most).unwrap_or(0))]
    }
}

impl<'a> Symbols<'a> {
    /// The full symbol table, which stripped files lack.
    pub(super) fn full(elf: &CodeFile<'a>) -> Option<Self> {
        Self::of_section(elf, elf.sections.iter().find(|each| each.sh_type == SHT_SYMTAB)?)
    }

    fn of_section(elf: &CodeFile<'a>, section: &SectionHeader) -> Option<Self> {
        let names = elf.sections.get(usize::try_from(section.sh_link).ok()?)?;
        if section.sh_size.saturating_add(names.sh_size) > MAX_BYTES {
            return None;
        }
        Some(Self {
            entries: elf.image.file(section.sh_offset, section.sh_size)?,
            names: Texts::of(elf.image, names.sh_offset, names.sh_size)?,
            wide: elf.wide,
        })
    }

    /// The dynamic symbols. Hash tables and relocations, or a section header, contain their number.
    pub(super) fn dynamic(elf: &CodeFile<'a>, dynamic: &Dynamic) -> Option<Self> {
        let find = || {
            let start = dynamic.get(DT_SYMTAB)?;
            let count = dynamic.symbols(elf)?;
            let size = dynamic.get(DT_STRSZ)?;
            let names = elf.image.mapped(dynamic.get(DT_STRTAB)?)?;
            let names =
                names.start..names.start.checked_add(size).filter(|&end| end <= names.end)?;
            Some(Self {
                entries: elf.at(start, count.checked_mul(if elf.wide { 24 } else { 16 })?)?,
                names: Texts::of(elf.image, names.start, size)?,
                wide: elf.wide,
            })
        };
        let section = || elf.sections.iter().find(|each| each.sh_type == SHT_DYNSYM);
        find().or_else(|| Self::of_section(elf, section()?))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Symbol> {
        self.entries.chunks_exact(self.entry_size()).map(|entry| self.read(entry))
    }

    pub(super) fn get(&self, index: u64) -> Option<Symbol> {
        let start = usize::try_from(index).ok()?.checked_mul(self.entry_size())?;
        Some(self.read(self.entries.get(start..start.checked_add(self.entry_size())?)?))
    }

    fn entry_size(&self) -> usize {
        if self.wide { 24 } else { 16 }
    }

    fn read(&self, entry: &[u8]) -> Symbol {
        let byte = |at: usize| entry.get(at).copied().unwrap_or(0);
        if self.wide {
            Symbol {
                name: u32_at(entry, 0),
                info: byte(4),
                section: u16_at(entry, 6),
                value: u64_at(entry, 8),
                size: u64_at(entry, 16),
            }
        } else {
            Symbol {
                name: u32_at(entry, 0),
                value: u64::from(u32_at(entry, 4)),
                size: u64::from(u32_at(entry, 8)),
                info: byte(12),
                section: u16_at(entry, 14),
            }
        }
    }

    /// The symbol's name, truncated to the maximum length.
    pub(super) fn name(&self, symbol: &Symbol) -> &'a [u8] {
        let rest = self.names.at(u64::from(symbol.name));
        rest.iter().position(|&byte| byte == 0).map_or(rest, |end| &rest[..end])
    }
}

/// The values of the dynamic section. The last one of a tag counts, as in glibc. Empty without a section.
pub(super) struct Dynamic(BTreeMap<u64, u64>);

impl Dynamic {
    pub(super) fn parse(elf: &CodeFile<'_>) -> Self {
        let find = || {
            let segment = elf.segment(PT_DYNAMIC)?;
            elf.at(segment.p_vaddr, segment.p_filesz)
        };
        let entries = find().unwrap_or_default().chunks_exact(2 * elf.word_size());
        let pairs = entries.map(|each| (elf.word(each, 0), elf.word(each, elf.word_size())));
        let pairs = pairs.take_while(|pair| pair.0 != 0);
        Self(pairs.filter(|pair| is_known_tag(pair.0)).collect())
    }

    fn get(&self, tag: u64) -> Option<u64> {
        self.0.get(&tag).copied()
    }

    fn symbols(&self, elf: &CodeFile<'_>) -> Option<u64> {
        let of_hash = || Some(u64::from(u32_at(elf.at(self.get(DT_HASH)?, 8)?, 4)));
        let of_gnu = || gnu_hash(elf, self.get(DT_GNU_HASH)?);
        let named = self.relocations(elf).map(|each| each.symbol + 1).max();
        [of_hash(), of_gnu(), named].into_iter().flatten().max()
    }

    /// All relocations of the tables, except packed ones (`DT_RELR`), whose values are in the file.
    pub(super) fn relocations<'a>(
        &self,
        elf: &CodeFile<'a>,
    ) -> impl Iterator<Item = Relocation> + 'a {
        let wide = elf.wide;
        let plt = self.get(DT_PLTREL).unwrap_or(if wide { DT_RELA } else { DT_REL });
        let tables = [
            (DT_RELA, DT_RELASZ, true),
            (DT_REL, DT_RELSZ, false),
            (DT_JMPREL, DT_PLTRELSZ, plt == DT_RELA),
        ];
        let mut all = Vec::new();
        for (start, size, addends) in tables {
            let bytes = self.get(start).zip(self.get(size));
            let bytes = bytes.and_then(|(start, size)| elf.at(start, size)).unwrap_or_default();
            let entry = elf.word_size() * if addends { 3 } else { 2 };
            all.push((bytes.chunks_exact(entry), addends));
        }
        let read = move |entry: &[u8], addends| Relocation::read(entry, wide, addends);
        all.into_iter()
            .flat_map(move |(entries, addends)| entries.map(move |entry| read(entry, addends)))
    }

    /// The functions that the loader runs.
    pub(super) fn initialisers(&self, elf: &CodeFile<'_>) -> Vec<u64> {
        let mut found: Vec<u64> = self.get(DT_INIT).into_iter().collect();
        let array = self.get(DT_INIT_ARRAY).zip(self.get(DT_INIT_ARRAYSZ));
        let Some((start, size)) = array.filter(|&(_, size)| size / 4 <= MAX_INITS) else {
            return found;
        };
        let slots = start..start.saturating_add(size);
        let entries = elf.at(start, size).unwrap_or_default().chunks_exact(elf.word_size());
        found.extend(entries.map(|entry| elf.word(entry, 0)));
        // A relocation overrides the value in the file.
        let relative = self.relocations(elf).filter(|each| slots.contains(&each.slot));
        found.extend(relative.filter_map(|each| each.addend));
        found.retain(|&address| address != 0 && address != u64::MAX);
        found
    }
}

/// The number of symbols in a GNU hash table: the end of its last chain.
fn gnu_hash(elf: &CodeFile<'_>, address: u64) -> Option<u64> {
    let head = elf.at(address, 16)?;
    let [buckets, first, bloom] = [0, 4, 8].map(|offset| u64::from(u32_at(head, offset)));
    let start = address.checked_add(16)?.checked_add(bloom * elf.word_size() as u64)?;
    let heads = elf.at(start, buckets * 4)?.chunks_exact(4);
    let last = u64::from(heads.map(|head| u32_at(head, 0)).max().unwrap_or(0));
    let Some(skip) = last.checked_sub(first).filter(|_| last != 0) else {
        return Some(first);
    };
    let mut chain = start.checked_add(buckets * 4)?.checked_add(skip * 4)?;
    for count in 1.. {
        if u32_at(elf.at(chain, 4)?, 0) & 1 == 1 {
            return Some(last + count);
        }
        chain += 4;
    }
    None
}

/// A value that the loader writes to an address.
pub(super) struct Relocation {
    pub(super) slot: u64,
    pub(super) symbol: u64,
    kind: u64,
    /// The addend. `None` if the slot contains it.
    pub(super) addend: Option<u64>,
}

impl Relocation {
    fn read(entry: &[u8], wide: bool, addends: bool) -> Self {
        let size = if wide { 8 } else { 4 };
        let word = |at: usize| {
            let whole = u64_at(entry, at);
            if wide { whole } else { u64::from(u32_at(entry, at)) }
        };
        let (info, (shift, mask)) = (word(size), if wide { (32, 0xffff_ffff) } else { (8, 0xff) });
        Self {
            slot: word(0),
            symbol: info >> shift,
            kind: info & mask,
            addend: addends.then(|| word(2 * size)),
        }
    }

    /// Returns whether the slot is for a stub of the procedure linkage table (`R_AARCH64_JUMP_SLOT`).
    pub(super) fn is_jump_slot(&self) -> bool {
        self.kind == 1026
    }

    /// Returns whether a resolver function computes the value (`R_*_IRELATIVE`).
    pub(super) fn is_chosen(&self, machine: Machine) -> bool {
        let kind = match machine {
            Machine::X86_64 => 37,
            Machine::I686 => 42,
            Machine::Aarch64 => 1032,
        };
        self.kind == kind
    }
}

/// Names by address, in compact form.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    text: Vec<u8>,
    places: Vec<(u64, Range<u32>)>,
}

impl Names {
    pub(super) fn push(&mut self, address: u64, name: &[u8]) {
        let start = self.text.len();
        let end = start + name.len();
        if end <= MAX_NAMES && !name.is_empty() {
            self.text.extend_from_slice(name);
            let [start, end] = [start, end].map(|each| u32::try_from(each).unwrap_or(0));
            self.places.push((address, start..end));
        }
    }

    /// Sorts the names. Call it before the first [`Self::get`]. The first name of an address counts.
    pub(super) fn sort(&mut self) {
        self.places.sort_by_key(|place| place.0);
        self.places.dedup_by_key(|place| place.0);
    }

    pub(super) fn get(&self, address: u64) -> Option<String> {
        let found = self.places.binary_search_by_key(&address, |place| place.0).ok()?;
        let range = &self.places.get(found)?.1;
        let name = self.text.get(range.start as usize..range.end as usize)?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}
