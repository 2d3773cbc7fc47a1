//! Names out of a string table that is too large to be held: those that somebody asks for.

use std::ops::Range;

/// Longest name of a symbol that is read: mangled C++ names reach some thousand bytes.
pub(super) const MAX_SYMBOL: usize = 1 << 16;

/// What is found of a table takes at most so many bytes.
const MAX_FOUND: usize = 32 << 20;
/// As long as there is room for them, so many bytes of other names are kept as well, for people to
/// read.
const MAX_SPARE: usize = 4 << 20;
/// How names begin that are kept in any case: those that say what a file offers to Python, and what
/// its code is for.
const OF_NOTE: [&[u8]; 7] =
    [b"Py", b"_Py", b"_cffi_pypyinit_", b"_init\0", b"main\0", b"_start\0", b"__aarch64_"];
/// So many bytes tell whether it is one of those.
const LONGEST: usize = 15;

/// Names of a string table, by their place in the file.
#[derive(Debug, Default)]
pub(crate) struct FilteredStrings {
    table: Range<u64>,
    /// Where in the table, and where in `text`; both ascending.
    names: Vec<(u32, u32)>,
    text: Vec<u8>,
    /// So many were asked for.
    asked: usize,
    is_full: bool,
}

impl FilteredStrings {
    /// The part of the file that was searched.
    pub(crate) fn table(&self) -> &Range<u64> {
        &self.table
    }

    /// For how many symbols names were looked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// Was there more than may be kept?
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// A name that was found, with the zero at its end; empty if there is none at this place.
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

/// Looks for names in a file that comes by from its first byte to its last.
#[derive(Debug)]
pub(crate) struct StringTableFilter {
    /// Where the names begin, in ascending order, and whether they are wanted whatever they are.
    starts: Vec<(u32, bool)>,
    next: usize,
    /// How far into the file the table has come by.
    at: u64,
    /// The beginning of a name that has not come by as a whole.
    carry: Vec<u8>,
    spare: usize,
    found: FilteredStrings,
}

impl StringTableFilter {
    /// Looks for the names that begin at these places of a table, which is a part of the file.
    pub(crate) fn new(table: Range<u64>, mut starts: Vec<(u32, bool)>) -> Self {
        let asked = starts.len();
        // Of two at one place the one that is wanted counts.
        starts.sort_unstable_by_key(|&(start, is_wanted)| (start, !is_wanted));
        starts.dedup_by_key(|each| each.0);
        let (at, found) =
            (table.start, FilteredStrings { table, asked, ..FilteredStrings::default() });
        Self { starts, next: 0, at, carry: Vec::new(), spare: MAX_SPARE, found }
    }

    /// Has the table come by?
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.starts.len() || self.at >= self.found.table.end
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> u64 {
        (self.starts.len() * size_of::<(u32, bool)>() + MAX_SPARE) as u64
    }

    /// What was found.
    pub(crate) fn finish(self) -> FilteredStrings {
        self.found
    }

    /// The bytes of the file at an offset.
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

    /// Looks at bytes that lie `base` bytes into the table.
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
            // What begins within it is there as well.
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
        fn what_is_wanted_is_found_whatever_the_pieces(
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
                let at_hand = found.at(before as u64 + u64::from(start));
                prop_assert!(at_hand.starts_with(name), "{:?} {:?}", name, at_hand);
            }
        }
    }

    #[test]
    fn other_names_are_kept_as_long_as_there_is_room() {
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
