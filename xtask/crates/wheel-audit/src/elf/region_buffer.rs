//! Keeps the needed parts of a file that is too large for memory, while it is read.

use std::ops::Range;

use super::{
    image::named_parts,
    source::{FileBytes as _, Sparse},
    string_table::StringTableFilter,
};

/// Keeps the requested parts of a file that is read sequentially.
#[derive(Debug)]
pub(crate) struct RegionBuffer {
    wanted: Vec<Range<u64>>,
    kept: Sparse,
    at: u64,
    filter: Option<StringTableFilter>,
    /// Also request the parts in the program headers, once these are available.
    follows_headers: bool,
}

/// Number of bytes to keep at the start of a large file, where linkers put the loader's tables.
const HEAD: u64 = 12 << 20;
/// Number of bytes to keep before the section headers: the names of the sections.
const NAMES: u64 = 64 << 10;
/// Maximum size of a loaded segment to keep as a whole, in bytes. Tools such as patchelf add segments for longer
/// tables.
const SMALL_SEGMENT: u64 = 2 << 20;
/// Minimum allocation for the parts of a large file, in bytes. The C library returns allocations above 32 MiB to the
/// system at once (`M_MMAP_THRESHOLD`, mallopt(3)). Smaller ones fragment the heap. Unwritten pages cost nothing.
const ROOM: usize = 33 << 20;
/// Maximum size of parts that use the normal heap, in bytes.
const SMALL: usize = 1 << 20;
/// The offset up to which the program headers are available. Linkers put them after the file header.
const HEADERS: u64 = 16 << 10;

impl RegionBuffer {
    /// Keeps the whole file if it has at most `limit` bytes, otherwise its start and the parts in its headers.
    pub(crate) fn new(length: u64, limit: u64) -> Self {
        let whole = length <= limit;
        let end = if whole { length } else { length.min(HEAD) };
        let first = 0..end;
        Self {
            wanted: std::iter::once(first).collect(),
            kept: Sparse::nothing(length),
            at: 0,
            filter: None,
            follows_headers: !whole,
        }
    }

    /// For a second pass: keeps the existing parts, and `more`.
    pub(crate) fn again(kept: &Sparse, more: &[Range<u64>]) -> Self {
        let wanted = kept.ranges().chain(more.iter().cloned()).collect();
        let length = kept.length();
        Self {
            wanted: merged(wanted, length),
            kept: Sparse::nothing(length),
            at: 0,
            filter: None,
            follows_headers: false,
        }
    }

    /// Searches for names too, and keeps those that were found before.
    #[must_use]
    pub(crate) fn with_filter(
        mut self,
        filter: Option<StringTableFilter>,
        kept: &mut Sparse,
    ) -> Self {
        self.kept.set_names(kept.take_names().filter(|_| filter.is_none()));
        self.filter = filter;
        self
    }

    /// The number of requested bytes.
    pub(crate) fn budget(&self) -> u64 {
        let parts = self.wanted.iter().map(|range| range.end - range.start).sum::<u64>();
        parts + self.filter.as_ref().map_or(0, StringTableFilter::size)
    }

    /// Returns whether all requested bytes were read.
    pub(crate) fn is_done(&self) -> bool {
        !self.follows_headers
            && self.wanted.last().is_none_or(|range| range.end <= self.at)
            && self.filter.as_ref().is_none_or(StringTableFilter::is_done)
    }

    /// Adds the next bytes of the file.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        let (start, end) = (self.at, self.at + piece.len() as u64);
        self.at = end;
        if let Some(filter) = &mut self.filter {
            filter.feed(start, piece);
        }
        for index in 0..self.wanted.len() {
            let range = self.wanted[index].clone();
            let from = range.start.max(start);
            let to = range.end.min(end);
            if from < to {
                self.keep(from, piece.get(part(from - start, to - start)));
            }
        }
        if self.follows_headers && end >= HEADERS.min(self.kept.length()) {
            self.follows_headers = false;
            let named = named_parts(&self.kept, SMALL_SEGMENT, NAMES);
            let mut wanted = std::mem::take(&mut self.wanted);
            // Skip bytes that were already read. The parser requests them in another pass if it needs them.
            wanted.extend(named.into_iter().filter(|range| range.start >= end));
            self.wanted = merged(wanted, self.kept.length());
        }
    }

    /// The kept parts.
    pub(crate) fn finish(self) -> Sparse {
        let Self { mut kept, filter, .. } = self;
        if let Some(filter) = filter {
            kept.set_names(Some(filter.finish()));
        }
        kept
    }

    fn keep(&mut self, from: u64, bytes: Option<&[u8]>) {
        let size = usize::try_from(self.budget()).unwrap_or(0);
        self.kept.reserve(if size < SMALL { size } else { size.max(ROOM) });
        self.kept.add(from, bytes.unwrap_or_default());
    }
}

/// Converts two offsets within a piece, which is in memory.
fn part(from: u64, to: u64) -> Range<usize> {
    let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    index(from)..index(to)
}

/// Sorts the ranges, limits them to the file, and merges adjacent ones.
fn merged(mut ranges: Vec<Range<u64>>, length: u64) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let (start, end) = (range.start, range.end.min(length));
        match merged.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ if start < end => merged.push(start..end),
            _ => {}
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_small_file_is_kept_whole() {
        let mut buffer = RegionBuffer::new(5, 5);
        assert!(!buffer.is_done());
        buffer.feed(b"he");
        buffer.feed(b"llo");
        assert!(buffer.is_done());
        assert_eq!(buffer.finish().get(0, 5), Some(b"hello".as_slice()));
    }

    proptest! {
        #[test]
        fn requested_parts_are_kept_for_any_division_into_pieces(
            ranges in prop::collection::vec((0_u64..300, 0_u64..60), 0..8),
            sizes in prop::collection::vec(1_usize..50, 1..40),
        ) {
            let file: Vec<u8> = (0..=255).collect();
            let wanted: Vec<Range<u64>> = ranges.iter().map(|&(start, size)| start..start + size).collect();
            let mut buffer = RegionBuffer::again(&Sparse::nothing(256), &wanted);
            let mut rest = file.as_slice();
            for size in sizes.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(size.min(rest.len()));
                buffer.feed(piece);
                rest = after;
            }
            prop_assert!(buffer.is_done());
            let kept = buffer.finish();
            for (offset, byte) in file.iter().enumerate() {
                let offset = offset as u64;
                let is_wanted = wanted.iter().any(|range| range.contains(&offset));
                prop_assert_eq!(kept.run(offset).first(), is_wanted.then_some(byte), "{}", offset);
            }
        }
    }
}
