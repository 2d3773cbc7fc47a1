//! The file as far as it is not code: headers and tables, by offset and by virtual address.

use std::ops::Range;

use super::{IsaError, Machine};
use crate::elf::{self, FileBytes, Load};

pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_DYNAMIC: u32 = 2;
pub(super) const PT_NOTE: u32 = 4;
pub(super) const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
/// `PT_GNU_PROPERTY`.
pub(super) const PT_PROPERTY: u32 = 0x6474_e553;
const PF_X: u32 = 1;
const MAX_SEGMENTS: u16 = 128;

/// A program header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) kind: u32,
    flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) size: u64,
    in_memory: u64,
}

impl Segment {
    fn load(&self) -> Option<Load> {
        let Self { offset, address, size: in_file, in_memory, .. } = *self;
        (self.kind == PT_LOAD).then_some(Load { offset, address, in_file, in_memory })
    }

    /// Is it code that the loader maps?
    pub(super) fn is_code(&self) -> bool {
        self.kind == PT_LOAD && self.flags & PF_X != 0
    }
}

/// A section header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    name: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
}

/// An ELF file's headers (ELF gABI, "ELF Header", "Program Header", "Sections").
pub(super) struct Elf<'a> {
    pub(super) file: &'a dyn FileBytes,
    pub(super) machine: Machine,
    pub(super) wide: bool,
    pub(super) entry: u64,
    pub(super) segments: Vec<Segment>,
    loads: Vec<Load>,
    /// Empty where there are none, or they make no sense.
    pub(super) sections: Vec<Section>,
    names: u16,
}

impl<'a> Elf<'a> {
    pub(super) fn parse(file: &'a dyn FileBytes) -> Result<Self, IsaError> {
        let ident = file.get(0, 0x14).filter(|bytes| bytes.starts_with(b"\x7fELF"));
        let ident = ident.ok_or(IsaError::Broken("ELF header"))?;
        let (class, order, kind) = (ident[4], ident[5], u16_at(ident, 0x10));
        let number =
            if order == 2 { u16_at(ident, 0x12).swap_bytes() } else { u16_at(ident, 0x12) };
        // x32 is 64-bit code with short pointers.
        let machine = match (number, class, order) {
            (62, 1 | 2, 1) => Machine::X86_64,
            (3, 1, 1) => Machine::I686,
            (183, 2, 1) => Machine::Aarch64,
            _ => return Err(IsaError::Machine(number)),
        };
        if !matches!(kind, 2 | 3) {
            return Err(IsaError::Kind);
        }
        let wide = class == 2;
        let header =
            file.get(0, if wide { 64 } else { 52 }).ok_or(IsaError::Broken("ELF header"))?;
        let mut elf = Self {
            file,
            machine,
            wide,
            entry: word(header, 0x18, wide),
            segments: Vec::new(),
            loads: Vec::new(),
            sections: Vec::new(),
            names: u16_at(header, if wide { 0x3e } else { 0x32 }),
        };
        elf.segments = elf.read_segments(header).ok_or(IsaError::Broken("program headers"))?;
        elf.loads = elf.segments.iter().filter_map(Segment::load).collect();
        elf.sections = elf.read_sections(header).unwrap_or_default();
        Ok(elf)
    }

    fn read_segments(&self, header: &[u8]) -> Option<Vec<Segment>> {
        let (offset, count, size) = if self.wide {
            (word(header, 0x20, true), u16_at(header, 0x38), 56)
        } else {
            (word(header, 0x1c, false), u16_at(header, 0x2c), 32)
        };
        // Linkers make about ten; every look-up goes through them.
        let count = Some(count).filter(|&count| count <= MAX_SEGMENTS)?;
        let table = self.file.get(offset, u64::from(count) * size)?;
        let wide = self.wide;
        let read = |entry: &[u8]| Segment {
            kind: u32_at(entry, 0),
            flags: u32_at(entry, if wide { 4 } else { 24 }),
            offset: word(entry, if wide { 8 } else { 4 }, wide),
            address: word(entry, if wide { 16 } else { 8 }, wide),
            size: word(entry, if wide { 32 } else { 16 }, wide),
            in_memory: word(entry, if wide { 40 } else { 20 }, wide),
        };
        Some(table.chunks_exact(usize::try_from(size).ok()?).map(read).collect())
    }

    fn read_sections(&self, header: &[u8]) -> Option<Vec<Section>> {
        let (offset, count, size) = if self.wide {
            (word(header, 0x28, true), u16_at(header, 0x3c), 64)
        } else {
            (word(header, 0x20, false), u16_at(header, 0x30), 40)
        };
        let table = self.file.get(offset, u64::from(count) * size)?;
        let (wide, step) = (self.wide, if self.wide { 8 } else { 4 });
        let read = |entry: &[u8]| Section {
            name: u32_at(entry, 0),
            kind: u32_at(entry, 4),
            flags: word(entry, 8, wide),
            address: word(entry, 8 + step, wide),
            offset: word(entry, 8 + 2 * step, wide),
            size: word(entry, 8 + 3 * step, wide),
            link: u32_at(entry, 8 + 4 * step),
        };
        Some(table.chunks_exact(usize::try_from(size).ok()?).map(read).collect())
    }

    /// Does the section's name start like this?
    pub(super) fn is_named(&self, section: &Section, start: &[u8]) -> bool {
        let find = || {
            let names = self.sections.get(usize::from(self.names))?;
            let offset = names.offset.checked_add(u64::from(section.name))?;
            self.file.get(offset, start.len() as u64)
        };
        find() == Some(start)
    }

    /// The one segment of a kind, or the first.
    pub(super) fn segment(&self, kind: u32) -> Option<&Segment> {
        self.segments.iter().find(|each| each.kind == kind)
    }

    /// Where a virtual address lies in the file, and how many bytes the file has from there.
    pub(super) fn place(&self, address: u64) -> Option<(u64, u64)> {
        elf::place(&self.loads, self.file.length(), address)
    }

    /// `len` bytes from a virtual address.
    pub(super) fn at(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        let (offset, left) = self.place(address)?;
        if len <= left { self.file.get(offset, len) } else { None }
    }

    /// The part of the file from a virtual address to the end of its segment; of a file of which not
    /// all is at hand to that of its section, where there is one.
    pub(super) fn rest(&self, address: u64) -> Option<Range<u64>> {
        let (offset, left) = self.place(address)?;
        let is_at_hand = self.file.run(offset).len() as u64 >= left;
        let section = self.sections.iter().find(|each| each.address == address && !is_at_hand);
        let size = section.map_or(left, |each| each.size.min(left));
        Some(offset..offset + size)
    }

    /// Bytes of an address in this file's class.
    pub(super) fn word_size(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// The address-sized number at `offset`; 0 outside.
    pub(super) fn word(&self, bytes: &[u8], offset: usize) -> u64 {
        word(bytes, offset, self.wide)
    }
}

fn word(bytes: &[u8], offset: usize, wide: bool) -> u64 {
    if wide { u64_at(bytes, offset) } else { u64::from(u32_at(bytes, offset)) }
}

/// The number at `offset`, little-endian; 0 outside, for callers that have checked the length.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(fixed(bytes, offset))
}

/// As [`u16_at`], four bytes.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(fixed(bytes, offset))
}

/// As [`u16_at`], eight bytes.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(fixed(bytes, offset))
}

fn fixed<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let end = offset.checked_add(N);
    let part = end.and_then(|end| bytes.get(offset..end));
    part.and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}
