//! The file as the loader maps it: bytes by virtual address, every access within bounds.

use goblin::{
    container::{Container, Ctx, Endian},
    elf::{
        Elf,
        header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, Header},
        program_header::{PT_LOAD, ProgramHeader},
    },
};

use super::ElfError;

/// Longest name of a symbol that is read: mangled C++ names reach some thousand bytes.
pub(super) const MAX_SYMBOL: usize = 1 << 16;
/// Longest other name that is read; libraries are found by path, and a path has an end.
pub(super) const MAX_NAME: usize = 1 << 12;

/// An ELF file with its program headers.
pub(super) struct Image<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) header: Header,
    pub(super) segments: Vec<ProgramHeader>,
}

impl<'a> Image<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let header = Elf::parse_header(bytes).map_err(|_| ElfError::Header("unreadable"))?;
        if !matches!(header.e_ident[EI_CLASS], 1 | 2) || !matches!(header.e_ident[EI_DATA], 1 | 2) {
            return Err(ElfError::Header("unknown class or byte order"));
        }
        let mut image = Self { bytes, header, segments: Vec::new() };
        let size = if image.is_64_bit() { 56 } else { 32 };
        let (offset, count) = (image.header.e_phoff, usize::from(image.header.e_phnum));
        if count == 0 {
            return Ok(image);
        }
        if count == 0xffff || usize::from(image.header.e_phentsize) != size {
            return Err(ElfError::Segments("unusual number or size of entries"));
        }
        // goblin reads from any offset that the table fits behind; the loader as well.
        let end = usize::try_from(offset).ok().and_then(|start| start.checked_add(count * size));
        if end.is_none_or(|end| end > bytes.len()) {
            return Err(ElfError::Segments("outside the file"));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        image.segments = ProgramHeader::parse(bytes, start, count, image.context())
            .map_err(|_| ElfError::Segments("unreadable"))?;
        image.check_loads()?;
        Ok(image)
    }

    /// The gABI wants loaded segments in ascending order. Where they overlap, which bytes an
    /// address has depends on who maps them: such a file has no one meaning.
    fn check_loads(&self) -> Result<(), ElfError> {
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

    pub(super) fn is_64_bit(&self) -> bool {
        self.header.e_ident[EI_CLASS] == ELFCLASS64
    }

    pub(super) fn little_endian(&self) -> bool {
        self.header.e_ident[EI_DATA] == ELFDATA2LSB
    }

    /// Byte order and word size, for goblin.
    pub(super) fn context(&self) -> Ctx {
        let container = if self.is_64_bit() { Container::Big } else { Container::Little };
        Ctx::new(container, if self.little_endian() { Endian::Little } else { Endian::Big })
    }

    /// The one segment of a kind. Two of them would be read differently by different readers.
    pub(super) fn segment(&self, kind: u32) -> Result<Option<&ProgramHeader>, ElfError> {
        let mut all = self.segments.iter().filter(|each| each.p_type == kind);
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(ElfError::Segments("two of one kind")),
            (only, None) => Ok(only),
        }
    }

    /// The bytes from a virtual address to the end of what the file gives for its segment.
    pub(super) fn at(&self, address: u64, what: &'static str) -> Result<&'a [u8], ElfError> {
        let inside = |each: &&ProgramHeader| {
            each.p_type == PT_LOAD
                && address.checked_sub(each.p_vaddr).is_some_and(|skip| skip < each.p_filesz)
        };
        let find = || {
            let segment = self.segments.iter().find(inside)?;
            let start = segment.p_offset.checked_add(address - segment.p_vaddr)?;
            let end = segment.p_offset.checked_add(segment.p_filesz)?;
            self.bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
        };
        find().ok_or(ElfError::Outside { what, address })
    }

    /// `length` bytes from a virtual address.
    pub(super) fn table(
        &self,
        address: u64,
        length: u64,
        what: &'static str,
    ) -> Result<&'a [u8], ElfError> {
        let bytes = self.at(address, what)?;
        let length = usize::try_from(length).ok();
        length.and_then(|length| bytes.get(..length)).ok_or(ElfError::Outside { what, address })
    }

    /// The zero-terminated text at `address`, of less than `limit` bytes.
    pub(super) fn text(
        &self,
        address: u64,
        limit: usize,
        what: &'static str,
    ) -> Result<String, ElfError> {
        let bytes = self.at(address, what)?;
        let end = bytes.iter().take(limit).position(|&byte| byte == 0);
        let end = end.ok_or(ElfError::Outside { what, address })?;
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// The number at `offset`; 0 outside, for callers that have checked the length.
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
    pub(super) fn word(&self, bytes: &[u8], offset: usize) -> u64 {
        if !self.is_64_bit() {
            return u64::from(self.u32(bytes, offset));
        }
        let raw = fixed(bytes, offset);
        if self.little_endian() { u64::from_le_bytes(raw) } else { u64::from_be_bytes(raw) }
    }

    /// Size in bytes of an address.
    pub(super) fn word_size(&self) -> usize {
        if self.is_64_bit() { 8 } else { 4 }
    }
}

fn fixed<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let slice = offset.checked_add(N).and_then(|end| bytes.get(offset..end));
    slice.and_then(|slice| slice.try_into().ok()).unwrap_or([0; N])
}
