//! The bytes of a file, all of them or only those parts that its headers lead to: an ELF file may
//! be larger than the memory that there is for it.

use std::ops::Range;

use super::string_table::FilteredStrings;

/// A file of which some bytes are at hand.
pub(crate) trait FileBytes {
    /// The file's length, in bytes.
    fn length(&self) -> u64;

    /// The bytes from `offset` on that are at hand in one piece; none if the first is not.
    fn run(&self, offset: u64) -> &[u8];

    /// Exactly `length` bytes from `offset`, if all of them are at hand.
    fn get(&self, offset: u64, length: u64) -> Option<&[u8]> {
        self.run(offset).get(..usize::try_from(length).ok()?)
    }

    /// The names that were looked for in a string table of which no more is at hand. A name that
    /// lies in its part of the file and is not among them is none of those that anybody wants.
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
    /// The bytes of all parts, one behind the other.
    bytes: Vec<u8>,
    /// Where in the file a part begins, and where in `bytes`; both ascending.
    parts: Vec<(u64, usize)>,
    names: Option<FilteredStrings>,
}

impl Sparse {
    /// A file of which nothing is at hand.
    pub(crate) fn nothing(length: u64) -> Self {
        Self { length, ..Self::default() }
    }

    /// Room for so many bytes; see `RegionBuffer` on what that saves.
    pub(super) fn reserve(&mut self, size: usize) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(size);
        }
    }

    /// Adds bytes that lie behind all that are there.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8]) {
        let last = self.parts.len().checked_sub(1).and_then(|index| self.part(index));
        if last.is_none_or(|(start, part)| start + part.len() as u64 != offset) {
            self.parts.push((offset, self.bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the names that were looked for.
    pub(super) fn set_names(&mut self, names: Option<FilteredStrings>) {
        self.names = names;
    }

    /// Gives them away.
    pub(super) fn take_names(&mut self) -> Option<FilteredStrings> {
        self.names.take()
    }

    /// Where in the file something is at hand, in order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let parts = (0..self.parts.len()).filter_map(|index| self.part(index));
        parts.map(|(start, bytes)| start..start + bytes.len() as u64)
    }

    /// A part, with its place in the file.
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
