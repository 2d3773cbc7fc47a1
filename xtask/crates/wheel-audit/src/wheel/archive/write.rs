//! Writing an archive anew: the same members in the same order, in the one plainest form, so that
//! the same input gives the same bytes.

use std::{
    io::{self, Read, Seek, Write},
    sync::Arc,
};

use flate2::{Compression, Crc, write::DeflateEncoder};

use super::{DEFLATED, Entry, WheelArchive, directory::UTF8};

/// What a member of the new archive holds.
pub(in crate::wheel) enum Content {
    /// The bytes it has, as they are packed.
    Same,
    /// Other bytes, packed by the same method.
    New(Vec<u8>),
}

/// Writes `archive` to `output`. Names, order, times and modes are kept; extra fields, comments and
/// data descriptors are left out, since a wheel means nothing by them.
pub(in crate::wheel) fn write<R: Read + Seek>(
    archive: &mut WheelArchive<R>,
    output: &mut impl Write,
    mut content: impl FnMut(&Entry) -> Content,
) -> io::Result<()> {
    let mut directory = Vec::new();
    let mut at = 0_u64;
    for entry in Arc::clone(&archive.entries).iter().cloned() {
        let (entry, packed) = match content(&entry) {
            Content::Same => (entry, None),
            Content::New(bytes) => {
                let (entry, packed) = pack(entry, &bytes)?;
                (entry, Some(packed))
            }
        };
        let header = Header::new(&entry)?;
        directory.extend(header.central(&entry, short(at)?));
        let local = header.local(&entry);
        output.write_all(&local)?;
        match packed {
            Some(bytes) => output.write_all(&bytes)?,
            None => copy(archive, &entry, output)?,
        }
        at += local.len() as u64 + entry.packed_size;
    }
    let count = u16::try_from(archive.entries.len()).map_err(|_| too_large())?;
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend(count.to_le_bytes());
    end.extend(count.to_le_bytes());
    end.extend(short(directory.len() as u64)?.to_le_bytes());
    end.extend(short(at)?.to_le_bytes());
    end.extend([0, 0]);
    output.write_all(&directory)?;
    output.write_all(&end)
}

fn copy<R: Read + Seek>(
    archive: &mut WheelArchive<R>,
    entry: &Entry,
    output: &mut impl Write,
) -> io::Result<()> {
    let copied = io::copy(&mut archive.packed(entry)?, output)?;
    if copied == entry.packed_size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn pack(mut entry: Entry, bytes: &[u8]) -> io::Result<(Entry, Vec<u8>)> {
    let packed = if entry.method == DEFLATED {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes)?;
        encoder.finish()?
    } else {
        bytes.to_vec()
    };
    let mut crc = Crc::new();
    crc.update(bytes);
    entry.crc32 = crc.sum();
    entry.size = bytes.len() as u64;
    entry.packed_size = packed.len() as u64;
    Ok((entry, packed))
}

/// The part that both headers of a member have in common: from the version needed to the length of
/// the name.
struct Header(Vec<u8>);

impl Header {
    fn new(entry: &Entry) -> io::Result<Self> {
        const VERSION_NEEDED: u16 = 20;
        let flags = if entry.name.is_ascii() { 0 } else { UTF8 };
        let name_size = u16::try_from(entry.name.len()).map_err(|_| too_large())?;
        let mut bytes = Vec::new();
        for value in [VERSION_NEEDED, flags, entry.method, entry.modified[0], entry.modified[1]] {
            bytes.extend(value.to_le_bytes());
        }
        for value in [entry.crc32, short(entry.packed_size)?, short(entry.size)?] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(name_size.to_le_bytes());
        bytes.extend([0, 0]);
        Ok(Self(bytes))
    }

    fn local(&self, entry: &Entry) -> Vec<u8> {
        [b"PK\x03\x04", self.0.as_slice(), entry.name.as_bytes()].concat()
    }

    fn central(&self, entry: &Entry, offset: u32) -> Vec<u8> {
        // No comment, first disk, no internal attributes.
        let (made_by, none) = (entry.made_by.to_le_bytes(), [0; 6]);
        let (attributes, offset) = (entry.attributes.to_le_bytes(), offset.to_le_bytes());
        [b"PK\x01\x02", &made_by[..], &self.0, &none, &attributes, &offset, entry.name.as_bytes()]
            .concat()
    }
}

fn short(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "the archive would be larger than a plain zip file can be",
    )
}
