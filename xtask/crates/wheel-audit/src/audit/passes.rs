//! Reads an ELF file that may be too large for memory, in several passes over its bytes.

use std::{
    io::Read,
    ops::{ControlFlow, Range},
    sync::{Mutex, PoisonError},
};

use camino::Utf8Path;

use super::{AuditError, Depth, elf_file::ReadElf};
use crate::elf::{
    ElfFacts, FileBytes as _, Missing, Reading, RegionBuffer, Sparse, StringTableFilter, is_elf,
};
use crate::isa::{self, IsaError, IsaFacts, Outline, OutlineReading, Scanner};

/// Maximum size of an ELF file that is held in memory as a whole, in bytes. Of larger files, only the loader's
/// tables are held.
pub const MAX_WHOLE_ELF: u64 = 24 << 20;
/// Maximum memory for the tables of a larger file, in bytes. Only one thread at a time may use it.
const MAX_TABLES: u64 = 128 << 20;
/// Maximum memory for data that only saves another pass, in bytes.
const MAX_OPTIONAL: u64 = 80 << 20;
const TOO_LARGE: &str = "its tables exceed the memory limit for one file";
/// Maximum number of passes over a large file. Real files take two or three.
const MAX_PASSES: usize = 8;

/// Reads a file from its first byte until the callback stops it.
pub(super) type Pass<'a, E> =
    dyn FnMut(&mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), E> + 'a;

/// Reads an ELF file from the kept parts, with further passes (`pass`) if these are not enough.
pub(super) fn read_elf<E>(
    mut kept: Sparse,
    depth: Depth,
    pass: &mut Pass<'_, E>,
) -> Result<ReadElf, E> {
    /// Held by the thread that uses more than its share of memory.
    static LARGE: Mutex<()> = Mutex::new(());
    let mut large = None;
    let mut hold = |buffer: &RegionBuffer| {
        if buffer.budget() > MAX_WHOLE_ELF && large.is_none() {
            large = Some(LARGE.lock().unwrap_or_else(PoisonError::into_inner));
        }
    };
    let mut has_facts = None;
    for _ in 0..MAX_PASSES {
        let more = match Tables::read(&kept, depth, has_facts.take()) {
            Tables::Done(facts, None) => return Ok(ReadElf { facts, isa: None }),
            Tables::Done(facts, Some(outline)) => {
                let isa = code(kept, outline, &mut hold, pass)?;
                return Ok(ReadElf { facts, isa });
            }
            Tables::More { facts, parts } => {
                has_facts = facts;
                parts
            }
        };
        let Some(mut buffer) = within_budget(&mut kept, more) else {
            return Ok(unread(has_facts, TOO_LARGE));
        };
        hold(&buffer);
        // Free the first buffer before allocating the second.
        drop(kept);
        pass(&mut |piece| feed(&mut buffer, piece))?;
        kept = buffer.finish();
    }
    Ok(unread(has_facts, "its tables refer to each other in a loop"))
}

/// Reads an ELF file that is in memory as a whole.
pub(super) fn whole_elf(bytes: &[u8], depth: Depth) -> ReadElf {
    match ElfFacts::parse(bytes) {
        Ok(facts) => {
            let isa = (depth == Depth::Code).then(|| isa::scan(bytes));
            let isa = isa.filter(|isa| *isa != Err(IsaError::NoCode));
            ReadElf { facts: Ok(facts), isa: isa.map(|isa| isa.map_err(|error| error.to_string())) }
        }
        Err(error) => ReadElf { facts: Err(error.to_string()), isa: None },
    }
}

/// The facts of a file if reading stops here.
fn unread(facts: Option<ElfFacts>, reason: &str) -> ReadElf {
    match facts {
        // Only the location of the code is unknown.
        Some(facts) => ReadElf { facts: Ok(facts), isa: Some(Err(reason.into())) },
        None => ReadElf { facts: Err(reason.into()), isa: None },
    }
}

fn feed(buffer: &mut RegionBuffer, piece: &[u8]) -> ControlFlow<()> {
    buffer.feed(piece);
    if buffer.is_done() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The progress in reading a file's tables.
enum Tables {
    /// The facts, and the location of the code if requested.
    Done(Result<ElfFacts, String>, Option<Result<Box<Outline>, IsaError>>),
    /// Further parts of the file are needed. The facts may already be complete.
    More { facts: Option<ElfFacts>, parts: Parts },
}

/// Parts of a file, by offset.
struct Parts {
    needed: Vec<Range<u64>>,
    names: Option<StringTableFilter>,
    /// They can also be read later.
    optional: Vec<Range<u64>>,
}

/// Reserves memory for further parts, as far as the limit allows. `None` if it does not suffice.
fn within_budget(kept: &mut Sparse, parts: Parts) -> Option<RegionBuffer> {
    let Parts { needed, names, optional } = parts;
    let all = RegionBuffer::again(kept, &[needed.as_slice(), &optional].concat());
    let buffer =
        if all.budget() <= MAX_OPTIONAL { all } else { RegionBuffer::again(kept, &needed) };
    Some(buffer.with_filter(names, kept)).filter(|buffer| buffer.budget() <= MAX_TABLES)
}

impl Tables {
    /// Reads the loader's tables and, if requested, the tables that locate the code. Both at once, because each pass
    /// decompresses the file again.
    fn read(kept: &Sparse, depth: Depth, facts: Option<ElfFacts>) -> Self {
        let (facts, missing) = match facts.map_or_else(|| ElfFacts::read(kept), done) {
            Reading::Done(result) => match *result {
                Ok(facts) => (Some(facts), Missing::default()),
                Err(error) => return Self::Done(Err(error.to_string()), None),
            },
            Reading::More(more) => (None, more),
        };
        let outline = (depth == Depth::Code).then(|| Outline::read(kept));
        match (facts, outline) {
            (Some(facts), None) => Self::Done(Ok(facts), None),
            (Some(facts), Some(OutlineReading::Done(outline))) => {
                Self::Done(Ok(facts), Some(outline))
            }
            (facts, outline) => {
                let more = match outline {
                    Some(OutlineReading::More(more)) => more,
                    Some(OutlineReading::Done(Ok(outline))) => Vec::from_iter(outline.frames()),
                    Some(OutlineReading::Done(Err(_))) | None => Vec::new(),
                };
                let Missing { parts, names } = missing;
                let parts = match facts {
                    Some(_) => Parts { needed: more, names, optional: Vec::new() },
                    None => Parts { needed: parts, names, optional: more },
                };
                Self::More { facts, parts }
            }
        }
    }
}

fn done(facts: ElfFacts) -> Reading {
    Reading::Done(Box::new(Ok(facts)))
}

/// Reads the machine code of a file. If it is not in memory, this takes one more pass, or two if the locations of
/// functions are unknown. `None` if the file has no code.
fn code<E>(
    mut kept: Sparse,
    outline: Result<Box<Outline>, IsaError>,
    hold: &mut dyn FnMut(&RegionBuffer),
    pass: &mut Pass<'_, E>,
) -> Result<Option<Result<IsaFacts, String>>, E> {
    let mut outline = match outline {
        Ok(outline) => *outline,
        Err(IsaError::NoCode) => return Ok(None),
        Err(error) => return Ok(Some(Err(error.to_string()))),
    };
    let whole = kept.run(0).len() as u64 == kept.length();
    if let Some(part) = outline.frames() {
        let size = part.end - part.start;
        if kept.get(part.start, size).is_none() {
            // Free the memory of the tables.
            let nothing = Sparse::nothing(kept.length());
            let mut buffer = RegionBuffer::again(&nothing, std::slice::from_ref(&part));
            drop(kept);
            if buffer.budget() > MAX_TABLES {
                return Ok(Some(Err(TOO_LARGE.into())));
            }
            hold(&buffer);
            pass(&mut |piece| feed(&mut buffer, piece))?;
            kept = buffer.finish();
        }
        outline.read_frames(kept.get(part.start, size).unwrap_or_default());
    }
    if whole {
        let mut scanner = Scanner::new(outline.layout());
        scanner.feed(0, kept.run(0));
        return Ok(Some(scanner.finish().map_err(|error| error.to_string())));
    }
    drop(kept);
    let mut scanner = Scanner::new(outline.layout());
    let mut at = 0;
    pass(&mut |piece| {
        scanner.feed(at, piece);
        at += piece.len() as u64;
        ControlFlow::Continue(())
    })?;
    Ok(Some(scanner.finish().map_err(|error| error.to_string())))
}

/// Reads an ELF file outside of a wheel.
pub(super) fn elf_file(path: &Utf8Path, depth: Depth) -> Result<ReadElf, AuditError> {
    let mut buffer = vec![0; 1 << 17];
    let length = fs_err::metadata(path)?.len();
    let mut pass = |take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>| -> std::io::Result<()> {
        let mut file = fs_err::File::open(path)?;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 || take(&buffer[..count]).is_break() {
                return Ok(());
            }
        }
    };
    let mut first = RegionBuffer::new(length, MAX_WHOLE_ELF);
    pass(&mut |piece| feed(&mut first, piece))?;
    let kept = first.finish();
    if !is_elf(kept.run(0)) {
        let facts = Err("it is neither a wheel nor an ELF file".into());
        return Ok(ReadElf { facts, isa: None });
    }
    Ok(read_elf(kept, depth, &mut pass)?)
}
