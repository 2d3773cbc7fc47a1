//! Checks the extra fields of a header about which readers disagree (PKWARE APPNOTE 6.3, section 4.5).

use super::{
    bytes::u16,
    problem::{ArchiveProblem, printable},
};

/// Sizes above 32 bits (section 4.5.3).
const ZIP64: u16 = 1;
/// Another name in UTF-8 (section 4.6.9).
const UNICODE_PATH: u16 = 0x7075;

/// Replaces sizes with all bits set by those in the extra field, in order.
pub(super) fn wide<const N: usize>(extra: &[u8], short: [u32; N]) -> [u64; N] {
    let field = fields(extra).find(|(id, _)| *id == ZIP64).map_or(&[][..], |(_, data)| data);
    let mut parts = numbers(field);
    short.map(|value| {
        let part = if value == u32::MAX { parts.next() } else { None };
        part.unwrap_or(u64::from(value))
    })
}

/// The fault of the extra fields of a header with these sizes (and offset). `short` are the values in the header
/// itself.
pub(super) fn problem<const N: usize>(
    name: &str,
    extra: &[u8],
    short: [u32; N],
) -> Option<ArchiveProblem> {
    let used: usize = fields(extra).map(|(_, data)| 4 + data.len()).sum();
    let reason = if fields(extra).any(|(id, _)| id == UNICODE_PATH) {
        "renames it"
    } else if used != extra.len() {
        "is broken"
    } else {
        other_sizes(extra, short)?
    };
    Some(ArchiveProblem::ExtraField { name: printable(name), reason })
}

/// The field for large sizes should contain only the sizes that do not fit. Some writers store all of them, and some
/// readers use them always, so both values must be equal.
fn other_sizes<const N: usize>(extra: &[u8], short: [u32; N]) -> Option<&'static str> {
    let mut all = fields(extra).filter(|(id, _)| *id == ZIP64).map(|(_, data)| data);
    let field = all.next()?;
    if all.next().is_some() {
        return Some("repeats its sizes");
    }
    let needed = short.iter().filter(|value| **value == u32::MAX).count();
    let present = numbers(field).count();
    // The number of a disk may follow the sizes.
    if present < needed || !matches!(field.len() % 8, 0 | 4) {
        return Some("lacks the sizes that the header has no space for");
    }
    let same = || numbers(field).eq(wide(extra, short).into_iter().take(present)) && present <= N;
    (present > needed && !same()).then_some("contradicts its sizes")
}

fn numbers(field: &[u8]) -> impl Iterator<Item = u64> {
    field.chunks_exact(8).filter_map(|part| part.try_into().ok()).map(u64::from_le_bytes)
}

/// The extra fields: id and data. A malformed field ends the list.
fn fields(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = usize::from(u16(rest, 2));
        let field = (u16(rest, 0), rest.get(4..4 + size)?);
        rest = &rest[4 + size..];
        Some(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip64(parts: &[u64]) -> Vec<u8> {
        let data: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
        let size = u8::try_from(data.len()).unwrap_or(u8::MAX);
        [&[1, 0, size, 0], data.as_slice()].concat()
    }

    fn reason(extra: &[u8], short: [u32; 2]) -> Option<&'static str> {
        match problem("a", extra, short) {
            Some(ArchiveProblem::ExtraField { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn redundant_sizes_must_match_the_header() {
        const ONES: u32 = u32::MAX;
        // Python's `zipfile` writes them if the size is unknown.
        assert_eq!(reason(&zip64(&[7, 5]), [ONES, ONES]), None);
        assert_eq!(wide(&zip64(&[7, 5]), [ONES, ONES]), [7, 5]);
        assert_eq!(reason(&zip64(&[5]), [7, ONES]), None);
        assert_eq!(reason(&zip64(&[7, 5]), [7, 5]), None, "needless and harmless");
        assert_eq!(reason(&zip64(&[]), [7, 5]), None);
        assert_eq!(reason(&zip64(&[9, 5]), [7, 5]), Some("contradicts its sizes"));
        assert_eq!(reason(&zip64(&[9]), [7, 5]), Some("contradicts its sizes"));
        assert_eq!(reason(&zip64(&[7, 5]), [7, ONES]), Some("contradicts its sizes"));
        assert_eq!(reason(&zip64(&[7, 5, 0]), [7, 5]), Some("contradicts its sizes"));
        let few = Some("lacks the sizes that the header has no space for");
        assert_eq!(reason(&zip64(&[7]), [ONES, ONES]), few);
        assert_eq!(reason(&[1, 0, 2, 0, 7, 7], [7, 5]), few);
        let twice = [zip64(&[7, 5]), zip64(&[9, 5])].concat();
        assert_eq!(reason(&twice, [7, 5]), Some("repeats its sizes"));
        assert_eq!(reason(&[1, 0, 9, 0, 7], [7, 5]), Some("is broken"));
    }
}
