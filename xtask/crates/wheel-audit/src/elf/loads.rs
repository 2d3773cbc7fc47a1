//! Maps virtual addresses of a loaded file to file offsets.
//!
//! Loaders map whole pages, segment by segment, and later segments replace earlier ones. They fill the rest of the
//! last page with zeros only if a segment is longer in memory (glibc, `elf/dl-map-segments.h`; Linux,
//! `fs/binfmt_elf.c`). Otherwise the bytes after the segment are mapped too, and tools that add tables to a file
//! rely on this.

use goblin::elf::program_header::{PT_LOAD, ProgramHeader};

/// The smallest page size of supported architectures, in bytes. Larger pages map more bytes.
const PAGE: u64 = 4096;
/// Maximum number of adjacent segments that are treated as one. Linkers create about ten.
const MAX_JOINED: usize = 128;

/// A segment that is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Its file offset.
    pub(super) offset: u64,
    /// Its virtual address.
    pub(super) address: u64,
    /// Its size in the file, in bytes.
    pub(super) in_file: u64,
    /// Its size in memory, in bytes.
    pub(super) in_memory: u64,
}

impl Load {
    /// `None` if the segment is of another kind.
    pub(super) fn of(segment: &ProgramHeader) -> Option<Self> {
        (segment.p_type == PT_LOAD).then_some(Self {
            offset: segment.p_offset,
            address: segment.p_vaddr,
            in_file: segment.p_filesz,
            in_memory: segment.p_memsz,
        })
    }

    /// The first mapped address.
    fn start(&self) -> u64 {
        self.address - self.address % PAGE
    }

    /// The address after the bytes that it maps from the file.
    fn end(&self) -> u64 {
        let end = self.address.saturating_add(self.in_file);
        let is_longer = self.in_memory > self.in_file;
        if is_longer { end } else { end.checked_next_multiple_of(PAGE).unwrap_or(end) }
    }

    fn maps(&self, address: u64) -> bool {
        self.in_file > 0 && (self.start()..self.end()).contains(&address)
    }

    /// The file offset of an address. `None` if it is outside of the segment.
    fn offset_of(&self, address: u64) -> Option<u64> {
        let start = self.address.min(self.offset);
        // The address may be before the segment's own bytes, on its first page.
        (self.offset - start).checked_add(address)?.checked_sub(self.address - start)
    }
}

/// The file offset of an address, and the number of bytes that follow without a gap in file or memory. `loads` are
/// in the order of the program headers, and `length` is the size of the file.
pub(super) fn place(loads: &[Load], length: u64, address: u64) -> Option<(u64, u64)> {
    let mut at = loads.iter().rposition(|load| load.maps(address))?;
    let offset = loads.get(at)?.offset_of(address)?;
    let mut end = address;
    for _ in 0..MAX_JOINED {
        let load = loads.get(at)?;
        let later = loads.get(at + 1..).unwrap_or_default();
        // Later segments replace earlier ones.
        let next = later.iter().filter(|each| each.in_file > 0 && each.start() > end);
        let next = next.map(Load::start).min().unwrap_or(u64::MAX);
        end = load.end().min(next);
        let Some(follows) = loads.iter().rposition(|each| each.maps(end)) else { break };
        if loads.get(follows)?.offset_of(end) != load.offset_of(end) {
            break;
        }
        at = follows;
    }
    let count = (end - address).min(length.checked_sub(offset)?);
    (count > 0).then_some((offset, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(offset: u64, address: u64, in_file: u64, in_memory: u64) -> Load {
        Load { offset, address, in_file, in_memory }
    }

    #[test]
    fn the_rest_of_a_segments_last_page_is_mapped() {
        let loads = [load(0, 0x1000, 0x910, 0x910), load(0x2000, 0x2000, 0x10, 0x10)];
        assert_eq!(place(&loads, 0x3000, 0x1928), Some((0x928, 0x6d8)));
        assert_eq!(place(&loads, 0x950, 0x1928), Some((0x928, 0x28)));
        assert_eq!(place(&loads, 0x920, 0x1928), None);
        assert_eq!(place(&loads, 0x9000, 0x3000), None);
    }

    #[test]
    fn zeros_follow_a_segment_that_is_longer_in_memory() {
        let loads = [load(0, 0x1000, 0x910, 0x920)];
        assert_eq!(place(&loads, 0x3000, 0x190f), Some((0x90f, 1)));
        assert_eq!(place(&loads, 0x3000, 0x1910), None);
    }

    #[test]
    fn the_start_of_a_segments_first_page_is_mapped() {
        let loads = [load(0x185c, 0x2085c, 0x10, 0x10)];
        assert_eq!(place(&loads, 0x3000, 0x20000), Some((0x1000, 0x1000)));
        // The file has no bytes for this part.
        assert_eq!(place(&[load(0x10, 0x2085c, 0x10, 0x10)], 0x3000, 0x20000), None);
    }

    #[test]
    fn adjacent_segments_are_one() {
        let loads = [load(0, 0x1000, 0x1000, 0x1000), load(0x1000, 0x2000, 0x1234, 0x2000)];
        assert_eq!(place(&loads, 0x9000, 0x1800), Some((0x800, 0x1a34)));
        let apart = [load(0, 0x1000, 0x1000, 0x1000), load(0x3000, 0x2000, 0x1234, 0x2000)];
        assert_eq!(place(&apart, 0x9000, 0x1800), Some((0x800, 0x800)));
    }

    #[test]
    fn the_later_of_two_segments_on_a_page_counts() {
        let loads = [load(0, 0x1000, 0x1100, 0x1100), load(0x5200, 0x2200, 0x100, 0x100)];
        assert_eq!(place(&loads, 0x9000, 0x2000), Some((0x5000, 0x1000)));
        assert_eq!(place(&loads, 0x9000, 0x1f00), Some((0xf00, 0x100)));
    }
}
