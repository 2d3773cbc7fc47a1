//! The dynamic section, with the loader's instructions.

use std::collections::BTreeMap;

use goblin::elf::dynamic::{
    DF_1_NOW, DF_BIND_NOW, DF_STATIC_TLS, DF_TEXTREL, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1,
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_NEEDED, DT_NULL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ,
    DT_RELSZ, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_TEXTREL,
    DT_VERDEF, DT_VERNEED, DT_VERSYM,
};

use super::{
    ElfError,
    image::{Image, MAX_NAME},
};

/// Packed relative relocations (gABI, 2018). goblin has no constant for it.
const DT_RELR: u64 = 36;
/// The library of a filter object (Sun's extension to the gABI). The loader loads it too.
const DT_FILTER: u64 = 0x7fff_ffff;
/// Maximum size of a symbol table to request before its real size is known, in bytes.
const MAX_GUESS: u64 = 16 << 20;
/// Maximum size of a string table that is held as a whole, in bytes.
pub(crate) const MAX_STRINGS: u64 = 32 << 20;
/// Maximum number of needed libraries.
const MAX_NEEDED: usize = 1 << 12;
/// Maximum size of their names together, in bytes.
const MAX_NEEDED_BYTES: usize = 1 << 20;

/// Returns whether it is a tag of the gABI or of GNU. A malicious file may contain a million other tags.
pub(crate) fn is_known(tag: u64) -> bool {
    tag < 64 || (0x6fff_fe00..=0x6fff_ffff).contains(&tag)
}

/// The entries of the dynamic section. The last entry with a tag counts, as in glibc.
pub(super) struct Dynamic {
    values: BTreeMap<u64, u64>,
    needed: Vec<u64>,
}

impl Dynamic {
    pub(super) fn parse(image: &Image<'_>, address: u64) -> Result<Self, ElfError> {
        let bytes = image.at(address, "dynamic section")?;
        let mut dynamic = Self { values: BTreeMap::new(), needed: Vec::new() };
        for entry in bytes.chunks_exact(2 * image.word_size()) {
            let (tag, value) = (image.word(entry, 0), image.word(entry, image.word_size()));
            match tag {
                DT_NULL => return Ok(dynamic),
                DT_NEEDED | DT_FILTER if dynamic.needed.len() == MAX_NEEDED => {
                    return Err(ElfError::TooMany("needed libraries"));
                }
                DT_NEEDED | DT_FILTER => dynamic.needed.push(value),
                _ if is_known(tag) => drop(dynamic.values.insert(tag, value)),
                _ => {}
            }
        }
        Err(ElfError::Dynamic("no end"))
    }

    /// Requests all tables at once, so that a large file does not need a pass for each.
    pub(super) fn request_tables(&self, image: &Image<'_>) {
        let known = [(DT_RELA, DT_RELASZ), (DT_REL, DT_RELSZ), (DT_JMPREL, DT_PLTRELSZ)];
        let strings = Some((DT_STRTAB, DT_STRSZ)).filter(|_| !self.has_many_strings());
        for (table, size) in known.into_iter().chain(strings) {
            if let (Some(address), Some(size)) = (self.get(table), self.get(size)) {
                image.request_at(address, size);
            }
        }
        if let (Some(symbols), Some(size)) = (self.get(DT_SYMTAB), self.symbol_bytes()) {
            let size = size.min(MAX_GUESS);
            image.request_at(symbols, size);
            if let Some(address) = self.get(DT_VERSYM) {
                image.request_at(address, size / 12);
            }
        }
        for table in [DT_HASH, DT_GNU_HASH, DT_VERNEED, DT_VERDEF] {
            if let Some(address) = self.get(table) {
                image.request_at(address, 1 << 16);
            }
        }
    }

    /// Maximum size of the symbol table, up to the start of the next table, in bytes.
    pub(super) fn symbol_bytes(&self) -> Option<u64> {
        let start = self.get(DT_SYMTAB)?;
        let tables = [
            DT_STRTAB,
            DT_VERSYM,
            DT_GNU_HASH,
            DT_HASH,
            DT_VERDEF,
            DT_VERNEED,
            DT_RELA,
            DT_REL,
            DT_JMPREL,
        ];
        tables
            .iter()
            .filter_map(|&table| self.get(table)?.checked_sub(start))
            .filter(|&size| size > 0)
            .min()
    }

    /// Returns whether the string table is too large to hold as a whole.
    pub(super) fn has_many_strings(&self) -> bool {
        self.get(DT_STRSZ).is_some_and(|size| size > MAX_STRINGS)
    }

    /// The value of a tag.
    pub(super) fn get(&self, tag: u64) -> Option<u64> {
        self.values.get(&tag).copied()
    }

    /// A string of the string table with less than `limit` bytes.
    pub(super) fn string(
        &self,
        image: &Image<'_>,
        offset: u64,
        limit: usize,
        what: &'static str,
    ) -> Result<String, ElfError> {
        let table = self.get(DT_STRTAB).ok_or(ElfError::Dynamic("no string table"))?;
        let address =
            table.checked_add(offset).ok_or(ElfError::Outside { what, address: table })?;
        image.text(address, limit, what)
    }

    pub(super) fn needed(&self, image: &Image<'_>) -> Result<Vec<String>, ElfError> {
        let (mut names, mut left) = (Vec::new(), MAX_NEEDED_BYTES);
        for &offset in &self.needed {
            let name = self.string(image, offset, MAX_NAME, "name of a needed library")?;
            left = left
                .checked_sub(name.len())
                .ok_or(ElfError::TooMany("bytes in the names of needed libraries"))?;
            names.push(name);
        }
        Ok(names)
    }

    pub(super) fn soname(&self, image: &Image<'_>) -> Result<Option<String>, ElfError> {
        self.named(image, DT_SONAME)
    }

    pub(super) fn rpath(&self, image: &Image<'_>) -> Result<Option<String>, ElfError> {
        self.named(image, DT_RPATH)
    }

    pub(super) fn runpath(&self, image: &Image<'_>) -> Result<Option<String>, ElfError> {
        self.named(image, DT_RUNPATH)
    }

    pub(super) fn has_text_relocations(&self) -> bool {
        self.get(DT_TEXTREL).is_some() || self.has_flag(DT_FLAGS, DF_TEXTREL)
    }

    pub(super) fn has_static_tls(&self) -> bool {
        self.has_flag(DT_FLAGS, DF_STATIC_TLS)
    }

    pub(super) fn has_relative_relocations(&self) -> bool {
        self.get(DT_RELR).is_some()
    }

    /// `DT_FLAGS_1`.
    pub(super) fn flags_1(&self) -> u64 {
        self.get(DT_FLAGS_1).unwrap_or(0)
    }

    pub(super) fn binds_now(&self) -> bool {
        self.get(DT_BIND_NOW).is_some()
            || self.has_flag(DT_FLAGS, DF_BIND_NOW)
            || self.has_flag(DT_FLAGS_1, DF_1_NOW)
    }

    fn named(&self, image: &Image<'_>, tag: u64) -> Result<Option<String>, ElfError> {
        self.get(tag)
            .map(|offset| self.string(image, offset, MAX_NAME, "text of a dynamic entry"))
            .transpose()
    }

    fn has_flag(&self, tag: u64, flag: u64) -> bool {
        self.get(tag).is_some_and(|flags| flags & flag != 0)
    }
}
