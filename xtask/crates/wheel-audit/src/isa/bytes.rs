//! Reads little-endian numbers.

/// The little-endian number at `offset`. 0 outside of `bytes`: callers check the length.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(fixed(bytes, offset))
}

/// As [`u16_at`], four bytes.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(fixed(bytes, offset))
}

/// As [`u16_at`], eight bytes.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(fixed(bytes, offset))
}

fn fixed<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let end = offset.checked_add(N);
    let part = end.and_then(|end| bytes.get(offset..end));
    part.and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}
