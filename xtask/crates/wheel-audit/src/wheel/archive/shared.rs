//! A file that several threads read at once, each at its own offset.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use camino::Utf8Path;

use crate::sys;

/// A thread's handle of an open file. Clones share only the file, so all threads read the same content even if the
/// path changes.
#[derive(Debug, Clone)]
pub struct SharedFile {
    file: Arc<fs_err::File>,
    at: u64,
    length: u64,
}

impl SharedFile {
    pub(super) fn open(path: &Utf8Path) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let message = format!("`{path}` is not a regular file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self { file: Arc::new(file), at: 0, length: metadata.len() })
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = sys::read_at(&self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
