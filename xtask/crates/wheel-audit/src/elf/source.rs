//! The bytes of a file, as a whole or in parts: an ELF file may be larger than the available memory.

use std::ops::Range;

use super::string_table::FilteredStrings;

/// A file that is at least partly in memory.
pub(crate) trait FileBytes {
    /// The file's length, in bytes.
    fn length(&self) -> u64;

    /// The continuous bytes in memory from `offset` on. Empty if the first one is missing.
    fn run(&self, offset: u64) -> &[u8];

    /// Exactly `length` bytes at `offset`, if all of them are in memory.
    fn get(&self, offset: u64, length: u64) -> Option<&[u8]> {
        self.run(offset).get(..usize::try_from(length).ok()?)
    }

    /// The filtered names of a string table that is not in memory. It contains every name of interest in its part of
    /// the file.
    fn names(&self) -> Option<&FilteredStrings> {
        None
    }
}

impl FileBytes for [u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn run(&self, offset: u64) -> &[u8] {
        usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default()
    }
}

impl FileBytes for &[u8] {
    fn length(&self) -> u64 {
        (**self).length()
    }

    fn run(&self, offset: u64) -> &[u8] {
        (**self).run(offset)
    }
}

/// Parts of a file, each with its offset.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    length: u64,
    /// The concatenated bytes of all parts.
    bytes: Vec<u8>,
    /// The file offset of each part, and its offset in `bytes`. Both ascend.
    parts: Vec<(u64, usize)>,
    names: Option<FilteredStrings>,
}

impl Sparse {
    /// A file without any bytes in memory.
    pub(crate) fn nothing(length: u64) -> Self {
        Self { length, ..Self::default() }
    }

    /// Reserves memory. See `RegionBuffer` for the reason.
    pub(super) fn reserve(&mut self, size: usize) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(size);
        }
    }

    /// Adds bytes after all existing ones.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8]) {
        let last = self.parts.len().checked_sub(1).and_then(|index| self.part(index));
        if last.is_none_or(|(start, part)| start + part.len() as u64 != offset) {
            self.parts.push((offset, self.bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Sets the filtered names.
    pub(super) fn set_names(&mut self, names: Option<FilteredStrings>) {
        self.names = names;
    }

    /// Removes and returns them.
    pub(super) fn take_names(&mut self) -> Option<FilteredStrings> {
        self.names.take()
    }

    /// The ranges of the file in memory, in order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let parts = (0..self.parts.len()).filter_map(|index| self.part(index));
        parts.map(|(start, bytes)| start..start + bytes.len() as u64)
    }

    /// A part with its file offset.
    fn part(&self, index: usize) -> Option<(u64, &[u8])> {
        let &(start, from) = self.parts.get(index)?;
        let to = self.parts.get(index + 1).map_or(self.bytes.len(), |next| next.1);
        Some((start, self.bytes.get(from..to)?))
    }
}

impl FileBytes for Sparse {
    fn length(&self) -> u64 {
        self.length
    }

    fn run(&self, offset: u64) -> &[u8] {
        let after = self.parts.partition_point(|(start, _)| *start <= offset);
        let part = after.checked_sub(1).and_then(|index| self.part(index));
        part.map_or(&[], |(start, bytes)| bytes.run(offset - start))
    }

    fn names(&self) -> Option<&FilteredStrings> {
        self.names.as_ref()
    }
}
