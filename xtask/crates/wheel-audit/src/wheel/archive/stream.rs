//! Reads and verifies a member's bytes. Buffers are reused, because most wheels have many small members.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
    ops::{ControlFlow, Deref},
};

use flate2::{Decompress, FlushDecompress, Status};

use super::{Entry, MemberError};

const INPUT: usize = 64 << 10;
const OUTPUT: usize = 128 << 10;
/// Maximum size of a member that is inflated at once, in bytes, so that an ELF file is read without a copy. Larger ones
/// are never in memory as a whole.
pub(super) const WHOLE: u64 = 24 << 20;

/// Maximum size of both buffers together, in bytes: half of a thread's limit.
const MAX_BUFFERS: u64 = 32 << 20;

type Sink<'a> = &'a mut dyn FnMut(Piece<'_>) -> ControlFlow<()>;

/// A piece of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// The next ones.
    Part(&'a [u8]),
    /// All of them.
    Whole(&'a [u8]),
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Part(bytes) | Self::Whole(bytes) => bytes,
        }
    }
}

thread_local! {
    /// The buffers of a thread. Freeing large buffers each time would fragment the heap.
    static USED: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// The buffers for reading a member, reused from the thread's previous member.
pub(super) struct Scratch(Box<Buffers>);

impl Scratch {
    pub(super) fn of_thread() -> Self {
        Self(USED.take().unwrap_or_default())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The thread-local may be gone at the end of the thread.
        let _ = USED.try_with(|used| used.set(Some(std::mem::take(&mut self.0))));
    }
}

#[derive(Default)]
struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
    inflater: Option<Decompress>,
    /// The compressed bytes of a member that is inflated at once, followed by the decompressed ones, in one buffer.
    both: Vec<u8>,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

/// Counts and checks all bytes against the declared size.
struct Count<'a> {
    entry: &'a Entry,
    crc: crc32fast::Hasher,
    left: u64,
}

impl<'a> Count<'a> {
    fn new(entry: &'a Entry) -> Self {
        Self { entry, crc: crc32fast::Hasher::new(), left: entry.size }
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), MemberError> {
        self.left = self
            .left
            .checked_sub(piece.len() as u64)
            .ok_or(MemberError::Damaged("larger than declared"))?;
        self.crc.update(piece);
        Ok(())
    }

    fn end(self) -> Result<(), MemberError> {
        match (self.left, self.crc.finalize() == self.entry.crc32) {
            (0, true) => Ok(()),
            (0, false) => Err(MemberError::Damaged("wrong checksum")),
            _ => Err(MemberError::Damaged("smaller than declared")),
        }
    }
}

impl Scratch {
    fn prepare(&mut self) -> &mut Buffers {
        self.0.input.resize(INPUT, 0);
        self.0.output.resize(OUTPUT, 0);
        &mut self.0
    }

    /// The first four bytes of a member, or fewer. `reader` is at its first compressed byte.
    pub(super) fn start(
        &mut self,
        reader: &mut impl Read,
        entry: &Entry,
        deflated: bool,
    ) -> Result<Vec<u8>, MemberError> {
        const MAX_HEAD: usize = 256;
        let mut packed = Vec::new();
        reader.take(entry.packed_size.min(MAX_HEAD as u64)).read_to_end(&mut packed)?;
        if !deflated {
            packed.truncate(4);
            return Ok(packed);
        }
        let inflater = self.0.inflater.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        let mut start = [0; 4];
        let result = inflater.decompress(&packed, &mut start, FlushDecompress::None);
        result.map_err(|_| MemberError::Damaged("broken compressed data"))?;
        Ok(start[..size(inflater.total_out())].to_vec())
    }

    /// Reads a stored member. `reader` is at its first byte.
    pub(super) fn copy(
        &mut self,
        reader: &mut impl Read,
        entry: &Entry,
        sink: Sink<'_>,
    ) -> Result<(), MemberError> {
        let output = &mut self.prepare().output;
        let mut count = Count::new(entry);
        let mut left = entry.packed_size;
        while left > 0 {
            let piece = read(reader, output, &mut left)?;
            count.add(piece)?;
            if sink(Piece::Part(piece)).is_break() {
                return Ok(());
            }
        }
        count.end()
    }

    /// Reads a small deflated member at once. `false` if it must be read in pieces, for example to determine a fault.
    /// `reader` is at its first compressed byte.
    pub(super) fn inflate_whole(
        &mut self,
        reader: &mut impl Read,
        entry: &Entry,
        sink: Sink<'_>,
    ) -> Result<bool, MemberError> {
        let total = entry.size.saturating_add(entry.packed_size);
        if entry.size > WHOLE || total > MAX_BUFFERS {
            // Readers of a large member may need memory for its tables.
            self.0.both = Vec::new();
            return Ok(false);
        }
        let Buffers { both, inflater, .. } = &mut *self.0;
        let (packed_size, size) = (size(entry.packed_size), size(entry.size));
        make_room(both, packed_size + size);
        let (packed, rest) = both.split_at_mut(packed_size);
        match reader.read_exact(packed) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let bytes = &mut rest[..size];
        let inflater = inflater.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        let status = inflater.decompress(packed, bytes, FlushDecompress::Finish);
        let is_good = matches!(status, Ok(Status::StreamEnd))
            && (inflater.total_in(), inflater.total_out()) == (entry.packed_size, entry.size)
            && crc32fast::hash(bytes) == entry.crc32;
        if is_good && !bytes.is_empty() {
            let _ = sink(Piece::Whole(bytes));
        }
        Ok(is_good)
    }

    /// Reads a deflated member. `reader` is at its first compressed byte.
    pub(super) fn inflate(
        &mut self,
        reader: &mut impl Read,
        entry: &Entry,
        sink: Sink<'_>,
    ) -> Result<(), MemberError> {
        let Buffers { input, output, inflater, .. } = self.prepare();
        let inflater = inflater.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        let mut count = Count::new(entry);
        let (mut left, mut packed) = (entry.packed_size, &[][..]);
        loop {
            if packed.is_empty() && left > 0 {
                packed = read(reader, input, &mut left)?;
            }
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(packed, output, FlushDecompress::None)
                .map_err(|_| MemberError::Damaged("broken compressed data"))?;
            let (consumed, produced) =
                (inflater.total_in() - before_in, inflater.total_out() - before_out);
            packed = packed.get(size(consumed)..).unwrap_or_default();
            let piece = output.get(..size(produced)).unwrap_or_default();
            if !piece.is_empty() {
                count.add(piece)?;
                if sink(Piece::Part(piece)).is_break() {
                    return Ok(());
                }
            }
            match status {
                Status::StreamEnd => break,
                _ if consumed == 0 && produced == 0 => {
                    return Err(MemberError::Damaged("invalid compressed data"));
                }
                Status::Ok | Status::BufError => {}
            }
        }
        // Other readers may continue with a second stream after the first.
        if inflater.total_in() != entry.packed_size {
            return Err(MemberError::Damaged("bytes after the end of the compressed data"));
        }
        count.end()
    }
}

/// Reserves `count` bytes. A large buffer reserves the maximum at once: unwritten memory costs nothing, and a buffer
/// that grows step by step fragments the heap.
fn make_room(buffer: &mut Vec<u8>, count: usize) {
    const SMALL: usize = 1 << 20;
    if buffer.capacity() < count {
        *buffer = Vec::new();
        let most = size(MAX_BUFFERS) + 64;
        buffer.reserve_exact(if count <= SMALL { SMALL } else { most.max(count) });
    }
    if buffer.len() < count {
        buffer.resize(count, 0);
    }
}

/// Fills the buffer, or a part of it at the end of the member.
fn read<'a>(
    reader: &mut impl Read,
    buffer: &'a mut [u8],
    left: &mut u64,
) -> Result<&'a [u8], MemberError> {
    let want = size(*left).min(buffer.len());
    loop {
        match reader.read(&mut buffer[..want]) {
            Ok(0) => return Err(MemberError::Damaged("the file ends within the member")),
            Ok(count) => {
                *left -= count as u64;
                return Ok(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Converts a count of bytes in memory.
fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
