//! A member's bytes, checked while they pass by. Most wheels have many small members, so what
//! reading needs is made once and used again.

use std::{
    fmt,
    io::{self, Read},
    ops::ControlFlow,
};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{Entry, MemberError};

const INPUT: usize = 64 << 10;
const OUTPUT: usize = 128 << 10;

type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// What reading a member needs.
#[derive(Default)]
pub(super) struct Scratch {
    input: Vec<u8>,
    output: Vec<u8>,
    inflater: Option<Decompress>,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

/// Counts what passes by: never more than declared, and none of it without being counted.
struct Count<'a> {
    entry: &'a Entry,
    crc: Crc,
    left: u64,
}

impl<'a> Count<'a> {
    fn new(entry: &'a Entry) -> Self {
        Self { entry, crc: Crc::new(), left: entry.size }
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), MemberError> {
        self.left = self
            .left
            .checked_sub(piece.len() as u64)
            .ok_or(MemberError::Damaged("larger than declared"))?;
        self.crc.update(piece);
        Ok(())
    }

    fn end(&self) -> Result<(), MemberError> {
        match (self.left, self.crc.sum() == self.entry.crc32) {
            (0, true) => Ok(()),
            (0, false) => Err(MemberError::Damaged("wrong checksum")),
            _ => Err(MemberError::Damaged("smaller than declared")),
        }
    }
}

impl Scratch {
    fn prepare(&mut self) {
        self.input.resize(INPUT, 0);
        self.output.resize(OUTPUT, 0);
    }

    /// A stored member: `reader` is at its first byte.
    pub(super) fn copy(
        &mut self,
        reader: &mut impl Read,
        entry: &Entry,
        sink: Sink<'_>,
    ) -> Result<(), MemberError> {
        self.prepare();
        let mut count = Count::new(entry);
        let mut left = entry.packed_size;
        while left > 0 {
            let piece = read(reader, &mut self.output, &mut left)?;
            count.add(piece)?;
            if sink(piece).is_break() {
                return Ok(());
            }
        }
        count.end()
    }

    /// A deflated member: `reader` is at its first packed byte.
    pub(super) fn inflate(
        &mut self,
        reader: &mut impl Read,
        entry: &Entry,
        sink: Sink<'_>,
    ) -> Result<(), MemberError> {
        self.prepare();
        let inflater = self.inflater.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        let mut count = Count::new(entry);
        let (mut left, mut packed) = (entry.packed_size, &[][..]);
        loop {
            if packed.is_empty() && left > 0 {
                packed = read(reader, &mut self.input, &mut left)?;
            }
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(packed, &mut self.output, FlushDecompress::None)
                .map_err(|_| MemberError::Damaged("broken compressed data"))?;
            let (taken, given) =
                (inflater.total_in() - before_in, inflater.total_out() - before_out);
            packed = packed.get(size(taken)..).unwrap_or_default();
            let piece = self.output.get(..size(given)).unwrap_or_default();
            if !piece.is_empty() {
                count.add(piece)?;
                if sink(piece).is_break() {
                    return Ok(());
                }
            }
            match status {
                Status::StreamEnd => break,
                _ if taken == 0 && given == 0 => {
                    return Err(MemberError::Damaged("broken compressed data"));
                }
                Status::Ok | Status::BufError => {}
            }
        }
        // A second stream behind the end of the first is where other readers may go on.
        if inflater.total_in() != entry.packed_size {
            return Err(MemberError::Damaged("bytes behind the end of the compressed data"));
        }
        count.end()
    }
}

/// Fills the buffer, or less of it at the end of the member.
fn read<'a>(
    reader: &mut impl Read,
    buffer: &'a mut [u8],
    left: &mut u64,
) -> Result<&'a [u8], MemberError> {
    let want = size(*left).min(buffer.len());
    loop {
        match reader.read(&mut buffer[..want]) {
            Ok(0) => return Err(MemberError::Damaged("the file ends within it")),
            Ok(count) => {
                *left -= count as u64;
                return Ok(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A count of bytes that are in memory.
fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
