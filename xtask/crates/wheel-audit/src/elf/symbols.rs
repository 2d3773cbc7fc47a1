//! The dynamic symbol table. The dynamic section does not contain its length.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use goblin::elf::{
    dynamic::{DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERSYM},
    section_header::SHN_UNDEF,
    sym::{STB_LOCAL, STB_WEAK, STV_HIDDEN, STV_INTERNAL},
};

use super::{
    Binding, ElfError, Exports, Import,
    dynamic::Dynamic,
    hash_table::{self, symbol_hash},
    image::{Image, terminated},
    relocations::{self, Uses},
    string_table::{FilteredStrings, MAX_SYMBOL, StringTableFilter},
};

/// Maximum size of the kept names, in bytes. The largest real files need less than a third.
const MAX_NAME_BYTES: usize = 16 << 20;
/// Estimated overhead per name, in bytes.
const OVERHEAD: usize = 64;

/// Maximum number of symbols of a file: a table of 48 MiB.
const MAX_SYMBOLS: u64 = 2 << 20;

const NAMES: &str = "name of a symbol";

/// Prefixes of init functions: PEP 3121, PEP 489 (`PyInitU_`), PEP 793 (`PyModExport_`), and cffi's for `PyPy`.
const INITS: [&[u8]; 3] = [b"PyInit", b"PyModExport", b"_cffi_pypyinit_"];

/// The facts from the symbol table.
pub(super) struct Symbols {
    pub(super) exports: Exports,
    pub(super) imports: Vec<Import>,
    pub(super) module_inits: BTreeSet<String>,
    pub(super) python_exports: BTreeSet<String>,
}

impl Symbols {
    fn none() -> Self {
        let (imports, exports) = (Vec::new(), Exports::NONE);
        Self { imports, exports, module_inits: BTreeSet::new(), python_exports: BTreeSet::new() }
    }
}

/// One entry of the symbol table.
struct Symbol {
    name: u64,
    info: u8,
    other: u8,
    section: u16,
}

/// Reads imported symbols and init functions. `needs` maps version indices to version needs.
pub(super) fn read(
    image: &Image<'_>,
    dynamic: &Dynamic,
    needs: &BTreeMap<u16, usize>,
) -> Result<Symbols, ElfError> {
    let mut symbols = Symbols::none();
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
    if count > MAX_SYMBOLS {
        return Err(ElfError::TooMany("symbols"));
    }
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
    let uses = Uses::read(image, dynamic, table.len() / size)?;
    let mut budget = MAX_NAME_BYTES;
    for (index, (symbol, need, imported)) in entries().enumerate() {
        let name = names.start(symbol.name)?;
        let is_init = INITS.iter().any(|init| name.starts_with(init));
        let is_python = name.starts_with(b"Py") || name.starts_with(b"_Py");
        // Skip other names, which are the majority in very large files.
        if !(imported || is_init || is_python) {
            continue;
        }
        let name = names.get(symbol.name)?;
        let size = name.len() + OVERHEAD;
        budget = budget.checked_sub(size).ok_or(ElfError::TooMany("symbols"))?;
        if imported && !name.is_empty() {
            let name = String::from_utf8_lossy(name).into_owned();
            // The first symbol is a placeholder.
            let binding = symbol.binding(&uses, index + 1);
            symbols.imports.push(Import { name, need, weak: symbol.is_weak(), binding });
        } else if is_init {
            symbols.module_inits.insert(String::from_utf8_lossy(name).into_owned());
        } else if is_python {
            symbols.python_exports.insert(String::from_utf8_lossy(name).into_owned());
        }
    }
    symbols.exports = match hash_table::exports(image, dynamic)? {
        Some(exports) => exports,
        None if dynamic.get(DT_HASH).is_none() => Exports::NONE,
        None => hashed(&names, entries().map(|(symbol, ..)| symbol)),
    };
    Ok(symbols)
}

/// The exports of a file without a GNU hash table, from the names of its symbols.
fn hashed(names: &Names<'_>, symbols: impl Iterator<Item = Symbol>) -> Exports {
    if names.filtered.is_some() {
        return Exports::UNKNOWN;
    }
    let name = |symbol: Symbol| names.get(symbol.name).ok();
    let exported = symbols.filter(Symbol::is_exported).filter_map(name);
    Exports::of(exported.map(symbol_hash).collect())
}

/// Requests names before the number of symbols is known, if the symbols are in memory but not the tables with their
/// number. This saves a pass over a large file.
fn request_names_early(
    image: &Image<'_>,
    dynamic: &Dynamic,
    needs: &BTreeMap<u16, usize>,
) -> Option<()> {
    let names = Names::of(image, dynamic, 0);
    if !dynamic.has_many_strings() || names.filtered.is_some() {
        return None;
    }
    let part = |address: u64, length: usize| image.available(address)?.get(..length);
    let length = usize::try_from(dynamic.symbol_bytes()?).ok()?;
    let table = part(dynamic.get(DT_SYMTAB)?, length)?;
    let versions = match dynamic.get(DT_VERSYM) {
        Some(address) => part(address, length / entry_size(image) * 2)?,
        None => &[],
    };
    names.request_names(image, entries(image, table, versions, needs));
    Some(())
}

/// The symbols of a table except the placeholder, with their version need and whether they are imported.
fn entries(
    image: &Image<'_>,
    table: &[u8],
    versions: &[u8],
    needs: &BTreeMap<u16, usize>,
) -> impl Iterator<Item = (Symbol, Option<usize>, bool)> {
    table.chunks_exact(entry_size(image)).enumerate().skip(1).map(|(index, entry)| {
        let symbol = Symbol::parse(image, entry);
        // A copied variable is defined here but bound to a version of another library.
        let version = image.u16(versions, index * 2) & 0x7fff;
        let need = needs.get(&version).copied();
        let is_imported = u32::from(symbol.section) == SHN_UNDEF || need.is_some();
        (symbol, need, is_imported)
    })
}

/// The size of an entry, in bytes.
fn entry_size(image: &Image<'_>) -> usize {
    if image.is_64_bit() { 24 } else { 16 }
}

/// The string table.
struct Names<'a> {
    /// The part in memory.
    bytes: &'a [u8],
    address: u64,
    /// Its range in the file.
    place: Range<u64>,
    /// The filtered names, if the table is too large for memory.
    filtered: Option<&'a FilteredStrings>,
    /// True if it is small enough, and requested.
    is_awaited: bool,
}

impl<'a> Names<'a> {
    /// The names of this number of symbols.
    fn of(image: &Image<'a>, dynamic: &Dynamic, symbols: u64) -> Self {
        let address = dynamic.get(DT_STRTAB).unwrap_or(0);
        let filtered =
            image.filtered(address).filter(|filtered| filtered.requested() as u64 + 1 >= symbols);
        let is_large = dynamic.has_many_strings();
        let bytes = if is_large { image.available(address) } else { image.at(address, NAMES).ok() };
        let (bytes, place) = (bytes.unwrap_or_default(), image.mapped(address).unwrap_or_default());
        let size = dynamic.get(DT_STRSZ).unwrap_or(0).min(place.end - place.start);
        let is_awaited = !is_large && (bytes.len() as u64) < size;
        Self { bytes, address, place, filtered, is_awaited }
    }

    /// Returns whether a name of the file is not available yet.
    fn need_filter(&self, mut starts: impl Iterator<Item = u64>) -> bool {
        let size = self.place.end - self.place.start;
        self.filtered.is_none()
            && !self.is_awaited
            && size > self.bytes.len() as u64
            && starts.any(|start| start < size && self.get(start).is_err())
    }

    /// Requests the names of symbols, and those of imports regardless of their prefix.
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

    /// A name and the bytes after it. May be empty for a name that was not requested.
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
            other: entry.get(info + 1).copied().unwrap_or(0),
            section: image.u16(entry, section),
        }
    }
    fn is_weak(&self) -> bool {
        self.info >> 4 == STB_WEAK
    }

    fn is_exported(&self) -> bool {
        u32::from(self.section) != SHN_UNDEF && self.info >> 4 != STB_LOCAL
    }

    /// The time of the lookup. The loader does not look up local or hidden symbols (glibc, `elf/dl-machine-rel.h`,
    /// `dl_symbol_visibility_binds_local_p`).
    fn binding(&self, uses: &Uses, index: usize) -> Binding {
        let is_hidden = matches!(self.other & 3, STV_HIDDEN | STV_INTERNAL);
        if is_hidden || self.info >> 4 == STB_LOCAL { Binding::Never } else { uses.of(index) }
    }
}

/// The maximum number of symbols in any of the loader's tables. A GNU hash table contains only defined symbols, and
/// relocations contain the undefined ones.
fn count(image: &Image<'_>, dynamic: &Dynamic) -> Result<u64, ElfError> {
    let hashed = hash_table::symbol_count(image, dynamic)?;
    Ok(hashed.max(relocations::symbol_count(image, dynamic)?))
}
