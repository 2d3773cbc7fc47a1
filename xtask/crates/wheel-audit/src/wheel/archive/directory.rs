//! The central directory and the members' local headers (PKWARE APPNOTE 6.3, sections 4.3 to 4.5).

use std::io::{Read, Seek, SeekFrom};

use super::{
    ArchiveError, ArchiveProblem, DEFLATED, Entry, STORED,
    bytes::{u16, u32},
    extra::{self, wide},
    problem::{MAX_PATH, Problems, bomb, colliding_names, printable, unsafe_name},
};

/// General purpose flags.
pub(super) const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
pub(super) const UTF8: u16 = 1 << 11;
const DESCRIPTOR: u16 = 1 << 3;

/// Maximum size of a central directory, in bytes: 180 for each of the maximum number of members. That of tensorflow
/// has 1.8 MB.
const MAX_DIRECTORY: u64 = 12 << 20;
/// Maximum size of the end record: 22 bytes and a comment of at most 64 KiB.
const END_SIZE: usize = 22;
const MAX_COMMENT: u64 = 0xffff;

type Found = (Vec<Entry>, Vec<ArchiveProblem>);

/// Reads the directory and every local header.
pub(super) fn read<R: Read + Seek>(reader: &mut R) -> Result<Found, ArchiveError> {
    let length = reader.seek(SeekFrom::End(0))?;
    let end = End::find(reader, length)?;
    let mut problems = Problems::default();
    reader.seek(SeekFrom::Start(end.directory_offset))?;
    let mut bytes = vec![0; usize::try_from(end.directory_size).unwrap_or(0)];
    reader.read_exact(&mut bytes)?;
    let mut entries = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (entry, after) = central(rest, &mut problems)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() != usize::from(end.count) {
        return Err(ArchiveError::Malformed(
            "its directory has another number of members than its end record",
        ));
    }
    drop(bytes);
    for entry in &entries {
        problems.extend(of_entry(entry));
    }
    layout(reader, &mut entries, &end, length, &mut problems)?;
    colliding_names(&entries, &mut problems);
    problems.extend(descriptors(&entries));
    let total = |size: fn(&Entry) -> u64| entries.iter().map(size).fold(0, u64::saturating_add);
    problems.extend(bomb(total(|entry| entry.packed_size), total(|entry| entry.size)));
    Ok((entries, problems.finish()))
}

/// The likely kind of a file without an end record.
fn without_end<R: Read + Seek>(reader: &mut R) -> Result<&'static str, ArchiveError> {
    reader.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    reader.take(4).read_to_end(&mut start)?;
    Ok(match start.as_slice() {
        [] => "the file is empty",
        b"PK\x03\x04" => "it is truncated: the directory at its end is missing",
        _ => "it has no zip signature at its start and no directory at its end",
    })
}

/// The end record.
struct End {
    offset: u64,
    count: u16,
    directory_size: u64,
    directory_offset: u64,
}

impl End {
    fn find<R: Read + Seek>(reader: &mut R, length: u64) -> Result<Self, ArchiveError> {
        let start = length.saturating_sub(END_SIZE as u64 + MAX_COMMENT);
        reader.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        reader.take(END_SIZE as u64 + MAX_COMMENT).read_to_end(&mut tail)?;
        let signature = |window: &[u8]| window.starts_with(b"PK\x05\x06");
        let at = tail.windows(END_SIZE).rposition(signature);
        let Some(at) = at else {
            return Err(ArchiveError::Malformed(without_end(reader)?));
        };
        let record = &tail[at..];
        let end = Self {
            offset: start + at as u64,
            count: u16(record, 10),
            directory_size: u64::from(u32(record, 12)),
            directory_offset: u64::from(u32(record, 16)),
        };
        let before = at.checked_sub(20).map(|start| &tail[start..at]);
        let has_locator = before.is_some_and(|bytes| bytes.starts_with(b"PK\x06\x07"));
        let wide = end.count == u16::MAX || end.directory_offset == u64::from(u32::MAX);
        if wide || has_locator {
            // No wheel that an index accepts needs zip64, and readers disagree about the valid directory.
            return Err(ArchiveError::Malformed("it uses zip64"));
        }
        if u16(record, 4) != 0 || u16(record, 6) != 0 || u16(record, 8) != end.count {
            return Err(ArchiveError::Malformed("it has several parts"));
        }
        if end.directory_size > MAX_DIRECTORY {
            return Err(ArchiveError::Malformed("its directory exceeds the size limit"));
        }
        if end.directory_offset + end.directory_size > end.offset {
            return Err(ArchiveError::Malformed("its directory is not at the recorded offset"));
        }
        Ok(end)
    }
}

/// Reads an entry of the central directory. Returns it and the rest.
fn central<'a>(
    bytes: &'a [u8],
    problems: &mut Problems,
) -> Result<(Entry, &'a [u8]), ArchiveError> {
    const SIZE: usize = 46;
    let malformed = ArchiveError::Malformed("an entry of the directory is broken");
    if bytes.len() < SIZE || !bytes.starts_with(b"PK\x01\x02") {
        return Err(malformed);
    }
    let lengths = [28, 30, 32].map(|at| usize::from(u16(bytes, at)));
    let [name, extra, comment] = lengths;
    let (Some(variable), Some(rest)) =
        (bytes.get(SIZE..SIZE + name + extra), bytes.get(SIZE + name + extra + comment..))
    else {
        return Err(malformed);
    };
    let (name, extra) = variable.split_at(name);
    let text = String::from_utf8_lossy(name).into_owned();
    let sizes = [u32(bytes, 24), u32(bytes, 20), u32(bytes, 42)];
    let [size, packed_size, header_offset] = wide(extra, sizes);
    let entry = Entry {
        size,
        packed_size,
        crc32: u32(bytes, 16),
        method: u16(bytes, 10),
        flags: u16(bytes, 8),
        modified: [u16(bytes, 12), u16(bytes, 14)],
        made_by: u16(bytes, 4),
        attributes: u32(bytes, 38),
        header_offset,
        data_offset: 0,
        name: text,
    };
    if !name.is_ascii() && entry.flags & UTF8 == 0 {
        let reason = "it has letters of an unknown encoding";
        problems.push(ArchiveProblem::UnsafeName { name: printable(&entry.name), reason });
    }
    problems.extend(extra::problem(&entry.name, extra, sizes));
    Ok((entry, rest))
}

/// Reads and compares the local header of a member. Returns the offset after its data.
fn local<R: Read + Seek>(
    reader: &mut R,
    entry: &mut Entry,
    limit: u64,
    problems: &mut Problems,
) -> Result<u64, ArchiveError> {
    const SIZE: usize = 30;
    let malformed = ArchiveError::Malformed("a member is not at the recorded offset");
    let mut header = [0; SIZE];
    reader.seek(SeekFrom::Start(entry.header_offset))?;
    if entry.header_offset + SIZE as u64 > limit {
        return Err(malformed);
    }
    reader.read_exact(&mut header)?;
    let (name_size, extra_size) = (usize::from(u16(&header, 26)), usize::from(u16(&header, 28)));
    entry.data_offset = entry.header_offset + (SIZE + name_size + extra_size) as u64;
    let end = entry.data_offset.saturating_add(entry.packed_size);
    if !header.starts_with(b"PK\x03\x04") || end > limit {
        return Err(malformed);
    }
    let mut variable = vec![0; name_size + extra_size];
    reader.read_exact(&mut variable)?;
    let (name, extra) = variable.split_at(name_size);
    let sizes = [u32(&header, 22), u32(&header, 18)];
    problems.extend(extra::problem(&entry.name, extra, sizes));
    let [size, packed_size] = wide(extra, sizes);
    let deferred = entry.flags & DESCRIPTOR != 0;
    let agrees = |found: u64, wanted: u64| found == wanted || (deferred && found == 0);
    let fields = [
        ("name", String::from_utf8_lossy(name) == entry.name.as_str()),
        ("flags", u16(&header, 6) == entry.flags),
        ("method", u16(&header, 8) == entry.method),
        ("checksum", agrees(u32(&header, 14).into(), entry.crc32.into())),
        ("size", agrees(size, entry.size)),
        ("packed size", agrees(packed_size, entry.packed_size)),
    ];
    for (field, _) in fields.into_iter().filter(|(_, same)| !same) {
        problems.push(ArchiveProblem::HeaderMismatch { name: printable(&entry.name), field });
    }
    if deferred { descriptor(reader, entry, end, limit, problems) } else { Ok(end) }
}

/// Reads the data descriptor after a member's data: with or without a signature, with sizes of four or eight bytes.
fn descriptor<R: Read + Seek>(
    reader: &mut R,
    entry: &Entry,
    at: u64,
    limit: u64,
    problems: &mut Problems,
) -> Result<u64, ArchiveError> {
    reader.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    reader.take(24.min(limit - at)).read_to_end(&mut bytes)?;
    let narrow: Vec<u8> = [entry.packed_size, entry.size]
        .iter()
        .flat_map(|size| size.to_le_bytes()[..4].to_vec())
        .collect();
    let broad: Vec<u8> =
        [entry.packed_size, entry.size].iter().flat_map(|size| size.to_le_bytes()).collect();
    for signature in [b"PK\x07\x08".as_slice(), b""] {
        for sizes in [&broad, &narrow] {
            let whole = [signature, &entry.crc32.to_le_bytes(), sizes].concat();
            if bytes.starts_with(&whole) {
                return Ok(at + whole.len() as u64);
            }
        }
    }
    let field = "the sizes behind the data";
    problems.push(ArchiveProblem::HeaderMismatch { name: printable(&entry.name), field });
    Ok(at)
}

/// The problems of a single member.
fn of_entry(entry: &Entry) -> Vec<ArchiveProblem> {
    const TYPE: u32 = 0o170_000;
    let name = || printable(&entry.name);
    let mut problems = Vec::new();
    if entry.name.len() > MAX_PATH {
        problems.push(ArchiveProblem::LongName { name: name(), length: entry.name.len() });
    }
    if let Some(reason) = unsafe_name(&entry.name) {
        problems.push(ArchiveProblem::UnsafeName { name: name(), reason });
    }
    // An empty deflated member has two bytes. The checksum is that of unread bytes.
    let is_filled = entry.size > 0 || entry.packed_size > 2 || entry.crc32 != 0;
    if entry.is_folder() && is_filled {
        problems.push(ArchiveProblem::UnsafeName {
            name: name(),
            reason: "it is a folder with content",
        });
    }
    let mode = entry.unix_mode();
    let is_plain = match mode & TYPE {
        0 | 0o100_000 => true,
        0o040_000 => entry.is_folder(),
        _ => false,
    };
    if !is_plain {
        problems.push(ArchiveProblem::SpecialFile { name: name(), mode });
    }
    // The special bits of a folder only affect the owner of new files.
    if !entry.is_folder() && mode & 0o7000 != 0 {
        problems.push(ArchiveProblem::SpecialMode { name: name(), mode });
    }
    // No bits: the archive has no mode.
    if mode != 0 && mode & 0o400 == 0 && !entry.is_folder() {
        problems.push(ArchiveProblem::UnreadableMode { name: name(), mode: mode & 0o7777 });
    }
    if !matches!(entry.method, STORED | DEFLATED) {
        problems.push(ArchiveProblem::Method { name: name(), method: entry.method });
    }
    if entry.flags & ENCRYPTED != 0 {
        problems.push(ArchiveProblem::Encrypted { name: name() });
    }
    problems.extend(bomb(entry.packed_size, entry.size));
    problems
}

/// Checks that members and directory fill the file without gaps or overlaps, and reads the local headers. Skips
/// members within other members, because thousands of them may share a few bytes.
fn layout<R: Read + Seek>(
    reader: &mut R,
    entries: &mut [Entry],
    end: &End,
    length: u64,
    problems: &mut Problems,
) -> Result<(), ArchiveError> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| entries.get(index).map(|entry| entry.header_offset));
    let stray = |from: u64, to: u64| {
        (from < to).then(|| ArchiveProblem::StrayBytes { offset: from, count: to - from })
    };
    let mut at = 0;
    for index in order {
        let Some(entry) = entries.get_mut(index) else { continue };
        problems.extend(stray(at, entry.header_offset));
        if entry.header_offset < at {
            problems.push(ArchiveProblem::Overlap { name: printable(&entry.name) });
        } else {
            at = local(reader, entry, end.directory_offset, problems)?;
        }
    }
    problems.extend(stray(at, end.directory_offset));
    problems.extend(stray(end.directory_offset + end.directory_size, end.offset));
    problems.extend(stray(end.offset + END_SIZE as u64, length));
    Ok(())
}

fn descriptors(entries: &[Entry]) -> Option<ArchiveProblem> {
    let mut with = entries.iter().filter(|entry| entry.flags & DESCRIPTOR != 0);
    let name = printable(&with.next()?.name);
    Some(ArchiveProblem::DataDescriptors { name, others: with.count() })
}
