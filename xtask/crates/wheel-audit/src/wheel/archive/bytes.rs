//! Numbers in headers of a zip archive, which are little-endian.

/// Numbers in a zip file are little-endian. 0 outside the bytes, for callers that have checked the
/// length.
pub(super) fn u16(bytes: &[u8], at: usize) -> u16 {
    let slice = bytes.get(at..at + 2).and_then(|slice| slice.try_into().ok());
    u16::from_le_bytes(slice.unwrap_or_default())
}

/// As [`u16()`], four bytes.
pub(super) fn u32(bytes: &[u8], at: usize) -> u32 {
    let slice = bytes.get(at..at + 4).and_then(|slice| slice.try_into().ok());
    u32::from_le_bytes(slice.unwrap_or_default())
}
