//! Reading a wheel: every member once, from its first byte to its last, in bounded memory.

use std::{
    io::Read,
    ops::{ControlFlow, Range},
    sync::{Mutex, PoisonError},
};

use camino::Utf8Path;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{
    AuditError, Depth, brought,
    budget::{self, Budget},
    contents::Contents,
    judged::{Elf, ReadElf},
    members::{dist_info, is_sbom, wants_text},
};
use crate::{
    elf::{ElfFacts, FileBytes as _, Keeper, Missing, Reading, Sieve, Sparse, is_elf},
    isa::{self, IsaError, IsaFacts, Outline, OutlineReading, Scanner},
    wheel::{
        ArchiveProblem, CoreMetadata, Digest, Entry, MAX_METADATA, MemberError, Piece, Record,
        SharedFile, WheelArchive, WheelFile,
    },
};

/// ELF files up to this size, in bytes, are held in memory as a whole; of larger ones only what the
/// loader reads.
pub const MAX_WHOLE_ELF: u64 = 24 << 20;
/// The most that is held of a larger one, by one thread at a time.
const MAX_TABLES: u64 = 128 << 20;
/// As much is held at once to save going through a file once more.
const MAX_WELCOME: u64 = 80 << 20;
/// The largest bill of materials that is read, in bytes; real ones have some hundred KiB.
const MAX_SBOM: u64 = 8 << 20;
const TOO_LARGE: &str = "its tables take more memory than there is for one file";
/// How often a large file is gone through at most. Real ones take two or three times.
const MAX_PASSES: usize = 8;
/// From this size of the archive on its members are read by several threads.
const PARALLEL: u64 = 16 << 20;

/// What reading a member gave.
pub(super) struct Member {
    /// `None` where it was not read to its end.
    pub(super) digest: Option<Digest>,
    pub(super) found: Found,
}

/// What a member is.
pub(super) enum Found {
    /// A file that some check reads as text.
    Text(Vec<u8>),
    /// Such a file, and larger than any real one.
    TooLong,
    /// An ELF file: its facts, or why there are none.
    Elf(Box<Elf>),
    /// An ELF file of a wheel that has more in them than may be held.
    Unjudged,
    /// Any other file.
    Other,
    /// It cannot be read, for this reason.
    Damaged(String),
}

/// SHA-256 and size of a file.
pub(super) fn digest_of_file(path: &Utf8Path) -> std::io::Result<Digest> {
    let mut file = fs_err::File::open(path)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 17]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Digest { sha256: hash.finalize().into(), size });
        }
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}

/// Reads every member.
pub(super) fn contents(
    archive: &WheelArchive<SharedFile>,
    depth: Depth,
) -> Result<Contents, AuditError> {
    let mut contents = Contents { problems: archive.problems().to_vec(), ..Contents::default() };
    let names = archive.entries().iter().filter_map(|entry| dist_info(&entry.name));
    contents.dist_infos = names.map(str::to_owned).collect();
    if contents.problems.iter().any(ArchiveProblem::forbids_reading) {
        return Ok(contents);
    }
    contents.is_read = true;
    let entries = archive.entries();
    let files: Vec<usize> =
        (0..entries.len()).filter(|&index| !entries[index].is_folder()).collect();
    let packed = entries.iter().map(|entry| entry.packed_size).fold(0, u64::saturating_add);
    let budget = Budget::new();
    let read =
        |archive: &mut WheelArchive<SharedFile>, index| member(archive, index, depth, &budget);
    let members: Vec<Member> = if packed < PARALLEL {
        let mut archive = archive.share();
        files.iter().map(|&index| read(&mut archive, index)).collect::<Result<_, _>>()?
    } else {
        let members = files.par_iter().map_init(|| archive.share(), |own, &index| read(own, index));
        members.collect::<Result<_, _>>()?
    };
    let is_elf = |member: &Member| matches!(member.found, Found::Elf(_) | Found::Unjudged);
    let first = members.iter().position(is_elf).and_then(|at| files.get(at)).copied();
    let count = members.iter().filter(|member| is_elf(member)).count();
    for (index, member) in files.into_iter().zip(members) {
        contents.add(entries[index].name.clone(), member);
    }
    if let Some(first) = first.filter(|_| budget.is_spent()) {
        contents.elves = vec![budget::too_much(entries[first].name.clone(), count)];
    }
    brought::leave_out(&mut contents.elves);
    Ok(contents)
}

impl Contents {
    /// Takes in what reading a member gave.
    fn add(&mut self, path: String, member: Member) {
        match member.found {
            Found::Damaged(reason) => {
                self.damaged.insert(path, reason);
                return;
            }
            Found::Text(bytes) if is_sbom(&path) => {
                if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
                    self.broken_sboms.insert(path.clone(), error.to_string());
                }
            }
            Found::Text(bytes) => match path.rsplit('/').next() {
                Some("WHEEL") => self.wheel = Some(WheelFile::parse(&bytes)),
                Some("METADATA") => self.metadata = Some(CoreMetadata::parse(&bytes)),
                Some("RECORD") => self.record = Some(Record::parse(&bytes)),
                _ => drop(self.texts.insert(path.clone(), bytes)),
            },
            Found::TooLong => {
                self.damaged
                    .insert(path.clone(), format!("larger than the limit of {MAX_METADATA} bytes"));
            }
            Found::Elf(elf) => self.elves.push(*elf),
            Found::Unjudged | Found::Other => {}
        }
        if let Some(digest) = member.digest {
            self.digests.insert(path, digest);
        }
    }
}

/// Reads a member, as deep as asked.
fn member(
    archive: &mut WheelArchive<SharedFile>,
    index: usize,
    depth: Depth,
    budget: &Budget,
) -> Result<Member, AuditError> {
    let Some(entry) = archive.entries().get(index).cloned() else {
        return Ok(Member { digest: None, found: Found::Other });
    };
    if depth == Depth::Floor && !wants_text(&entry.name) {
        match archive.start(index) {
            // Fewer bytes than that may come of much packed data.
            Ok(start) if !is_elf(&start) && start.len() as u64 >= entry.size.min(4) => {
                return Ok(Member { digest: None, found: Found::Other });
            }
            Err(MemberError::Io(error)) => return Err(error.into()),
            // What is damaged is told of below.
            Ok(_) | Err(_) => {}
        }
    }
    let mut pass = FirstPass::new(&entry, depth, budget.is_spent());
    let result = archive.stream_until(index, &mut |piece| pass.feed(piece));
    let whole = !pass.stopped;
    match result.and_then(|()| pass.finish(archive, index)) {
        Ok((digest, mut found)) => {
            if matches!(&found, Found::Elf(elf) if !budget.charge(elf)) {
                found = Found::Unjudged;
            }
            Ok(Member { digest: digest.filter(|_| whole), found })
        }
        Err(MemberError::Io(error)) => Err(error.into()),
        Err(error) => Ok(Member { digest: None, found: Found::Damaged(error.to_string()) }),
    }
}

/// What is kept of a member while it passes by for the first time.
struct FirstPass {
    depth: Depth,
    size: u64,
    hash: Option<Sha256>,
    keep: Keep,
    /// No ELF file is judged any more.
    is_spent: bool,
    /// It was not read to its end, since nothing more of it is wanted.
    stopped: bool,
}

enum Keep {
    /// Not known yet: the bytes so far, fewer than four.
    Undecided(Vec<u8>),
    Nothing,
    Text(Vec<u8>),
    TooLong,
    Elf(Box<Keeper>),
    /// An ELF file that is not.
    Unjudged,
    /// An ELF file that was there as a whole.
    Judged(Box<ReadElf>),
}

impl FirstPass {
    fn new(entry: &Entry, depth: Depth, is_spent: bool) -> Self {
        // A larger one is left alone: nothing depends on it.
        let is_sbom = depth != Depth::Floor && entry.size <= MAX_SBOM && is_sbom(&entry.name);
        let keep = if is_sbom || wants_text(&entry.name) {
            Keep::Text(Vec::new())
        } else {
            Keep::Undecided(Vec::new())
        };
        let hash = (depth != Depth::Floor).then(Sha256::new);
        Self { depth, size: entry.size, hash, keep, is_spent, stopped: false }
    }

    fn feed(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        if let Some(hash) = &mut self.hash {
            hash.update(&*piece);
        }
        match &mut self.keep {
            Keep::Undecided(start) if start.is_empty() && piece.len() >= 4 => {
                self.keep = match &piece {
                    Piece::Whole(bytes) if is_elf(bytes) && !self.is_spent => {
                        Keep::Judged(Box::new(whole_elf(bytes, self.depth)))
                    }
                    piece => self.decide(piece),
                };
            }
            Keep::Undecided(start) => {
                start.extend_from_slice(&piece);
                if start.len() >= 4 {
                    let start = std::mem::take(start);
                    self.keep = self.decide(&start);
                }
            }
            Keep::Text(text) if (text.len() + piece.len()) as u64 > MAX_METADATA => {
                self.keep = Keep::TooLong;
            }
            Keep::Text(text) => text.extend_from_slice(&piece),
            Keep::Elf(keeper) => keeper.feed(&piece),
            Keep::Nothing | Keep::TooLong | Keep::Unjudged | Keep::Judged(_) => {}
        }
        if self.depth != Depth::Floor {
            return ControlFlow::Continue(());
        }
        let has_enough = match &self.keep {
            Keep::Nothing | Keep::TooLong | Keep::Unjudged | Keep::Judged(_) => true,
            Keep::Elf(keeper) => keeper.is_done(),
            Keep::Undecided(_) | Keep::Text(_) => false,
        };
        self.stopped = has_enough;
        if has_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn decide(&self, start: &[u8]) -> Keep {
        if is_elf(start) && self.is_spent {
            Keep::Unjudged
        } else if is_elf(start) {
            let mut keeper = Keeper::new(self.size, MAX_WHOLE_ELF);
            keeper.feed(start);
            Keep::Elf(Box::new(keeper))
        } else {
            Keep::Nothing
        }
    }

    fn finish(
        self,
        archive: &mut WheelArchive<SharedFile>,
        index: usize,
    ) -> Result<(Option<Digest>, Found), MemberError> {
        let digest =
            self.hash.map(|hash| Digest { sha256: hash.finalize().into(), size: self.size });
        let path = archive.entries().get(index).map(|entry| entry.name.clone()).unwrap_or_default();
        let elf = |read| Found::Elf(Box::new(Elf::new(path, read)));
        let found = match self.keep {
            Keep::Undecided(start) if is_elf(&start) => {
                elf(ReadElf { facts: Err("no more than a mark".into()), isa: None })
            }
            Keep::Undecided(_) | Keep::Nothing => Found::Other,
            Keep::Text(text) => Found::Text(text),
            Keep::TooLong => Found::TooLong,
            Keep::Unjudged => Found::Unjudged,
            Keep::Judged(read) => elf(*read),
            Keep::Elf(keeper) => {
                let mut pass = |take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>| {
                    archive.stream_until(index, &mut |piece| take(&piece))
                };
                elf(read_elf(keeper.finish(), self.depth, &mut pass)?)
            }
        };
        Ok((digest, found))
    }
}

/// Goes through a file from its first byte, until told to stop.
type Pass<'a, E> = dyn FnMut(&mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), E> + 'a;

/// Reads an ELF file from what was kept of it, and where that is not enough, from what another
/// `pass` over the file gives.
fn read_elf<E>(mut kept: Sparse, depth: Depth, pass: &mut Pass<'_, E>) -> Result<ReadElf, E> {
    /// Held by the one thread that has more than its share in memory.
    static LARGE: Mutex<()> = Mutex::new(());
    let mut large = None;
    let mut hold = |keeper: &Keeper| {
        if keeper.budget() > MAX_WHOLE_ELF && large.is_none() {
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
        let Some(mut keeper) = within_budget(&mut kept, more) else {
            return Ok(unread(has_facts, TOO_LARGE));
        };
        hold(&keeper);
        // Not both at a time.
        drop(kept);
        pass(&mut |piece| feed(&mut keeper, piece))?;
        kept = keeper.finish();
    }
    Ok(unread(has_facts, "its tables lead from one to the next without an end"))
}

/// Reads an ELF file that is in memory as a whole.
fn whole_elf(bytes: &[u8], depth: Depth) -> ReadElf {
    match ElfFacts::parse(bytes) {
        Ok(facts) => {
            let isa = (depth == Depth::Code).then(|| isa::scan(bytes));
            let isa = isa.filter(|isa| *isa != Err(IsaError::NoCode));
            ReadElf { facts: Ok(facts), isa: isa.map(|isa| isa.map_err(|error| error.to_string())) }
        }
        Err(error) => ReadElf { facts: Err(error.to_string()), isa: None },
    }
}

/// What is known of a file whose reading has to end here.
fn unread(facts: Option<ElfFacts>, reason: &str) -> ReadElf {
    match facts {
        // Only of the code it is not known where it lies.
        Some(facts) => ReadElf { facts: Ok(facts), isa: Some(Err(reason.into())) },
        None => ReadElf { facts: Err(reason.into()), isa: None },
    }
}

fn feed(keeper: &mut Keeper, piece: &[u8]) -> ControlFlow<()> {
    keeper.feed(piece);
    if keeper.is_done() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// How far the reading of a file's tables came.
enum Tables {
    /// The facts, and where the code is if it is asked for.
    Done(Result<ElfFacts, String>, Option<Result<Box<Outline>, IsaError>>),
    /// These parts of the file, by offset, are needed as well; the facts may be there already.
    More { facts: Option<ElfFacts>, parts: Parts },
}

/// Parts of a file, by offset.
struct Parts {
    needed: Vec<Range<u64>>,
    names: Option<Sieve>,
    /// They can as well come later.
    welcome: Vec<Range<u64>>,
}

/// Keeps what is there and as much more as there is memory for; `None` if that is not enough.
fn within_budget(kept: &mut Sparse, parts: Parts) -> Option<Keeper> {
    let Parts { needed, names, welcome } = parts;
    let all = Keeper::again(kept, &[needed.as_slice(), &welcome].concat());
    let keeper = if all.budget() <= MAX_WELCOME { all } else { Keeper::again(kept, &needed) };
    Some(keeper.sifting(names, kept)).filter(|keeper| keeper.budget() <= MAX_TABLES)
}

impl Tables {
    /// Reads what the loader reads and, where code is asked for, what leads to it; both at once,
    /// since each pass over a packed file unpacks it again.
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
                    Some(_) => Parts { needed: more, names, welcome: Vec::new() },
                    None => Parts { needed: parts, names, welcome: more },
                };
                Self::More { facts, parts }
            }
        }
    }
}

fn done(facts: ElfFacts) -> Reading {
    Reading::Done(Box::new(Ok(facts)))
}

/// Reads the machine code of a file: what is in memory if all of it is, else in one more pass, and
/// one before that where it is not yet known where its functions lie; `None` if it has none.
fn code<E>(
    mut kept: Sparse,
    outline: Result<Box<Outline>, IsaError>,
    hold: &mut dyn FnMut(&Keeper),
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
            // What was read before is of no more use.
            let nothing = Sparse::nothing(kept.length());
            let mut keeper = Keeper::again(&nothing, std::slice::from_ref(&part));
            drop(kept);
            if keeper.budget() > MAX_TABLES {
                return Ok(Some(Err(TOO_LARGE.into())));
            }
            hold(&keeper);
            pass(&mut |piece| feed(&mut keeper, piece))?;
            kept = keeper.finish();
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

/// Reads an ELF file that lies in no wheel.
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
    let mut first = Keeper::new(length, MAX_WHOLE_ELF);
    pass(&mut |piece| feed(&mut first, piece))?;
    let kept = first.finish();
    if !is_elf(kept.run(0)) {
        let facts = Err("it is neither a wheel nor an ELF file".into());
        return Ok(ReadElf { facts, isa: None });
    }
    Ok(read_elf(kept, depth, &mut pass)?)
}
