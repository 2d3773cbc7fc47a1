//! Extracts the requested names from a string table that is too large for memory.

use std::ops::Range;

/// Maximum length of a symbol's name, in bytes. Mangled C++ names reach a few thousand.
pub(super) const MAX_SYMBOL: usize = 1 << 16;

/// Maximum size of the extracted names, in bytes.
const MAX_FOUND: usize = 32 << 20;
/// Maximum size of additional names for reports, in bytes.
const MAX_SPARE: usize = 4 << 20;
/// Prefixes of names that are always kept: exports for Python, and functions with a known role.
const OF_NOTE: [&[u8]; 7] =
    [b"Py", b"_Py", b"_cffi_pypyinit_", b"_init\0", b"main\0", b"_start\0", b"__aarch64_"];
/// The number of bytes that identify these prefixes.
const LONGEST: usize = 15;

/// Names of a string table, by file offset.
#[derive(Debug, Default)]
pub(crate) struct FilteredStrings {
    table: Range<u64>,
    /// The offset in the table, and the offset in `text`. Both ascend.
    names: Vec<(u32, u32)>,
    text: Vec<u8>,
    /// The number of requested names.
    requested: usize,
    is_full: bool,
}

impl FilteredStrings {
    /// The part of the file that was searched.
    pub(crate) fn table(&self) -> &Range<u64> {
        &self.table
    }

    /// The number of symbols with requested names.
    pub(crate) fn requested(&self) -> usize {
        self.requested
    }

    /// Returns whether names exceeded the limit.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The name at this offset with its terminating zero. Empty if it was not kept.
    pub(crate) fn at(&self, offset: u64) -> &[u8] {
        let find = || {
            let place = u32::try_from(offset.checked_sub(self.table.start)?).ok()?;
            let after = self.names.partition_point(|each| each.0 <= place);
            let (start, from) = *self.names.get(after.checked_sub(1)?)?;
            let to = self.names.get(after).map_or(self.text.len(), |each| each.1 as usize);
            self.text.get(from as usize + (place - start) as usize..to)
        };
        find().unwrap_or_default()
    }

    fn keep(&mut self, start: u32, name: &[u8]) {
        let size = self.text.len() + name.len() + (self.names.len() + 1) * 8;
        if let Some(from) = u32::try_from(self.text.len()).ok().filter(|_| size <= MAX_FOUND) {
            self.names.push((start, from));
            self.text.extend_from_slice(name);
        } else {
            self.is_full = true;
        }
    }
}

/// Searches for names in a file that is read sequentially.
#[derive(Debug)]
pub(crate) struct StringTableFilter {
    /// The ascending offsets of the names, and whether to keep them regardless of their prefix.
    starts: Vec<(u32, bool)>,
    next: usize,
    /// The file offset up to which the table was read.
    at: u64,
    /// The start of an incomplete name.
    carry: Vec<u8>,
    spare: usize,
    found: FilteredStrings,
}

impl StringTableFilter {
    /// Searches for the names at these offsets of a table in the file.
    pub(crate) fn new(table: Range<u64>, mut starts: Vec<(u32, bool)>) -> Self {
        let requested = starts.len();
        // Of two at the same offset, the required one counts.
        starts.sort_unstable_by_key(|&(start, is_wanted)| (start, !is_wanted));
        starts.dedup_by_key(|each| each.0);
        let (at, found) =
            (table.start, FilteredStrings { table, requested, ..FilteredStrings::default() });
        Self { starts, next: 0, at, carry: Vec::new(), spare: MAX_SPARE, found }
    }

    /// Returns whether the whole table was read.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.starts.len() || self.at >= self.found.table.end
    }

    /// Estimated memory, in bytes.
    pub(crate) fn size(&self) -> u64 {
        (self.starts.len() * size_of::<(u32, bool)>() + MAX_SPARE) as u64
    }

    /// The extracted names.
    pub(crate) fn finish(self) -> FilteredStrings {
        self.found
    }

    /// Adds the bytes of the file at an offset.
    pub(crate) fn feed(&mut self, offset: u64, piece: &[u8]) {
        let end = offset + piece.len() as u64;
        let (from, to) = (self.at.max(offset), self.found.table.end.min(end));
        if from >= to {
            return;
        }
        let index = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
        let part = piece.get(index(from)..index(to)).unwrap_or_default();
        self.at = to;
        let carry = std::mem::take(&mut self.carry);
        let base = from - carry.len() as u64 - self.found.table.start;
        if carry.is_empty() {
            self.request_names(base, part);
        } else {
            self.request_names(base, &[&carry, part].concat());
        }
    }

    /// Searches bytes at the offset `base` of the table.
    fn request_names(&mut self, base: u64, data: &[u8]) {
        let is_end = self.at >= self.found.table.end;
        while let Some(&(start, is_wanted)) = self.starts.get(self.next) {
            let Some(skip) = u64::from(start).checked_sub(base) else {
                self.next += 1;
                continue;
            };
            let rest = usize::try_from(skip).ok().and_then(|skip| data.get(skip..));
            let Some(rest) = rest.filter(|rest| !rest.is_empty()) else { return };
            let end = memchr::memchr(0, &rest[..rest.len().min(MAX_SYMBOL)]);
            let is_whole = end.is_some() || is_end || rest.len() >= MAX_SYMBOL;
            let is_known = is_whole || rest.len() >= LONGEST;
            let is_wanted = is_wanted || OF_NOTE.iter().any(|each| rest.starts_with(each));
            if !is_whole && (!is_known || is_wanted || self.spare > 0) {
                self.carry = rest.to_vec();
                return;
            }
            self.next += 1;
            let Some(name) = end.and_then(|end| rest.get(..=end)) else { continue };
            if !is_wanted {
                let Some(spare) = self.spare.checked_sub(name.len()) else { continue };
                self.spare = spare;
            }
            self.found.keep(start, name);
            // Names within another name are available too.
            let after = u64::from(start) + name.len() as u64;
            let more = self.starts.get(self.next..).unwrap_or_default();
            self.next += more.iter().take_while(|each| u64::from(each.0) < after).count();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn requested_strings_are_found_for_any_division_into_pieces(
            names in prop::collection::vec("(Py|_Py|_cffi_pypyinit_|)[a-z]{0,40}", 1..20),
            wanted in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..30),
            before in 0_usize..20,
            size in 1_usize..50,
        ) {
            let text = names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat());
            let table: Vec<u8> = text.collect();
            let place = |place: &prop::sample::Index| u32::try_from(place.index(table.len()));
            let starts = wanted.iter().map(|(at, all)| (place(at).unwrap_or(0), *all));
            let starts: Vec<(u32, bool)> = starts.collect();
            let file = [vec![b'P'; before], table.clone(), b"Py".to_vec()].concat();
            let range = before as u64..(before + table.len()) as u64;
            let mut filter = StringTableFilter::new(range, starts.clone());
            for (index, piece) in file.chunks(size).enumerate() {
                filter.feed((index * size) as u64, piece);
            }
            prop_assert!(filter.is_done());
            let found = filter.finish();
            for (start, _) in starts {
                let name = &table[start as usize..];
                let name = &name[..=name.iter().position(|&byte| byte == 0).unwrap_or(0)];
                let available = found.at(before as u64 + u64::from(start));
                prop_assert!(available.starts_with(name), "{:?} {:?}", name, available);
            }
        }
    }

    #[test]
    fn other_names_are_kept_while_space_remains() {
        let count = 10_000_u32;
        let name = |index: u32| format!("{index:0>1000}\0").into_bytes();
        let table: Vec<u8> = (0..count).flat_map(name).collect();
        let starts = (0..count).map(|index| (index * 1_001, index == count - 1)).collect();
        let mut filter = StringTableFilter::new(0..table.len() as u64, starts);
        filter.feed(0, &table);
        let found = filter.finish();
        assert!(found.text.len() <= MAX_SPARE + 1_001, "{}", found.text.len());
        assert_eq!(found.at(0)[..1_001], name(0));
        assert_eq!(found.at(u64::from(count - 2) * 1_001), b"");
        assert_eq!(found.at(u64::from(count - 1) * 1_001), name(count - 1));
    }
}
