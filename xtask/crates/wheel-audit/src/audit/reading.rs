//! Reads every member of a wheel once, sequentially, in bounded memory.

use std::{io::Read, ops::ControlFlow};

use camino::Utf8Path;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{
    AuditError, Depth,
    budget::{self, Budget},
    bundled,
    contents::Contents,
    elf_file::{Elf, ReadElf},
    members::{dist_info, is_sbom, wants_text},
    passes::{MAX_WHOLE_ELF, read_elf, whole_elf},
    preload::{self, MAX_PYTHON},
};
use crate::elf::{ElfFacts, RegionBuffer, is_elf};
use crate::wheel::{
    ArchiveProblem, CoreMetadata, Digest, Entry, MAX_METADATA, MemberError, Piece, Record,
    SharedFile, WheelArchive, WheelFile,
};

/// Maximum size of an SBOM that is read, in bytes. Real ones have a few hundred KiB.
const MAX_SBOM: u64 = 8 << 20;
/// Minimum size of an archive that several threads read, in bytes.
const PARALLEL: u64 = 16 << 20;

/// The result of reading a member.
pub(super) struct Member {
    /// `None` if it was not read to its end.
    pub(super) digest: Option<Digest>,
    pub(super) found: Found,
}

/// The kind of a member.
pub(super) enum Found {
    /// A file that checks read as text.
    Text(Vec<u8>),
    /// Python code that may load libraries. `None` if it is too large to search.
    Loads(Option<Vec<u8>>),
    /// A text file above the size limit.
    TooLong,
    /// An ELF file: its facts, or the reason why it is unreadable.
    Elf(Box<Elf>),
    /// An ELF file of a wheel that exceeds the memory budget.
    Unchecked,
    /// Any other file.
    Other,
    /// An unreadable member, with the reason.
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
    if depth == Depth::Floor {
        contents.preloads.add_any();
    }
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
    let is_elf = |member: &Member| matches!(member.found, Found::Elf(_) | Found::Unchecked);
    let first = members.iter().position(is_elf).and_then(|at| files.get(at)).copied();
    let count = members.iter().filter(|member| is_elf(member)).count();
    for (index, member) in files.into_iter().zip(members) {
        contents.add(entries[index].name.clone(), member);
    }
    if let Some(first) = first.filter(|_| budget.is_exceeded()) {
        contents.elves = vec![budget::too_much(entries[first].name.clone(), count)];
    }
    bundled::leave_out(&mut contents.elves);
    Ok(contents)
}

impl Contents {
    /// Adds the result of reading a member.
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
            Found::Loads(Some(code)) => self.preloads.add(code),
            Found::Loads(None) => self.preloads.add_any(),
            Found::Elf(elf) => {
                let opens = |facts: &ElfFacts| facts.imports.iter().any(|it| it.name == "dlopen");
                if elf.loadable().is_some_and(opens) {
                    self.preloads.add_any();
                }
                self.elves.push(*elf);
            }
            Found::Unchecked | Found::Other => {}
        }
        if let Some(digest) = member.digest {
            self.digests.insert(path, digest);
        }
    }
}

/// Reads a member.
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
            // Decompressing it may take long even if its declared size is small.
            Ok(start) if !is_elf(&start) && start.len() as u64 >= entry.size.min(4) => {
                return Ok(Member { digest: None, found: Found::Other });
            }
            Err(MemberError::Io(error)) => return Err(error.into()),
            // Damage is reported below.
            Ok(_) | Err(_) => {}
        }
    }
    let mut pass = FirstPass::new(&entry, depth, budget.is_exceeded());
    let result = archive.stream_until(index, &mut |piece| pass.feed(piece));
    let whole = !pass.stopped;
    match result.and_then(|()| pass.finish(archive, index)) {
        Ok((digest, mut found)) => {
            if matches!(&found, Found::Elf(elf) if !budget.charge(elf)) {
                found = Found::Unchecked;
            }
            Ok(Member { digest: digest.filter(|_| whole), found })
        }
        Err(MemberError::Io(error)) => Err(error.into()),
        Err(error) => Ok(Member { digest: None, found: Found::Damaged(error.to_string()) }),
    }
}

/// The kept parts of a member in the first pass.
struct FirstPass {
    depth: Depth,
    size: u64,
    hash: Option<Sha256>,
    keep: Keep,
    /// The memory budget is exceeded, so ELF files are skipped.
    is_exceeded: bool,
    /// Reading stopped early, because no more of the member is needed.
    stopped: bool,
}

enum Keep {
    /// Unknown: fewer than four bytes so far.
    Undecided(Vec<u8>),
    Nothing,
    Text(Vec<u8>),
    TooLong,
    Python(Vec<u8>),
    /// Python code that is too large to search.
    LongPython,
    Elf(Box<RegionBuffer>),
    /// An ELF file that is read in parts.
    Unchecked,
    /// An ELF file that is in memory as a whole.
    Checked(Box<ReadElf>),
}

impl FirstPass {
    fn new(entry: &Entry, depth: Depth, is_exceeded: bool) -> Self {
        // Skip a larger one: no check depends on it.
        let is_sbom = depth != Depth::Floor && entry.size <= MAX_SBOM && is_sbom(&entry.name);
        let keep = if is_sbom || wants_text(&entry.name) {
            Keep::Text(Vec::new())
        } else if depth != Depth::Floor && preload::is_python(&entry.name) {
            Keep::Python(Vec::new())
        } else {
            Keep::Undecided(Vec::new())
        };
        let hash = (depth != Depth::Floor).then(Sha256::new);
        Self { depth, size: entry.size, hash, keep, is_exceeded, stopped: false }
    }

    fn feed(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        if let Some(hash) = &mut self.hash {
            hash.update(&*piece);
        }
        match &mut self.keep {
            Keep::Undecided(start) if start.is_empty() && piece.len() >= 4 => {
                self.keep = match &piece {
                    Piece::Whole(bytes) if is_elf(bytes) && !self.is_exceeded => {
                        Keep::Checked(Box::new(whole_elf(bytes, self.depth)))
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
            Keep::Python(code) if (code.len() + piece.len()) as u64 > MAX_PYTHON => {
                self.keep = Keep::LongPython;
            }
            Keep::Python(code) => code.extend_from_slice(&piece),
            Keep::Elf(buffer) => buffer.feed(&piece),
            Keep::Nothing
            | Keep::TooLong
            | Keep::LongPython
            | Keep::Unchecked
            | Keep::Checked(_) => {}
        }
        if self.depth != Depth::Floor {
            return ControlFlow::Continue(());
        }
        let has_enough = match &self.keep {
            Keep::Nothing | Keep::TooLong | Keep::Unchecked | Keep::Checked(_) => true,
            Keep::Elf(buffer) => buffer.is_done(),
            Keep::Undecided(_) | Keep::Text(_) | Keep::Python(_) | Keep::LongPython => false,
        };
        self.stopped = has_enough;
        if has_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn decide(&self, start: &[u8]) -> Keep {
        if is_elf(start) && self.is_exceeded {
            Keep::Unchecked
        } else if is_elf(start) {
            let mut buffer = RegionBuffer::new(self.size, MAX_WHOLE_ELF);
            buffer.feed(start);
            Keep::Elf(Box::new(buffer))
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
                elf(ReadElf { facts: Err("too short for an ELF header".into()), isa: None })
            }
            Keep::Text(text) => Found::Text(text),
            Keep::TooLong => Found::TooLong,
            Keep::Python(code) if preload::loads(&code) => Found::Loads(Some(code)),
            Keep::Undecided(_) | Keep::Nothing | Keep::Python(_) => Found::Other,
            Keep::LongPython => Found::Loads(None),
            Keep::Unchecked => Found::Unchecked,
            Keep::Checked(read) => elf(*read),
            Keep::Elf(buffer) => {
                let mut pass = |take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>| {
                    archive.stream_until(index, &mut |piece| take(&piece))
                };
                elf(read_elf(buffer.finish(), self.depth, &mut pass)?)
            }
        };
        Ok((digest, found))
    }
}
