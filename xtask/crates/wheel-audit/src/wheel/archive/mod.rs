//! A wheel's archive, read so that no byte of it is trusted.
//!
//! The directory is read here, with every header that is there twice read twice: what two readers
//! of one archive could disagree about (CVE-2025-54368) is a problem of its own, and no library
//! reports it. What the index of Python packages checks on upload (warehouse, `utils/zipfiles.py`)
//! is among it. Nothing is ever unpacked to a path.

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

/// How members are compressed; a wheel may use no other methods.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Why an archive cannot be read at all.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes make no archive that all readers read alike.
    #[error("not a readable zip archive: {0}")]
    Malformed(&'static str),
}

/// Why a member cannot be read.
#[derive(Debug, Error)]
pub enum MemberError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is larger than who asked wanted to have in memory.
    #[error("larger than the limit of {0} bytes")]
    TooLarge(u64),
    /// Its bytes are not what its headers say.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

/// One member, as the central directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive, which may be anything.
    pub name: String,
    /// Its size in bytes, as declared; reading holds it to that.
    pub size: u64,
    /// Its size in the archive.
    pub packed_size: u64,
    /// Its checksum, as declared.
    pub crc32: u32,
    method: u16,
    flags: u16,
    /// Time and date in MS-DOS form.
    modified: [u16; 2],
    made_by: u16,
    attributes: u32,
    header_offset: u64,
    data_offset: u64,
}

impl Entry {
    /// Is it a folder? Wheels need none, but some have them.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// The time of the last change, as the archive has it: `2020-02-02 00:00:00`.
    pub(crate) fn time_text(&self) -> String {
        let [time, date] = self.modified;
        let (year, month, day) = ((date >> 9) + 1980, date >> 5 & 15, date & 31);
        let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
        format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    /// The Unix file mode with its type bits, 0 if the archive gives none.
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

    /// The same archive for another thread.
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
    /// Reads and checks the directory; the members' bytes are looked at when they are read.
    ///
    /// # Errors
    /// [`ArchiveError`] if there is no directory that can be followed. What is merely wrong is in
    /// [`Self::problems`].
    pub fn new(mut reader: R) -> Result<Self, ArchiveError> {
        let (entries, problems) = directory::read(&mut reader)?;
        let (entries, problems) = (entries.into(), problems.into());
        Ok(Self { reader, entries, problems })
    }

    /// The members, in the order of the central directory.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is wrong with the archive, in the order of the members.
    pub fn problems(&self) -> &[ArchiveProblem] {
        &self.problems
    }

    /// The number of the member with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == name)
    }

    /// Hands the content of a member to `sink`, piece by piece, and makes sure that it has the
    /// declared size and checksum. What `sink` got counts only if this succeeds.
    pub fn stream(&mut self, index: usize, sink: &mut dyn FnMut(&[u8])) -> Result<(), MemberError> {
        self.stream_until(index, &mut |piece| {
            sink(&piece);
            ControlFlow::Continue(())
        })
    }

    /// As [`Self::stream`], until `sink` has had enough. Of a member that was not read to its end,
    /// neither size nor checksum is known to be right.
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

    /// The first four bytes of a member, or all it has: what it claims to be. They are not checked
    /// against anything.
    pub fn start(&mut self, index: usize) -> Result<Vec<u8>, MemberError> {
        let (entry, deflated) = self.seek_to(index)?;
        Scratch::of_thread().start(&mut self.reader, &entry, deflated)
    }

    /// Goes to a member's packed bytes; says whether they are deflated.
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

    /// The latest time of a member, in MS-DOS form.
    pub(super) fn latest(&self) -> [u16; 2] {
        let times = self.entries.iter().map(|entry| entry.modified);
        times.max_by_key(|&[time, date]| (date, time)).unwrap_or(dos_time(0))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
