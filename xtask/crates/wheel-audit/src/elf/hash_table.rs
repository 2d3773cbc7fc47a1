//! The hash tables of the symbol table: a file's exports, and the minimum number of symbols (gABI, "Hash Table";
//! `DT_GNU_HASH` as in glibc, `elf/dl-lookup.c`).

use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH};

use super::{ElfError, dynamic::Dynamic, image::Image};

/// The exports of a file, as `DT_GNU_HASH` hashes of their names. With 100,000 exports, 1 of 40,000 other names
/// collides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exports(Option<Vec<u32>>);

impl Exports {
    /// The exports of a file without any.
    pub(crate) const NONE: Self = Self(Some(Vec::new()));
    /// The exports of a file that are unreadable.
    pub(super) const UNKNOWN: Self = Self(None);

    /// Exports with these hashes, in any order.
    pub(super) fn of(mut hashes: Vec<u32>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Self(Some(hashes))
    }

    /// Returns whether they contain a symbol with this hash. `None` if they are unknown.
    pub(crate) fn contains(&self, hash: u32) -> Option<bool> {
        self.0.as_ref().map(|hashes| hashes.binary_search(&hash).is_ok())
    }

    /// Number of distinct hashes.
    pub(crate) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, Vec::len)
    }
}

/// The hash of a symbol's name in [`Exports`] (glibc, `elf/dl-new-hash.h`).
pub(crate) fn symbol_hash(name: &[u8]) -> u32 {
    let add = |hash: u32, &byte: &u8| hash.wrapping_mul(33).wrapping_add(u32::from(byte));
    name.iter().fold(5381, add)
}

/// The chains of a GNU hash table.
struct Chains<'a> {
    /// The first symbol of each bucket's chain. 0 if it is empty.
    heads: &'a [u8],
    /// The first symbol in any chain.
    first: usize,
    /// The hash of each symbol from `first` on. Its lowest bit marks the end of a chain.
    hashes: &'a [u8],
}

/// The number of symbols in the hash tables.
pub(super) fn symbol_count(image: &Image<'_>, dynamic: &Dynamic) -> Result<u64, ElfError> {
    let mut count = 0;
    if let Some(address) = dynamic.get(DT_HASH) {
        // On s390x, this table has words of eight bytes (ABI supplement).
        let wide = image.header.e_machine == goblin::elf::header::EM_S390 && image.is_64_bit();
        let size = if wide { 8 } else { 4 };
        let table = image.table(address, 2 * size as u64, "hash table")?;
        count = if wide { image.word(table, size) } else { u64::from(image.u32(table, size)) };
    }
    if let Some(address) = dynamic.get(DT_GNU_HASH) {
        let chains = Chains::read(image, address)?;
        count = count.max((chains.first + chains.hashes.len() / 4) as u64);
    }
    Ok(count)
}

/// The exports in the GNU hash table. `None` if there is no such table.
pub(super) fn exports(image: &Image<'_>, dynamic: &Dynamic) -> Result<Option<Exports>, ElfError> {
    let Some(address) = dynamic.get(DT_GNU_HASH) else { return Ok(None) };
    Ok(Some(Exports::of(Chains::read(image, address)?.full_hashes(image))))
}

impl<'a> Chains<'a> {
    fn read(image: &Image<'a>, address: u64) -> Result<Self, ElfError> {
        let what = "GNU hash table";
        let outside = ElfError::Outside { what, address };
        let table = image.at(address, what)?;
        let [buckets, first, bloom] = [0, 4, 8].map(|offset| image.u32(table, offset) as usize);
        let start = bloom.checked_mul(image.word_size()).and_then(|size| size.checked_add(16));
        let chains = start.and_then(|start| start.checked_add(buckets.checked_mul(4)?));
        let (Some(start), Some(chains)) = (start, chains.filter(|&end| end <= table.len())) else {
            return Err(outside);
        };
        let heads = &table[start..chains];
        let last = heads.chunks_exact(4).map(|head| image.u32(head, 0) as usize).max();
        let last = last.unwrap_or(0);
        let Some(skip) = last.checked_sub(first).filter(|_| last != 0) else {
            return Ok(Self { heads: &[], first, hashes: &[] });
        };
        let hashes = &table[chains..];
        let chain =
            skip.checked_mul(4).and_then(|skip| hashes.get(skip..)).ok_or(outside.clone())?;
        // The end of the last chain is the end of the table.
        let length = chain.chunks_exact(4).position(|link| image.u32(link, 0) & 1 == 1);
        let end = length.and_then(|length| (skip + length + 1).checked_mul(4));
        let hashes = end.and_then(|end| hashes.get(..end)).ok_or(outside)?;
        Ok(Self { heads, first, hashes })
    }

    /// The hashes with their lowest bit. The bucket's number is the hash modulo the number of buckets, so it determines
    /// this bit. A single bucket does not, so both values are included.
    fn full_hashes(&self, image: &Image<'_>) -> Vec<u32> {
        let buckets = u32::try_from(self.heads.len() / 4).unwrap_or(u32::MAX);
        let most = self.hashes.len() / 4 * if buckets == 1 { 2 } else { 1 };
        let mut full = Vec::with_capacity(most);
        for (bucket, head) in (0..buckets).zip(self.heads.chunks_exact(4)) {
            let start = (image.u32(head, 0) as usize).checked_sub(self.first);
            let chain = start.and_then(|start| self.hashes.get(start.checked_mul(4)?..));
            for link in chain.unwrap_or_default().chunks_exact(4) {
                // No linker creates overlapping chains.
                if full.len() >= most {
                    return full;
                }
                let link = image.u32(link, 0);
                let even = link & !1;
                full.push(if even % buckets == bucket { even } else { even | 1 });
                if buckets == 1 {
                    full.push(even | 1);
                }
                if link & 1 == 1 {
                    break;
                }
            }
        }
        full
    }
}
