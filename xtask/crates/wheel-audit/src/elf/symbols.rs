//! The dynamic symbol table, whose length no entry of the dynamic section gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use goblin::elf::{
    dynamic::{
        DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ,
        DT_RELSZ, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERSYM,
    },
    section_header::SHN_UNDEF,
    sym::STB_WEAK,
};

use super::{
    ElfError, Import,
    dynamic::Dynamic,
    image::{Image, terminated},
    string_table::{FilteredStrings, MAX_SYMBOL, StringTableFilter},
};

/// The names that are kept may take this many bytes together; those of the largest real files take
/// less than a third.
const MAX_NAME_BYTES: usize = 16 << 20;
/// What a name takes beside its letters.
const OVERHEAD: usize = 64;

const NAMES: &str = "name of a symbol";

/// How functions begin that start a module: PEP 3121, PEP 489 (`PyInitU_`), PEP 793
/// (`PyModExport_`), and cffi's for `PyPy`.
const INITS: [&[u8]; 3] = [b"PyInit", b"PyModExport", b"_cffi_pypyinit_"];

/// What is of interest in the symbol table.
#[derive(Default)]
pub(super) struct Symbols {
    pub(super) imports: Vec<Import>,
    pub(super) module_inits: BTreeSet<String>,
    pub(super) python_exports: BTreeSet<String>,
}

/// One entry of the symbol table.
struct Symbol {
    name: u64,
    info: u8,
    section: u16,
}

/// Reads imported symbols and module initialisers; `needs` maps version indices to version needs.
pub(super) fn read(
    image: &Image<'_>,
    dynamic: &Dynamic,
    needs: &BTreeMap<u16, usize>,
) -> Result<Symbols, ElfError> {
    let mut symbols = Symbols::default();
    let Some(address) = dynamic.get(DT_SYMTAB) else {
        return Ok(symbols);
    };
    let count = match count(image, dynamic) {
        Ok(count) => count,
        Err(error) => {
            let _ = request_names_early(image, dynamic, needs);
            return Err(error);
        }
    };
    let size = entry_size(image);
    let table = image.table(address, count.saturating_mul(size as u64), "symbol table")?;
    let versions = match dynamic.get(DT_VERSYM) {
        Some(address) => {
            image.table(address, count.saturating_mul(2), "table of symbol versions")?
        }
        None => &[],
    };
    let names = Names::of(image, dynamic, count);
    let entries = || entries(image, table, versions, needs);
    if names.need_filter(entries().map(|(symbol, ..)| symbol.name)) {
        return Err(names.request_names(image, entries()));
    }
    let mut budget = MAX_NAME_BYTES;
    for (symbol, need, imported) in entries() {
        let name = names.start(symbol.name)?;
        let is_init = INITS.iter().any(|init| name.starts_with(init));
        let is_python = name.starts_with(b"Py") || name.starts_with(b"_Py");
        // The others, which may be most of a very large file's names, are not kept.
        if !(imported || is_init || is_python) {
            continue;
        }
        let name = names.get(symbol.name)?;
        let size = name.len() + OVERHEAD;
        budget = budget.checked_sub(size).ok_or(ElfError::TooMany("symbols"))?;
        if imported && !name.is_empty() {
            let name = String::from_utf8_lossy(name).into_owned();
            symbols.imports.push(Import { name, need, weak: symbol.info >> 4 == STB_WEAK });
        } else if is_init {
            symbols.module_inits.insert(String::from_utf8_lossy(name).into_owned());
        } else if is_python {
            symbols.python_exports.insert(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(symbols)
}

/// Asks for names before it is known how many symbols there are, if the tables that tell it are not at
/// hand and the symbols are: each pass over a large file costs its share.
fn request_names_early(
    image: &Image<'_>,
    dynamic: &Dynamic,
    needs: &BTreeMap<u16, usize>,
) -> Option<()> {
    let names = Names::of(image, dynamic, 0);
    if !dynamic.has_many_strings() || names.filtered.is_some() {
        return None;
    }
    let part = |address: u64, length: usize| image.at_hand(address)?.get(..length);
    let length = usize::try_from(dynamic.symbol_bytes()?).ok()?;
    let table = part(dynamic.get(DT_SYMTAB)?, length)?;
    let versions = match dynamic.get(DT_VERSYM) {
        Some(address) => part(address, length / entry_size(image) * 2)?,
        None => &[],
    };
    names.request_names(image, entries(image, table, versions, needs));
    Some(())
}

/// The symbols of a table but for the first, which is none; what version need they are bound to, and
/// whether they are taken from elsewhere.
fn entries(
    image: &Image<'_>,
    table: &[u8],
    versions: &[u8],
    needs: &BTreeMap<u16, usize>,
) -> impl Iterator<Item = (Symbol, Option<usize>, bool)> {
    table.chunks_exact(entry_size(image)).enumerate().skip(1).map(|(index, entry)| {
        let symbol = Symbol::parse(image, entry);
        // A copied variable is defined here and yet bound to a version of elsewhere.
        let version = image.u16(versions, index * 2) & 0x7fff;
        let need = needs.get(&version).copied();
        let is_imported = u32::from(symbol.section) == SHN_UNDEF || need.is_some();
        (symbol, need, is_imported)
    })
}

/// Bytes of an entry of the symbol table.
fn entry_size(image: &Image<'_>) -> usize {
    if image.is_64_bit() { 24 } else { 16 }
}

/// The string table, looked up once for all symbols.
struct Names<'a> {
    /// As much of it as is at hand.
    bytes: &'a [u8],
    address: u64,
    /// Where it lies in the file.
    place: Range<u64>,
    /// It is too large to be held, and was gone through for the names that are of interest.
    filtered: Option<&'a FilteredStrings>,
    /// It is small enough, and has been asked for.
    is_awaited: bool,
}

impl<'a> Names<'a> {
    /// The names of so many symbols.
    fn of(image: &Image<'a>, dynamic: &Dynamic, symbols: u64) -> Self {
        let address = dynamic.get(DT_STRTAB).unwrap_or(0);
        let filtered =
            image.filtered(address).filter(|filtered| filtered.asked() as u64 + 1 >= symbols);
        let is_large = dynamic.has_many_strings();
        let bytes = if is_large { image.at_hand(address) } else { image.at(address, NAMES).ok() };
        let (bytes, place) = (bytes.unwrap_or_default(), image.mapped(address).unwrap_or_default());
        let size = dynamic.get(DT_STRSZ).unwrap_or(0).min(place.end - place.start);
        let is_awaited = !is_large && (bytes.len() as u64) < size;
        Self { bytes, address, place, filtered, is_awaited }
    }

    /// Is there a name that the file has, and of which it is not known what it is?
    fn need_filter(&self, mut starts: impl Iterator<Item = u64>) -> bool {
        let size = self.place.end - self.place.start;
        self.filtered.is_none()
            && !self.is_awaited
            && size > self.bytes.len() as u64
            && starts.any(|start| start < size && self.get(start).is_err())
    }

    /// Asks for the names of symbols; of those that are taken from elsewhere whatever they are.
    fn request_names(
        &self,
        image: &Image<'a>,
        entries: impl Iterator<Item = (Symbol, Option<usize>, bool)>,
    ) -> ElfError {
        let start = |symbol: Symbol| u32::try_from(symbol.name).unwrap_or_default();
        let starts = entries.map(|(symbol, _, is_imported)| (start(symbol), is_imported));
        image.request_names(StringTableFilter::new(self.place.clone(), starts.collect()));
        self.outside(0)
    }

    /// A name, and whatever comes behind it; of one that nobody wants it may be nothing.
    fn start(&self, offset: u64) -> Result<&'a [u8], ElfError> {
        if let Some(filtered) = self.filtered {
            let place = self.place.start.checked_add(offset);
            let place = place.filter(|place| self.place.contains(place));
            return Ok(filtered.at(place.ok_or_else(|| self.outside(offset))?));
        }
        let start = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..));
        start.filter(|start| !start.is_empty()).ok_or_else(|| self.outside(offset))
    }

    fn get(&self, offset: u64) -> Result<&'a [u8], ElfError> {
        terminated(self.start(offset)?, MAX_SYMBOL).ok_or_else(|| match self.filtered {
            Some(filtered) if filtered.is_full() => ElfError::TooMany("symbols"),
            _ => self.outside(offset),
        })
    }

    fn outside(&self, offset: u64) -> ElfError {
        let address = self.address.saturating_add(offset);
        ElfError::Outside { what: NAMES, address }
    }
}

impl Symbol {
    fn parse(image: &Image<'_>, entry: &[u8]) -> Self {
        let (info, section) = if image.is_64_bit() { (4, 6) } else { (12, 14) };
        Self {
            name: u64::from(image.u32(entry, 0)),
            info: entry.get(info).copied().unwrap_or(0),
            section: image.u16(entry, section),
        }
    }
}

/// The number of symbols that any of the loader's tables speaks of. One table alone does not do: a
/// GNU hash table without defined symbols says nothing of the undefined ones, which only
/// relocations name.
fn count(image: &Image<'_>, dynamic: &Dynamic) -> Result<u64, ElfError> {
    let mut count = 0;
    if let Some(address) = dynamic.get(DT_HASH) {
        // On s390x this table has words of eight bytes (its ABI supplement).
        let wide = image.header.e_machine == goblin::elf::header::EM_S390 && image.is_64_bit();
        let size = if wide { 8 } else { 4 };
        let table = image.table(address, 2 * size as u64, "hash table")?;
        count = if wide { image.word(table, size) } else { u64::from(image.u32(table, size)) };
    }
    if let Some(address) = dynamic.get(DT_GNU_HASH) {
        count = count.max(gnu_hash_count(image, address)?);
    }
    let plt_has_addends = dynamic.get(DT_PLTREL) == Some(DT_RELA);
    for (table, size, addends) in [
        (DT_RELA, DT_RELASZ, true),
        (DT_REL, DT_RELSZ, false),
        (DT_JMPREL, DT_PLTRELSZ, plt_has_addends),
    ] {
        if let (Some(address), Some(length)) = (dynamic.get(table), dynamic.get(size))
            && length > 0
        {
            count = count.max(relocation_count(image, address, length, addends)?);
        }
    }
    Ok(count)
}

/// The end of the last chain of a GNU hash table.
fn gnu_hash_count(image: &Image<'_>, address: u64) -> Result<u64, ElfError> {
    let what = "GNU hash table";
    let outside = ElfError::Outside { what, address };
    let table = image.at(address, what)?;
    let [buckets, first, bloom] = [0, 4, 8].map(|offset| image.u32(table, offset) as usize);
    let start = bloom.checked_mul(image.word_size()).and_then(|size| size.checked_add(16));
    let chains = start.and_then(|start| start.checked_add(buckets.checked_mul(4)?));
    let (Some(start), Some(chains)) = (start, chains.filter(|&end| end <= table.len())) else {
        return Err(outside);
    };
    let heads = table[start..chains].chunks_exact(4);
    let last = heads.map(|head| image.u32(head, 0) as usize).max().unwrap_or(0);
    let Some(skip) = last.checked_sub(first).filter(|_| last != 0) else {
        return Ok(first as u64);
    };
    let chain =
        skip.checked_mul(4).and_then(|skip| table[chains..].get(skip..)).ok_or(outside.clone())?;
    let length =
        chain.chunks_exact(4).position(|link| image.u32(link, 0) & 1 == 1).ok_or(outside)?;
    Ok((last + length + 1) as u64)
}

/// One more than the highest symbol that a relocation names.
fn relocation_count(
    image: &Image<'_>,
    address: u64,
    length: u64,
    addends: bool,
) -> Result<u64, ElfError> {
    let size = image.word_size() * if addends { 3 } else { 2 };
    let table = image.table(address, length, "relocations")?;
    let shift = if image.is_64_bit() { 32 } else { 8 };
    let mut count = 0;
    // Tables of some hundred thousand entries are common: a plain loop, quick without an optimiser.
    for entry in table.chunks_exact(size) {
        count = count.max((image.word(entry, image.word_size()) >> shift).saturating_add(1));
    }
    Ok(if table.is_empty() { 0 } else { count })
}
