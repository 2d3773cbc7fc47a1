//! Writes archives in canonical form: the same members with the same content have the same bytes, regardless of the
//! original writer.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
    sync::Arc,
};

use flate2::{Compression, Crc, write::DeflateEncoder};
use thiserror::Error;

use super::{DEFLATED, Entry, MemberError, WheelArchive, directory::UTF8};

/// Made by version 2.0 on Unix, so that readers use the upper half of the attributes as the mode.
const MADE_BY: u16 = 0x0314;
const VERSION_NEEDED: u16 = 20;
/// The offset of checksum and sizes in a local header.
const SIZES_AT: u64 = 14;
const REGULAR_FILE: u32 = 0o100_000;
/// The size of pieces for the encoder, in bytes. Its output may depend on piece boundaries, and those of the reader
/// depend on the original compression.
const PIECE: usize = 64 << 10;

/// The reason why an archive cannot be written.
#[derive(Debug, Error)]
pub(in crate::wheel) enum WriteError {
    /// A member is unreadable.
    #[error("`{name}`: {source}")]
    Member {
        /// The member.
        name: String,
        /// Why.
        source: MemberError,
    },
    /// The file cannot be written, or exceeds the limits of the format.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The content of a member in the new archive.
pub(in crate::wheel) enum Content {
    /// Its original bytes.
    Same,
    /// Other bytes.
    New(Vec<u8>),
}

/// Writes `archive` to the empty `output`: members without folders, sorted by name, with the metadata folder last and
/// its `RECORD` at the end. Each member is deflated and has the time `modified` and the mode 0644, or 0755 if it is
/// executable. There are no extra fields, comments or data descriptors.
pub(in crate::wheel) fn write<R: Read + Seek>(
    archive: &mut WheelArchive<R>,
    output: &mut (impl Write + Seek),
    modified: [u16; 2],
    mut content: impl FnMut(&Entry) -> Content,
) -> Result<(), WriteError> {
    let entries = Arc::clone(&archive.entries);
    let mut order: Vec<usize> = (0..entries.len()).filter(|&at| !entries[at].is_folder()).collect();
    order.sort_by_cached_key(|&at| rank(&entries[at].name));
    let (mut directory, mut at) = (Vec::new(), 0_u64);
    for &index in &order {
        let entry = canonical(&entries[index], modified);
        let mut packer = Packer::begin(entry, at, output)?;
        match content(&entries[index]) {
            Content::New(bytes) => packer.add(&bytes)?,
            Content::Same => {
                let mut written = Ok(());
                let mut add = |piece: &[u8]| {
                    if written.is_ok() {
                        written = packer.add(piece);
                    }
                };
                archive.stream(index, &mut add).map_err(|source| WriteError::Member {
                    name: entries[index].name.clone(),
                    source,
                })?;
                written?;
            }
        }
        at = packer.end(&mut directory)?;
    }
    // 65,535 members would indicate zip64.
    let count =
        u16::try_from(order.len()).ok().filter(|&it| it < u16::MAX).ok_or_else(too_large)?;
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend(count.to_le_bytes());
    end.extend(count.to_le_bytes());
    end.extend(short(directory.len() as u64)?.to_le_bytes());
    end.extend(short(at)?.to_le_bytes());
    end.extend([0, 0]);
    output.write_all(&directory)?;
    Ok(output.write_all(&end)?)
}

/// The order of the members. The format recommends metadata at the end.
pub(in crate::wheel) fn rank(name: &str) -> (bool, bool, String) {
    let in_metadata = name.split_once('/').filter(|(folder, _)| folder.ends_with(".dist-info"));
    (in_metadata.is_some(), in_metadata.is_some_and(|(_, file)| file == "RECORD"), name.to_owned())
}

/// Converts seconds since 1970 to an MS-DOS date and time in UTC, limited to 1980 to 2107.
pub(in crate::wheel) fn dos_time(seconds: u64) -> [u16; 2] {
    const FIRST: u64 = 315_532_800;
    const LAST: u64 = 4_354_819_198;
    let seconds = seconds.clamp(FIRST, LAST);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, so that the leap day is the last day of a year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year_of_era + era * 400 + next;
    let date = (year - 1980) << 9 | month << 5 | day;
    let time = (of_day / 3_600) << 11 | (of_day / 60 % 60) << 5 | (of_day % 60 / 2);
    [time, date].map(|half| u16::try_from(half).unwrap_or(u16::MAX))
}

fn canonical(entry: &Entry, modified: [u16; 2]) -> Entry {
    let mode = if entry.unix_mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    Entry {
        name: entry.name.clone(),
        size: 0,
        packed_size: 0,
        crc32: 0,
        method: DEFLATED,
        flags: if entry.name.is_ascii() { 0 } else { UTF8 },
        modified,
        made_by: MADE_BY,
        attributes: (REGULAR_FILE | mode) << 16,
        header_offset: 0,
        data_offset: 0,
    }
}

/// Compresses a member.
struct Packer<'a, W: Write + Seek> {
    entry: Entry,
    crc: Crc,
    encoder: DeflateEncoder<Counted<&'a mut W>>,
    piece: Vec<u8>,
}

impl<'a, W: Write + Seek> Packer<'a, W> {
    fn begin(mut entry: Entry, at: u64, output: &'a mut W) -> io::Result<Self> {
        let header = local(&entry)?;
        output.write_all(&header)?;
        entry.header_offset = at;
        entry.data_offset = at + header.len() as u64;
        let encoder = DeflateEncoder::new(Counted { output, count: 0 }, Compression::default());
        Ok(Self { entry, crc: Crc::new(), encoder, piece: Vec::with_capacity(PIECE) })
    }

    fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.entry.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = rest;
            if self.piece.len() == PIECE {
                self.encoder.write_all(&self.piece)?;
                self.piece.clear();
            }
        }
        Ok(())
    }

    /// Completes the local header, adds the member to the directory, and returns the offset after it.
    fn end(mut self, directory: &mut Vec<u8>) -> io::Result<u64> {
        self.encoder.write_all(&mem::take(&mut self.piece))?;
        let Counted { output, count } = self.encoder.finish()?;
        let mut entry = self.entry;
        (entry.packed_size, entry.crc32) = (count, self.crc.sum());
        let end = entry.data_offset + entry.packed_size;
        output.seek(SeekFrom::Start(entry.header_offset + SIZES_AT))?;
        output.write_all(&sizes(&entry)?)?;
        output.seek(SeekFrom::Start(end))?;
        directory.extend(central(&entry)?);
        Ok(end)
    }
}

struct Counted<W> {
    output: W,
    count: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// The common part of both headers of a member: from the needed version to the length of the name.
fn header(entry: &Entry) -> io::Result<Vec<u8>> {
    let name_size = u16::try_from(entry.name.len()).map_err(|_| too_large())?;
    let [time, date] = entry.modified;
    let words = [VERSION_NEEDED, entry.flags, entry.method, time, date];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(sizes(entry)?);
    bytes.extend(name_size.to_le_bytes());
    bytes.extend([0, 0]);
    Ok(bytes)
}

fn sizes(entry: &Entry) -> io::Result<Vec<u8>> {
    let words = [entry.crc32, short(entry.packed_size)?, short(entry.size)?];
    Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
}

fn local(entry: &Entry) -> io::Result<Vec<u8>> {
    Ok([b"PK\x03\x04", header(entry)?.as_slice(), entry.name.as_bytes()].concat())
}

fn central(entry: &Entry) -> io::Result<Vec<u8>> {
    // No comment, first disk, no internal attributes.
    let (made_by, header, none) = (entry.made_by.to_le_bytes(), header(entry)?, [0; 6]);
    let attributes = entry.attributes.to_le_bytes();
    let offset = short(entry.header_offset)?.to_le_bytes();
    let parts =
        [b"PK\x01\x02", &made_by[..], &header, &none, &attributes, &offset, entry.name.as_bytes()];
    Ok(parts.concat())
}

/// A field of four bytes. With all bits set, it would indicate zip64.
fn short(value: u64) -> io::Result<u32> {
    u32::try_from(value).ok().filter(|&it| it < u32::MAX).ok_or_else(too_large)
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "the archive would need the zip64 form, which no index of Python packages accepts",
    )
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
