//! The needed versions (`DT_VERNEED`) and the defined versions (`DT_VERDEF`) of a file (LSB Core, "Symbol
//! Versioning").

use std::collections::BTreeMap;

use goblin::elf::{
    dynamic::{DT_VERDEF, DT_VERNEED},
    symver::VER_FLG_WEAK,
};

use super::{
    ElfError, VersionNeed,
    dynamic::Dynamic,
    image::{Image, MAX_NAME},
};

/// Maximum number of version needs. Real files have a few dozen.
const MAX_NEEDS: usize = 1 << 12;
/// Maximum size of all names, in bytes. Real files have a few thousand.
const MAX_BYTES: usize = 1 << 20;
/// `Elfxx_Verneed` and `Elfxx_Vernaux` have the same size in both classes.
const ENTRY: usize = 16;

/// The version needs, in file order and by the symbols' version index.
#[derive(Default)]
pub(super) struct Needs {
    pub(super) list: Vec<VersionNeed>,
    pub(super) by_index: BTreeMap<u16, usize>,
    bytes: usize,
}

/// Reads the chain to its end, as the loader does, and ignores `DT_VERNEEDNUM`. Offsets are positive and the number
/// of entries is bounded, so overlapping chains end too.
pub(super) fn needs(image: &Image<'_>, dynamic: &Dynamic) -> Result<Needs, ElfError> {
    let mut needs = Needs::default();
    let Some(address) = dynamic.get(DT_VERNEED) else {
        return Ok(needs);
    };
    let bytes = image.at(address, "version needs")?;
    let outside = || ElfError::Outside { what: "version needs", address };
    let mut at = 0;
    for _ in 0..MAX_NEEDS {
        let entry = part(bytes, at).ok_or_else(outside)?;
        if image.u16(entry, 0) != 1 {
            return Err(ElfError::Dynamic("unknown format of version needs"));
        }
        let library = dynamic.string(
            image,
            u64::from(image.u32(entry, 4)),
            MAX_NAME,
            "library of a version need",
        )?;
        let first = advance(at, image.u32(entry, 8));
        // The loader reads at least one version per library.
        let versions = bytes.get(first..).ok_or_else(outside)?;
        read_versions(image, dynamic, versions, &library, &mut needs)?;
        match image.u32(entry, 12) {
            0 => return Ok(needs),
            next => at = advance(at, next),
        }
    }
    Err(ElfError::TooMany("version needs"))
}

/// Reads the needed versions of one library.
fn read_versions(
    image: &Image<'_>,
    dynamic: &Dynamic,
    bytes: &[u8],
    library: &str,
    needs: &mut Needs,
) -> Result<(), ElfError> {
    let mut at = 0;
    loop {
        let entry =
            part(bytes, at).ok_or(ElfError::Dynamic("a version need is outside the file"))?;
        if needs.list.len() == MAX_NEEDS {
            return Err(ElfError::TooMany("version needs"));
        }
        let version = dynamic.string(
            image,
            u64::from(image.u32(entry, 8)),
            MAX_NAME,
            "name of a version need",
        )?;
        needs.bytes += library.len() + version.len();
        if needs.bytes > MAX_BYTES {
            return Err(ElfError::TooMany("bytes in the names of version needs"));
        }
        needs.by_index.insert(image.u16(entry, 6) & 0x7fff, needs.list.len());
        needs.list.push(VersionNeed {
            library: library.to_owned(),
            version,
            weak: image.u16(entry, 4) & VER_FLG_WEAK != 0,
            is_implied: false,
        });
        match image.u32(entry, 12) {
            0 => return Ok(()),
            next => at = advance(at, next),
        }
    }
}

/// The names of the defined versions, including the file's own name (`VER_FLG_BASE`). The loader compares a need
/// with each of them (glibc, `elf/dl-version.c`, `match_symbol`).
pub(super) fn definitions(image: &Image<'_>, dynamic: &Dynamic) -> Result<Vec<String>, ElfError> {
    let Some(address) = dynamic.get(DT_VERDEF) else { return Ok(Vec::new()) };
    let bytes = image.at(address, "version definitions")?;
    let outside = || ElfError::Outside { what: "version definitions", address };
    let (mut names, mut at, mut left) = (Vec::new(), 0, MAX_BYTES);
    while names.len() < MAX_NEEDS {
        let entry = part(bytes, at).ok_or_else(outside)?;
        if image.u16(entry, 0) != 1 {
            return Err(ElfError::Dynamic("unknown format of version definitions"));
        }
        // The first name is the version's own. Names of its parents follow.
        let first = advance(at, image.u32(entry, 12));
        let name = bytes.get(first..).filter(|rest| rest.len() >= 8).ok_or_else(outside)?;
        let name = u64::from(image.u32(name, 0));
        let name = dynamic.string(image, name, MAX_NAME, "name of a version definition")?;
        left = left
            .checked_sub(name.len())
            .ok_or(ElfError::TooMany("bytes in the names of version definitions"))?;
        names.push(name);
        // `Elfxx_Verdef` has 20 bytes, of which `part` is the first 16.
        match image.u32(bytes, at.saturating_add(ENTRY)) {
            0 => return Ok(names),
            next => at = advance(at, next),
        }
    }
    Err(ElfError::TooMany("version definitions"))
}

fn part(bytes: &[u8], at: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(ENTRY)?)
}

fn advance(at: usize, by: u32) -> usize {
    at.saturating_add(usize::try_from(by).unwrap_or(usize::MAX))
}
