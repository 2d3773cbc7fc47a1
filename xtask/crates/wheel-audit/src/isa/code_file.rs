//! An ELF file with its section headers, for reading its code.

use std::ops::Range;

use goblin::elf::{
    header::{EM_386, EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC},
    program_header::{PF_X, PT_LOAD, ProgramHeader},
    section_header::SectionHeader,
};

use super::{IsaError, Machine};
use crate::elf::Image;

/// Maximum number of segments. Linkers create about ten, and every lookup scans them.
const MAX_SEGMENTS: usize = 128;

/// A file for a supported architecture.
pub(super) struct CodeFile<'a> {
    pub(super) image: &'a Image<'a>,
    pub(super) machine: Machine,
    pub(super) wide: bool,
    /// Empty if they are missing or invalid.
    pub(super) sections: Vec<SectionHeader>,
}

impl<'a> CodeFile<'a> {
    /// Creates it from a file with parsed program headers.
    pub(super) fn new(image: &'a Image<'a>) -> Result<Self, IsaError> {
        let (number, wide) = (image.header.e_machine, image.is_64_bit());
        // x32 is 64-bit code with 32-bit pointers.
        let machine = match (number, wide, image.little_endian()) {
            (EM_X86_64, _, true) => Machine::X86_64,
            (EM_386, false, true) => Machine::I686,
            (EM_AARCH64, true, true) => Machine::Aarch64,
            _ => return Err(IsaError::Machine(number)),
        };
        if !matches!(image.header.e_type, ET_EXEC | ET_DYN) {
            return Err(IsaError::Kind);
        }
        if image.segments.len() > MAX_SEGMENTS {
            return Err(IsaError::Broken("program headers"));
        }
        Ok(Self { image, machine, wide, sections: image.sections().unwrap_or_default() })
    }

    /// Returns whether the section's name has this prefix.
    pub(super) fn is_named(&self, section: &SectionHeader, start: &[u8]) -> bool {
        let find = || {
            let names = self.sections.get(usize::from(self.image.header.e_shstrndx))?;
            let offset = names.sh_offset.checked_add(section.sh_name as u64)?;
            self.image.file(offset, start.len() as u64)
        };
        find() == Some(start)
    }

    /// The first segment of a kind.
    pub(super) fn segment(&self, kind: u32) -> Option<&ProgramHeader> {
        self.image.segments.iter().find(|each| each.p_type == kind)
    }

    /// The segments that the loader maps as code.
    pub(super) fn code_segments(&self) -> Vec<&ProgramHeader> {
        let is_code = |each: &&ProgramHeader| each.p_type == PT_LOAD && each.p_flags & PF_X != 0;
        self.image.segments.iter().filter(is_code).collect()
    }

    /// `length` bytes at a virtual address.
    pub(super) fn at(&self, address: u64, length: u64) -> Option<&'a [u8]> {
        self.image.table(address, length, "table").ok()
    }

    /// The part of the file from a virtual address to the end of its segment. For a file that is partly in memory, to
    /// the end of its section, if any.
    pub(super) fn rest(&self, address: u64) -> Option<Range<u64>> {
        let part = self.image.mapped(address)?;
        let left = part.end - part.start;
        let is_at_hand = self.image.available(address)?.len() as u64 >= left;
        let section = self.sections.iter().find(|each| each.sh_addr == address && !is_at_hand);
        Some(part.start..part.start + section.map_or(left, |each| each.sh_size.min(left)))
    }

    /// The size of an address in this file, in bytes.
    pub(super) fn word_size(&self) -> usize {
        self.image.word_size()
    }

    /// The address-sized number at `offset`. 0 outside of `bytes`.
    pub(super) fn word(&self, bytes: &[u8], offset: usize) -> u64 {
        self.image.word(bytes, offset)
    }
}
