//! Reads the ranges of functions from `.eh_frame` (LSB, "Exception Frames", with its pointer encodings). Stripped
//! files have it too, and it separates code from tables between functions.

use std::{collections::HashMap, ops::Range};

use goblin::elf::program_header::PT_GNU_EH_FRAME;

use super::{
    bytes::{u16_at, u32_at, u64_at},
    code_file::CodeFile,
};

/// The size of the header: a version, three encodings and pointers, in bytes.
const HEADER: u64 = 12;
/// `DW_EH_PE_pcrel`.
const PC_RELATIVE: u8 = 0x10;
/// Maximum number of frames. The largest libraries have less than half.
const MAX_FRAMES: usize = 2 << 20;

/// The location of a file's frames.
#[derive(Debug, Clone)]
pub(super) struct Frames {
    /// Their virtual address.
    address: u64,
    /// Their part of the file.
    pub(super) file: Range<u64>,
    wide: bool,
}

impl Frames {
    /// Finds `.eh_frame`, first by the program headers, which the unwinder uses.
    pub(super) fn find(elf: &CodeFile<'_>) -> Option<Self> {
        let by_header = || {
            let header = elf.segment(PT_GNU_EH_FRAME)?;
            // A lookup table with the same content as the frames follows the pointer.
            let bytes = elf.at(header.p_vaddr, header.p_filesz.min(HEADER))?;
            // The version and the encoding of the pointer to the frames.
            let (1, encoding) = (*bytes.first()?, *bytes.get(1)?) else {
                return None;
            };
            let place = header.p_vaddr.wrapping_add(4);
            let (address, _) = pointer(elf.wide, bytes, 4, encoding, place)?;
            Some((address, elf.rest(address)?))
        };
        let by_section = || {
            let named = |each: &&_| elf.is_named(each, b".eh_frame\0");
            let section = elf.sections.iter().find(named)?;
            let (start, size) = (section.sh_offset, section.sh_size);
            Some((section.sh_addr, start..start.checked_add(size)?))
        };
        let (address, file) = by_header().or_else(by_section)?;
        Some(Self { address, file, wide: elf.wide })
    }

    /// The address ranges of all functions with unwind information, in file order. `bytes` is the part of the file
    /// with the frames. Skips unreadable entries.
    pub(super) fn functions(&self, bytes: &[u8]) -> Vec<Range<u64>> {
        let Self { address, wide, .. } = *self;
        let mut walk = Walk { wide, address, bytes, encodings: HashMap::new() };
        let (mut functions, mut at) = (Vec::new(), 0);
        while let Some((entry, next)) = walk.entry(at)
            && functions.len() < MAX_FRAMES
        {
            functions.extend(walk.function(entry).filter(|range| !range.is_empty()));
            at = next;
        }
        functions
    }
}

struct Walk<'a> {
    wide: bool,
    address: u64,
    bytes: &'a [u8],
    /// The encoding of addresses, by the offset of the common entry (CIE).
    encodings: HashMap<usize, u8>,
}

impl Walk<'_> {
    /// The range of the entry at an offset, and the offset of the next entry.
    fn entry(&self, at: usize) -> Option<(Range<usize>, usize)> {
        let (start, length) = match u32_at(self.bytes.get(at..at.checked_add(4)?)?, 0) {
            0 => return None,
            u32::MAX => {
                let length = u64_at(self.bytes.get(at + 4..at.checked_add(12)?)?, 0);
                (at + 12, usize::try_from(length).ok()?)
            }
            length => (at + 4, usize::try_from(length).ok()?),
        };
        let end = start.checked_add(length).filter(|&end| end <= self.bytes.len())?;
        Some((start..end, end))
    }

    /// The function of an entry. `None` for a common entry.
    fn function(&mut self, entry: Range<usize>) -> Option<Range<u64>> {
        let body = &self.bytes[entry.clone()];
        let back = usize::try_from(u32_at(body, 0)).ok()?;
        if body.len() < 8 || back == 0 {
            return None;
        }
        let common = entry.start.checked_sub(back)?;
        let known = self.encodings.get(&common).copied();
        let encoding = known.or_else(|| encoding(self.wide, &self.bytes[self.entry(common)?.0]))?;
        self.encodings.insert(common, encoding);
        let place = self.address.wrapping_add(entry.start as u64 + 4);
        let (start, size) = pointer(self.wide, body, 4, encoding, place)?;
        // The length has the format of the address, but is not relative.
        let (length, _) = pointer(self.wide, body, 4 + size, encoding & 0x7, 0)?;
        Some(start..start.checked_add(length)?)
    }
}

/// The encoding of addresses in a common entry, whose `body` follows its length.
fn encoding(wide: bool, body: &[u8]) -> Option<u8> {
    let version = *body.get(4)?;
    let augmentation = body.get(5..)?;
    let end = augmentation.iter().take(16).position(|&byte| byte == 0)?;
    let (augmentation, mut at) = (&augmentation[..end], 5 + end + 1);
    if augmentation.first() != Some(&b'z') {
        return Some(0);
    }
    // Alignment of code and data, and the register of the return address.
    at = after_leb128(body, after_leb128(body, at)?)?;
    at = if version == 1 { at.checked_add(1)? } else { after_leb128(body, at)? };
    at = after_leb128(body, at)?;
    for kind in &augmentation[1..] {
        match kind {
            b'R' => return body.get(at).copied(),
            b'L' => at += 1,
            b'P' => {
                let encoding = *body.get(at)?;
                at += 1 + pointer(wide, body, at + 1, encoding & 0xf, 0)?.1;
            }
            _ => {}
        }
    }
    Some(0)
}

/// The offset after a LEB128 number.
fn after_leb128(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..)?.iter().take(10).position(|&byte| byte & 0x80 == 0)?;
    Some(at + length + 1)
}

/// An encoded pointer and its length in bytes. `place` is the address of the pointer.
fn pointer(wide: bool, bytes: &[u8], at: usize, encoding: u8, place: u64) -> Option<(u64, usize)> {
    let rest = bytes.get(at..)?;
    let signed = encoding & 0x8 != 0;
    let (value, size) = match encoding & 0x7 {
        0 if wide => (u64_at(rest, 0), 8),
        2 if signed => (i64::from(u16_at(rest, 0).cast_signed()).cast_unsigned(), 2),
        2 => (u64::from(u16_at(rest, 0)), 2),
        3 if signed => (i64::from(u32_at(rest, 0).cast_signed()).cast_unsigned(), 4),
        0 | 3 => (u64::from(u32_at(rest, 0)), 4),
        4 => (u64_at(rest, 0), 8),
        _ => return None,
    };
    if rest.len() < size {
        return None;
    }
    let value = match encoding & 0xf0 {
        0 => value,
        PC_RELATIVE => value.wrapping_add(place),
        _ => return None,
    };
    let value = if wide { value } else { value & u64::from(u32::MAX) };
    Some((value, size))
}
