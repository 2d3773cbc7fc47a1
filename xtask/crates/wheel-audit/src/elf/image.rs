//! The file as the loader maps it: bytes by virtual address, with bounds checks.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
};

use goblin::{
    container::{Container, Ctx, Endian},
    elf::{
        Elf,
        header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, Header},
        program_header::{PT_DYNAMIC, PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader},
        section_header::SectionHeader,
    },
};

use super::{
    ElfError, Missing,
    loads::{self, Load},
    source::FileBytes,
    string_table::{FilteredStrings, StringTableFilter},
};

/// Maximum length of a name, as for paths (`PATH_MAX`), in bytes.
pub(super) const MAX_NAME: usize = 1 << 12;

/// Maximum number of loaded segments. Linkers create about ten, and every lookup scans them.
const MAX_LOADS: usize = 128;

/// Maximum number of parts to request at once.
const MAX_MISSING: usize = 1 << 10;

/// The number of further bytes to request if the needed size is unknown.
const MORE: u64 = 8 << 20;

/// An ELF file with its program headers.
pub(crate) struct Image<'a> {
    source: &'a dyn FileBytes,
    pub(crate) header: Header,
    pub(crate) segments: Vec<ProgramHeader>,
    loads: Vec<Load>,
    /// The last lookup with its result: most lookups are in the same table.
    last: Cell<Option<(u64, (u64, u64))>>,
    /// Requested parts that the file has, but that are not in memory.
    missing: RefCell<Missing>,
    /// True if a text is not in memory and was replaced by an empty one.
    lacks_text: Cell<bool>,
    /// Minimum number of bytes to request at once.
    step: u64,
}

impl<'a> Image<'a> {
    /// Reads only the header of the file.
    pub(crate) fn open(source: &'a dyn FileBytes) -> Result<Self, ElfError> {
        let header =
            Elf::parse_header(source.run(0)).map_err(|_| ElfError::Header("unreadable"))?;
        if !matches!(header.e_ident[EI_CLASS], 1 | 2) || !matches!(header.e_ident[EI_DATA], 1 | 2) {
            return Err(ElfError::Header("unknown class or byte order"));
        }
        let (segments, loads, missing) = (Vec::new(), Vec::new(), RefCell::default());
        let (last, lacks_text) = (Cell::new(None), Cell::new(false));
        Ok(Self { source, header, segments, loads, last, missing, lacks_text, step: 0 })
    }

    /// Requests at least `step` bytes at a time, for tables that are read in small pieces.
    pub(crate) fn in_steps_of(self, step: u64) -> Self {
        Self { step, ..self }
    }

    /// The bytes of the file. Reading beyond its end records no error.
    pub(crate) fn source(&self) -> &'a dyn FileBytes {
        self.source
    }

    /// Reads the program headers.
    pub(crate) fn read_segments(&mut self) -> Result<(), ElfError> {
        let size = if self.is_64_bit() { 56 } else { 32 };
        let (offset, count) = (self.header.e_phoff, usize::from(self.header.e_phnum));
        if count == 0 {
            return Ok(());
        }
        if count == 0xffff || usize::from(self.header.e_phentsize) != size {
            return Err(ElfError::Segments("unusual number or size of entries"));
        }
        // goblin and the loader accept any offset within the file.
        let table = self
            .file(offset, (count * size) as u64)
            .ok_or(ElfError::Segments("outside the file"))?;
        self.segments = ProgramHeader::parse(table, 0, count, self.context())
            .map_err(|_| ElfError::Segments("unreadable"))?;
        self.loads = self.segments.iter().filter_map(Load::of).collect();
        self.check_loads()
    }

    /// The section headers. `None` if they are missing or unreadable.
    pub(crate) fn sections(&self) -> Option<Vec<SectionHeader>> {
        let header = &self.header;
        let count = usize::from(header.e_shnum);
        let start = Some(header.e_shoff).filter(|&start| start != 0 && count != 0)?;
        let size = if self.is_64_bit() { 64 } else { 40 };
        let table = self.file(start, (count * size) as u64)?;
        SectionHeader::parse_from(table, 0, count, self.context()).ok()
    }

    /// Bytes by file offset.
    pub(crate) fn file(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let bytes = self.source.get(offset, length);
        if bytes.is_none() {
            self.request(offset, length);
        }
        bytes
    }

    /// The length of the file, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.source.length()
    }

    /// Requests bytes that the file has and that are not in memory.
    fn request(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length);
        if end <= self.source.length() && self.source.get(offset, length).is_none() {
            let missing = &mut self.missing.borrow_mut().parts;
            let stepped = offset.saturating_add(self.step).min(self.source.length());
            let wanted = offset..end.max(stepped);
            if missing.last() != Some(&wanted) && missing.len() < MAX_MISSING {
                missing.push(wanted);
            }
        }
    }

    /// Requests `length` bytes at a virtual address.
    pub(super) fn request_at(&self, address: u64, length: u64) {
        if let Some((offset, count)) = self.place(address) {
            self.request(offset, length.min(count));
        }
    }

    /// The file offset of a virtual address, and the number of bytes that follow it.
    fn place(&self, address: u64) -> Option<(u64, u64)> {
        if let Some((start, (offset, count))) = self.last.get()
            && let Some(skip) = address.checked_sub(start).filter(|&skip| skip < count)
        {
            return Some((offset + skip, count - skip));
        }
        let found = loads::place(&self.loads, self.source.length(), address)?;
        self.last.set(Some((address, found)));
        Some(found)
    }

    /// The missing parts.
    pub(crate) fn missing(self) -> Missing {
        self.missing.into_inner()
    }

    /// Returns whether a text was replaced by an empty one because it is not in memory.
    pub(super) fn lacks_text(&self) -> bool {
        self.lacks_text.get()
    }

    /// The part of the file that is mapped at an address.
    pub(crate) fn mapped(&self, address: u64) -> Option<Range<u64>> {
        self.place(address).map(|(offset, count)| offset..offset + count)
    }

    /// The filtered names of the string table at an address, if any.
    pub(super) fn filtered(&self, address: u64) -> Option<&'a FilteredStrings> {
        let start = self.place(address)?.0;
        self.source.names().filter(|names| names.table().start == start)
    }

    /// Requests names.
    pub(super) fn request_names(&self, filter: StringTableFilter) {
        self.missing.borrow_mut().names = Some(filter);
    }

    /// The gABI requires loaded segments in ascending order. Overlapping segments are ambiguous, because the bytes at
    /// an address depend on the loader.
    fn check_loads(&self) -> Result<(), ElfError> {
        if self.loads.len() > MAX_LOADS {
            return Err(ElfError::TooMany("loaded segments"));
        }
        let mut last = 0;
        for load in self.segments.iter().filter(|each| each.p_type == PT_LOAD) {
            let end = load
                .p_vaddr
                .checked_add(load.p_memsz)
                .ok_or(ElfError::Segments("address overflow"))?;
            if load.p_vaddr < last || load.p_filesz > load.p_memsz {
                return Err(ElfError::Segments("loaded segments overlap"));
            }
            last = end;
        }
        Ok(())
    }

    pub(crate) fn is_64_bit(&self) -> bool {
        self.header.e_ident[EI_CLASS] == ELFCLASS64
    }

    pub(crate) fn little_endian(&self) -> bool {
        self.header.e_ident[EI_DATA] == ELFDATA2LSB
    }

    /// Byte order and word size, for goblin.
    pub(super) fn context(&self) -> Ctx {
        let container = if self.is_64_bit() { Container::Big } else { Container::Little };
        Ctx::new(container, if self.little_endian() { Endian::Little } else { Endian::Big })
    }

    /// The only segment of a kind. Two of them are an error, because readers disagree about them.
    pub(super) fn segment(&self, kind: u32) -> Result<Option<&ProgramHeader>, ElfError> {
        let mut all = self.segments.iter().filter(|each| each.p_type == kind);
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(ElfError::Segments("two of one kind")),
            (only, None) => Ok(only),
        }
    }

    /// The bytes from a virtual address to the end of its segment in the file, or of the part in memory.
    pub(super) fn at(&self, address: u64, what: &'static str) -> Result<&'a [u8], ElfError> {
        let outside = ElfError::Outside { what, address };
        let (start, size) = self.place(address).ok_or(outside.clone())?;
        let bytes = self.available(address).unwrap_or_default();
        let available = bytes.len() as u64;
        if available < size {
            self.request(start + available, MORE.min(size - available));
        }
        if bytes.is_empty() { Err(outside) } else { Ok(bytes) }
    }

    /// The bytes in memory from a virtual address to the end of its segment in the file.
    pub(crate) fn available(&self, address: u64) -> Option<&'a [u8]> {
        let (start, size) = self.place(address)?;
        let run = self.source.run(start);
        Some(usize::try_from(size).ok().and_then(|size| run.get(..size)).unwrap_or(run))
    }

    /// `length` bytes at a virtual address.
    pub(crate) fn table(
        &self,
        address: u64,
        length: u64,
        what: &'static str,
    ) -> Result<&'a [u8], ElfError> {
        let outside = ElfError::Outside { what, address };
        let (start, count) = self.place(address).ok_or(outside.clone())?;
        if length > count {
            return Err(outside);
        }
        self.file(start, length).ok_or(outside)
    }

    /// The zero-terminated text at `address` with less than `limit` bytes. Empty if it is not in memory, so that all
    /// texts can be requested at once.
    pub(super) fn text(
        &self,
        address: u64,
        limit: usize,
        what: &'static str,
    ) -> Result<String, ElfError> {
        let outside = || ElfError::Outside { what, address };
        let (start, size) = self.place(address).ok_or_else(outside)?;
        let run = self.available(address).unwrap_or_default();
        if let Some(bytes) = terminated(run, limit) {
            return Ok(String::from_utf8_lossy(bytes).into_owned());
        }
        let whole = size.min(limit as u64);
        if run.len() as u64 >= whole {
            return Err(outside());
        }
        self.request(start, whole);
        self.lacks_text.set(true);
        Ok(String::new())
    }

    /// The number at `offset`. 0 outside of `bytes`: callers check the length.
    pub(super) fn u16(&self, bytes: &[u8], offset: usize) -> u16 {
        let raw = fixed(bytes, offset);
        if self.little_endian() { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) }
    }

    /// As [`Self::u16`], four bytes.
    pub(super) fn u32(&self, bytes: &[u8], offset: usize) -> u32 {
        let raw = fixed(bytes, offset);
        if self.little_endian() { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) }
    }

    /// As [`Self::u16`], an address-sized word: four bytes or eight.
    pub(crate) fn word(&self, bytes: &[u8], offset: usize) -> u64 {
        if !self.is_64_bit() {
            return u64::from(self.u32(bytes, offset));
        }
        let raw = fixed(bytes, offset);
        if self.little_endian() { u64::from_le_bytes(raw) } else { u64::from_be_bytes(raw) }
    }

    /// The size of an address, in bytes.
    pub(crate) fn word_size(&self) -> usize {
        if self.is_64_bit() { 8 } else { 4 }
    }
}

/// The bytes up to the first zero, if they are fewer than `limit`.
pub(super) fn terminated(bytes: &[u8], limit: usize) -> Option<&[u8]> {
    let bytes = &bytes[..bytes.len().min(limit)];
    memchr::memchr(0, bytes).map(|end| &bytes[..end])
}

/// The parts of a file that are always needed or small. These are the dynamic section, notes, loaded segments of at most
/// `small` bytes, and the section headers with `names` bytes before them. Empty if the headers are invalid.
pub(super) fn named_parts(source: &dyn FileBytes, small: u64, names: u64) -> Vec<Range<u64>> {
    let Ok(mut image) = Image::open(source) else {
        return Vec::new();
    };
    if image.read_segments().is_err() {
        return Vec::new();
    }
    let of_use = |each: &&ProgramHeader| match each.p_type {
        PT_DYNAMIC | PT_INTERP | PT_NOTE | PT_GNU_PROPERTY | PT_LOAD => each.p_filesz <= small,
        _ => false,
    };
    let part =
        |each: &ProgramHeader| Some(each.p_offset..each.p_offset.checked_add(each.p_filesz)?);
    let mut parts: Vec<_> = image.segments.iter().filter(of_use).filter_map(part).collect();
    let header = &image.header;
    let size = u64::from(header.e_shnum) * u64::from(header.e_shentsize);
    if let Some(end) = header.e_shoff.checked_add(size).filter(|_| header.e_shoff != 0) {
        parts.push(header.e_shoff.saturating_sub(names)..end);
    }
    parts
}

fn fixed<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    match bytes.get(offset..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => *chunk,
        None => [0; N],
    }
}
