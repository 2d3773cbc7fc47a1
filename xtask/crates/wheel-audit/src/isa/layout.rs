//! The location of a file's code, and its properties before decoding.

use std::{
    collections::{BTreeSet, HashSet},
    ops::Range,
};

use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS, SectionHeader};

use crate::elf::{FileBytes, Image, isa_needed};

use super::{
    IsaError, Level, Machine, ProcessorCheck,
    code_file::CodeFile,
    frames::Frames,
    queries::Queries,
    tables::{Dynamic, Names, Symbol, Symbols},
};

/// Minimum size of code between functions, in bytes. Fewer bytes only align the next function (GCC and LLVM align
/// to 16).
const PADDING: u64 = 16;
const CODE: u64 = (SHF_ALLOC | SHF_EXECINSTR) as u64;
/// Maximum number of symbols and frames.
const MAX_FUNCTIONS: usize = 3 << 20;
/// Minimum number of bytes to request of a table that is read in small pieces, such as a chain of hashes.
const STEP: u64 = 64 << 10;
/// Maximum number of code sections. Linked files have about five.
const MAX_STRETCHES: usize = 1 << 10;

/// A piece of code: a function, or the bytes between known functions.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Its range in the file.
    pub(super) file: Range<u64>,
    /// Its virtual address.
    pub(super) address: u64,
    /// True if it is a function.
    pub(super) is_function: bool,
    /// True if it always runs: when the file is loaded or the module is imported.
    pub(super) always: bool,
    /// True if it is a compiler's helper for atomics, which checks the processor (`__aarch64_cas1_acq`).
    pub(super) outline: bool,
    /// True if other files may call it (A64 only).
    pub(super) exported: bool,
}

/// The location of a file's code, without its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(super) machine: Machine,
    /// In file order, without overlaps.
    pub(super) spans: Vec<Span>,
    pub(super) names: Names,
    pub(super) note: Option<Level>,
    pub(super) checks: BTreeSet<ProcessorCheck>,
    pub(super) queries: Queries,
}

impl Layout {
    /// Reads headers and tables of a file, but not the code.
    ///
    /// # Errors
    /// [`IsaError`] if the file has no code, or code for an unsupported architecture.
    pub(crate) fn of(file: &dyn FileBytes) -> Result<Self, IsaError> {
        let mut image = Image::open(file)?;
        image.read_segments()?;
        let mut outline = Outline::of(&image)?;
        if let Some(part) = outline.frames() {
            outline.read_frames(file.get(part.start, part.end - part.start).unwrap_or_default());
        }
        Ok(outline.layout())
    }
}

/// The layout before the frames are read, so that tables and frames of a large file need not be in memory at the
/// same time.
#[derive(Debug)]
pub(crate) struct Outline {
    machine: Machine,
    code: Vec<Stretch>,
    note: Option<Level>,
    draft: Draft,
    frames: Option<Frames>,
    functions: Vec<Range<u64>>,
    queries: Queries,
}

impl Outline {
    fn of(image: &Image<'_>) -> Result<Self, IsaError> {
        let elf = CodeFile::new(image)?;
        let code = code(&elf)?;
        let dynamic = Dynamic::parse(&elf);
        let (full, known) = (Symbols::full(&elf), Symbols::dynamic(&elf, &dynamic));
        let mut draft = Draft::default();
        for table in [&full, &known].into_iter().flatten() {
            draft.read_symbols(elf.machine, table);
        }
        if dynamic.relocations(&elf).any(|each| each.is_chosen(elf.machine)) {
            draft.checks.insert(ProcessorCheck::Ifunc);
        }
        draft.always.extend(dynamic.initialisers(&elf));
        draft.always.insert(image.header.e_entry);
        draft.names.sort();
        let note = isa_needed(image).and_then(Level::of_note);
        let frames = Frames::find(&elf);
        let known = known.filter(|_| elf.machine == Machine::Aarch64);
        let queries = known.as_ref().map(|known| Queries::of(&elf, &dynamic, known));
        let exported = known.iter().flat_map(Symbols::iter).filter(Symbol::is_exported);
        draft.exported = exported.map(|symbol| symbol.value).collect();
        let (functions, queries) = (Vec::new(), queries.unwrap_or_default());
        Ok(Self { machine: elf.machine, code, note, draft, frames, functions, queries })
    }

    /// As [`Layout::of`], but without the frames, for a file that is partly in memory.
    pub(crate) fn read(file: &dyn FileBytes) -> OutlineReading {
        let mut image = match Image::open(file) {
            Ok(image) => image.in_steps_of(STEP),
            Err(error) => return OutlineReading::Done(Err(error.into())),
        };
        let segments = image.read_segments().map_err(IsaError::from);
        let result = segments.and_then(|()| Self::of(&image));
        let mut missing = image.missing().parts;
        if missing.is_empty() {
            return OutlineReading::Done(result.map(Box::new));
        }
        // The next pass probably needs the frames too.
        missing.extend(result.ok().and_then(|outline| outline.frames()));
        OutlineReading::More(missing)
    }

    /// The part of the file that [`Self::read_frames`] needs. `None` if there are no frames.
    pub(crate) fn frames(&self) -> Option<Range<u64>> {
        self.frames.as_ref().map(|frames| frames.file.clone())
    }

    /// Reads the ranges of functions.
    pub(crate) fn read_frames(&mut self, bytes: &[u8]) {
        if let Some(frames) = &self.frames {
            self.functions = frames.functions(bytes);
        }
    }

    /// Computes the layout.
    pub(crate) fn layout(self) -> Layout {
        let Self { machine, code, note, mut draft, mut functions, queries, .. } = self;
        functions.sort_unstable_by_key(|each| (each.start, each.end));
        draft.add_symbols(&mut functions);
        // Of two functions at one address, the longer one counts.
        functions.sort_unstable_by_key(|each| (each.start, std::cmp::Reverse(each.end)));
        functions.dedup_by_key(|each| each.start);
        let spans = draft.spans(&functions, &code);
        Layout { machine, spans, names: draft.names, note, checks: draft.checks, queries }
    }
}

/// The progress in reading an [`Outline`].
#[derive(Debug)]
pub(crate) enum OutlineReading {
    /// Complete.
    Done(Result<Box<Outline>, IsaError>),
    /// These parts of the file are missing.
    More(Vec<Range<u64>>),
}

/// A continuous range of code in the file, with its address.
#[derive(Debug)]
pub(super) struct Stretch {
    file: Range<u64>,
    address: u64,
}

impl Stretch {
    fn end(&self) -> u64 {
        self.address.saturating_add(self.file.end - self.file.start)
    }
}

/// The code sections, if they match the loader's code segments, otherwise these segments.
fn code(elf: &CodeFile<'_>) -> Result<Vec<Stretch>, IsaError> {
    let whole = |offset: u64, size: u64, address: u64| {
        let end = offset.checked_add(size).filter(|&end| end <= elf.image.length())?;
        address.checked_add(size)?;
        Some(Stretch { file: offset..end, address })
    };
    let segments = elf.code_segments();
    let mapped = |offset: u64, size: u64, address: u64| {
        segments.iter().any(|each| {
            let skip = address.checked_sub(each.p_vaddr);
            skip.is_some_and(|skip| {
                skip.checked_add(size).is_some_and(|end| end <= each.p_filesz)
                    && each.p_offset.checked_add(skip) == Some(offset)
            })
        })
    };
    let is_code = |each: &&SectionHeader| {
        each.sh_type == SHT_PROGBITS && each.sh_flags & CODE == CODE && each.sh_size > 0
    };
    let sections = elf.sections.iter().filter(is_code).map(|each| {
        whole(each.sh_offset, each.sh_size, each.sh_addr)
            .filter(|_| mapped(each.sh_offset, each.sh_size, each.sh_addr))
    });
    let by_section: Option<Vec<Stretch>> = sections.collect();
    let mut found = match by_section.filter(|all| !all.is_empty()) {
        Some(found) => found,
        None => segments
            .iter()
            .map(|each| whole(each.p_offset, each.p_filesz, each.p_vaddr))
            .collect::<Option<_>>()
            .ok_or(IsaError::Broken("program headers"))?,
    };
    found.retain(|each| !each.file.is_empty());
    if found.len() > MAX_STRETCHES {
        return Err(IsaError::Broken("headers: too many pieces of code"));
    }
    if found.is_empty() {
        return Err(IsaError::NoCode);
    }
    found.sort_by_key(|each| (each.file.start, each.file.end));
    let overlap = |pair: &[Stretch]| pair[1].file.start < pair[0].file.end;
    if found.windows(2).any(overlap) {
        return Err(IsaError::Broken("headers: code overlaps"));
    }
    Ok(found)
}

/// The data for computing spans.
#[derive(Debug, Default)]
struct Draft {
    names: Names,
    /// Functions by symbol.
    sized: Vec<Range<u64>>,
    always: HashSet<u64>,
    outline: HashSet<u64>,
    exported: HashSet<u64>,
    checks: BTreeSet<ProcessorCheck>,
}

impl Draft {
    fn read_symbols(&mut self, machine: Machine, symbols: &Symbols<'_>) {
        for symbol in symbols.iter().take(MAX_FUNCTIONS) {
            if symbol.is_import() {
                self.checks.extend(ProcessorCheck::of_import(machine, symbols.name(&symbol)));
            }
            if !symbol.is_function() {
                continue;
            }
            let name = symbols.name(&symbol);
            self.names.push(symbol.value, name);
            if symbol.size > 0 {
                self.sized.push(symbol.value..symbol.value.saturating_add(symbol.size));
            }
            if symbol.is_chosen() {
                self.checks.insert(ProcessorCheck::Ifunc);
            }
            if runs_always(name) {
                self.always.insert(symbol.value);
            }
            if is_outline(name) {
                self.outline.insert(symbol.value);
            }
        }
    }

    /// Adds functions with symbols but without frames.
    fn add_symbols(&mut self, functions: &mut Vec<Range<u64>>) {
        let known = std::mem::take(functions);
        self.sized.retain(|each| !is_covered(&known, each.start));
        functions.extend(known);
        functions.append(&mut self.sized);
        functions.sort_unstable_by_key(|each| (each.start, each.end));
    }

    /// Divides code into functions and the bytes between them.
    fn spans(&self, functions: &[Range<u64>], code: &[Stretch]) -> Vec<Span> {
        // Few bytes are between functions, so the number of functions is a good estimate.
        let mut spans = Vec::with_capacity(functions.len() + 2 * code.len());
        for stretch in code {
            let mut at = stretch.address;
            let first = functions.partition_point(|each| each.start < stretch.address);
            for (index, function) in functions.iter().enumerate().skip(first) {
                if function.start >= stretch.end() {
                    break;
                }
                // Overlapping functions end at the start of the next one.
                let next = functions.get(index + 1).map_or(u64::MAX, |each| each.start);
                let end = function.end.min(stretch.end()).min(next);
                if function.start >= at && function.start < end {
                    spans.extend(self.span(stretch, at..function.start, false));
                    spans.extend(self.span(stretch, function.start..end, true));
                    at = end;
                }
            }
            spans.extend(self.span(stretch, at..stretch.end(), false));
        }
        spans
    }

    fn span(&self, stretch: &Stretch, range: Range<u64>, is_function: bool) -> Option<Span> {
        let size = range.end.checked_sub(range.start)?;
        if size == 0 || !is_function && size < PADDING {
            return None;
        }
        let start = stretch.file.start + (range.start - stretch.address);
        Some(Span {
            file: start..start + size,
            address: range.start,
            is_function,
            always: is_function && self.always.contains(&range.start),
            outline: self.outline.contains(&range.start),
            exported: self.exported.contains(&range.start),
        })
    }
}

/// Returns whether a sorted list of ranges covers an address. Of overlapping ranges, the last one counts.
fn is_covered(ranges: &[Range<u64>], address: u64) -> bool {
    let next = ranges.partition_point(|each| each.start <= address);
    next.checked_sub(1).is_some_and(|index| ranges[index].contains(&address))
}

/// Returns whether a function always runs: a module's init function, or one that the loader or the C runtime calls.
fn runs_always(name: &[u8]) -> bool {
    name.starts_with(b"PyInit_")
        // Cython's init function, mangled or not.
        || memchr::memmem::find(name, b"__pyx_pymod_exec_").is_some()
        || name.starts_with(b"_cffi_pypyinit_")
        || [b"_init" as &[u8], b"main", b"_start"].contains(&name)
}

/// Returns whether it is a helper of GCC's and LLVM's `-moutline-atomics`, such as `__aarch64_cas8_acq_rel`.
fn is_outline(name: &[u8]) -> bool {
    let kinds = [b"cas" as &[u8], b"swp", b"ldadd", b"ldclr", b"ldeor", b"ldset"];
    let kind = name.strip_prefix(b"__aarch64_");
    kind.is_some_and(|kind| kinds.iter().any(|each| kind.starts_with(each)))
}
