//! Reads a wheel's archive without trusting its content.
//!
//! This reads both headers of each member and reports every difference that readers could interpret differently
//! (CVE-2025-54368), which no library does. It includes the upload checks of the Python index (warehouse,
//! `utils/zipfiles.py`). It never unpacks to a path.

mod bytes;
mod directory;
mod extra;
mod problem;
mod shared;
mod stream;
mod write;

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::ControlFlow,
    sync::Arc,
};

use camino::Utf8Path;
use thiserror::Error;

pub use problem::ArchiveProblem;
pub use shared::SharedFile;
pub(crate) use stream::Piece;
use stream::Scratch;
pub(super) use write::{Content, WriteError, dos_time, rank, write};

/// The valid compression methods of wheels.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The reason why an archive is unreadable.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not an archive that all readers interpret alike.
    #[error("not a readable zip archive: {0}")]
    Malformed(&'static str),
}

/// The reason why a member is unreadable.
#[derive(Debug, Error)]
pub enum MemberError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is larger than the caller's limit.
    #[error("larger than the limit of {0} bytes")]
    TooLarge(u64),
    /// Its content does not match its headers.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

/// A member, from the central directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive, which is not trusted.
    pub name: String,
    /// Its declared size, in bytes. Reading enforces it.
    pub size: u64,
    /// Its compressed size, in bytes.
    pub packed_size: u64,
    /// Its declared checksum.
    pub crc32: u32,
    method: u16,
    flags: u16,
    /// Time and date in MS-DOS format.
    modified: [u16; 2],
    made_by: u16,
    attributes: u32,
    header_offset: u64,
    data_offset: u64,
}

impl Entry {
    /// Returns whether it is a folder. Wheels need no folders, but some contain them.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// The modification time: `2020-02-02 00:00:00`.
    pub(crate) fn time_text(&self) -> String {
        let [time, date] = self.modified;
        let (year, month, day) = ((date >> 9) + 1980, date >> 5 & 15, date & 31);
        let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
        format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    /// The Unix file mode with its type bits. 0 if the archive has none.
    pub(crate) fn unix_mode(&self) -> u32 {
        self.attributes >> 16
    }
}

/// An open archive.
#[derive(Debug)]
pub struct WheelArchive<R> {
    reader: R,
    entries: Arc<[Entry]>,
    problems: Arc<[ArchiveProblem]>,
}

impl WheelArchive<SharedFile> {
    /// Opens an archive by its path.
    pub fn open(path: &Utf8Path) -> Result<Self, ArchiveError> {
        Self::new(SharedFile::open(path)?)
    }

    /// Another handle for another thread.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            entries: Arc::clone(&self.entries),
            problems: Arc::clone(&self.problems),
        }
    }
}

impl<R: Read + Seek> WheelArchive<R> {
    /// Reads and checks the directory. Reading a member checks its bytes.
    ///
    /// # Errors
    /// [`ArchiveError`] if the directory is unreadable. Other faults are in [`Self::problems`].
    pub fn new(mut reader: R) -> Result<Self, ArchiveError> {
        let (entries, problems) = directory::read(&mut reader)?;
        let (entries, problems) = (entries.into(), problems.into());
        Ok(Self { reader, entries, problems })
    }

    /// The members, in the order of the central directory.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The problems, in the order of the members.
    pub fn problems(&self) -> &[ArchiveProblem] {
        &self.problems
    }

    /// The index of the member with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == name)
    }

    /// Passes the content of a member to `sink` in pieces, and verifies its declared size and checksum. The pieces are
    /// valid only if this succeeds.
    pub fn stream(&mut self, index: usize, sink: &mut dyn FnMut(&[u8])) -> Result<(), MemberError> {
        self.stream_until(index, &mut |piece| {
            sink(&piece);
            ControlFlow::Continue(())
        })
    }

    /// As [`Self::stream`], until `sink` stops. If it stops early, size and checksum are not verified.
    pub(crate) fn stream_until(
        &mut self,
        index: usize,
        sink: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<(), MemberError> {
        let (entry, deflated) = self.seek_to(index)?;
        if !deflated {
            return Scratch::of_thread().copy(&mut self.reader, &entry, sink);
        }
        let mut scratch = Scratch::of_thread();
        if !scratch.inflate_whole(&mut self.reader, &entry, sink)? {
            self.reader.seek(SeekFrom::Start(entry.data_offset))?;
            scratch.inflate(&mut self.reader, &entry, sink)?;
        }
        Ok(())
    }

    /// The first four bytes of a member, or fewer, without verification.
    pub fn start(&mut self, index: usize) -> Result<Vec<u8>, MemberError> {
        let (entry, deflated) = self.seek_to(index)?;
        Scratch::of_thread().start(&mut self.reader, &entry, deflated)
    }

    /// Seeks to a member's compressed bytes. Returns whether they are deflated.
    fn seek_to(&mut self, index: usize) -> Result<(Entry, bool), MemberError> {
        let entry = self.entries.get(index).ok_or(MemberError::Damaged("no such member"))?;
        if entry.flags & directory::ENCRYPTED != 0 {
            return Err(MemberError::Damaged("encrypted"));
        }
        if !matches!(entry.method, STORED | DEFLATED) {
            return Err(MemberError::Damaged("unsupported compression"));
        }
        self.reader.seek(SeekFrom::Start(entry.data_offset))?;
        Ok((entry.clone(), entry.method == DEFLATED))
    }

    /// The content of a member, if it has at most `limit` bytes.
    pub fn read(&mut self, index: usize, limit: u64) -> Result<Vec<u8>, MemberError> {
        if self.entries.get(index).is_some_and(|entry| entry.size > limit) {
            return Err(MemberError::TooLarge(limit));
        }
        let mut bytes = Vec::new();
        self.stream(index, &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// The latest time of a member, in MS-DOS format.
    pub(super) fn latest(&self) -> [u16; 2] {
        let times = self.entries.iter().map(|entry| entry.modified);
        times.max_by_key(|&[time, date]| (date, time)).unwrap_or(dos_time(0))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
