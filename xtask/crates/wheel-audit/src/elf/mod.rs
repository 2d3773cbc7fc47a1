//! Reads the needs of an ELF file as the loader does: from the program headers and the dynamic section. Sources: ELF gABI,
//! chapters "Program Loading" and "Dynamic Linking"; the LSB and glibc's loader for symbol versioning and `DT_GNU_HASH`.
//!
//! Section headers are only hints, because a file runs without them: a checker that reads them finds no needs in a
//! stripped file. If the loader's tables are unreadable, the result is an error, never an empty list. Time and
//! memory are bounded by the file's size, for any input.

mod dynamic;
mod hash_table;
mod image;
mod loads;
mod properties;
mod refusal;
mod region_buffer;
mod relocations;
mod sections;
mod source;
mod string_table;
mod symbols;
mod versions;

use std::{collections::BTreeSet, ops::Range};

use goblin::elf::{
    header::{EM_386, EM_ARM, EM_S390, EM_X86_64, ET_CORE, ET_DYN, ET_EXEC, ET_REL},
    program_header::{
        PF_W, PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_TLS,
    },
};
use thiserror::Error;

pub(crate) use dynamic::MAX_STRINGS;
pub(crate) use dynamic::is_known as is_known_tag;
pub use hash_table::Exports;
pub(crate) use hash_table::symbol_hash;
pub(crate) use image::Image;
pub(crate) use properties::isa_needed;
pub use refusal::{PageNeeds, Refusal};
pub(crate) use region_buffer::RegionBuffer;
pub(crate) use source::{FileBytes, Sparse};
pub(crate) use string_table::{FilteredStrings, StringTableFilter};

use dynamic::Dynamic;
use image::MAX_NAME;
use sections::Sections;

/// The reason why a file is unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElfError {
    /// The header is not an ELF header, or no loader accepts it.
    #[error("no valid ELF header: {0}")]
    Header(&'static str),
    /// A program header is invalid, or contradicts another.
    #[error("broken program headers: {0}")]
    Segments(&'static str),
    /// The dynamic section is missing where one is needed, or has no end.
    #[error("broken dynamic section: {0}")]
    Dynamic(&'static str),
    /// A table or text is outside of the mapped bytes.
    #[error("the {what} at address {address:#x} is not in the file")]
    Outside {
        /// The kind of table or text.
        what: &'static str,
        /// Its virtual address.
        address: u64,
    },
    /// A table is larger than any linker creates.
    #[error("too many {0}")]
    TooMany(&'static str),
}

/// The type of an ELF file (`e_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElfKind {
    /// `ET_REL`: an object file or kernel module, which the loader never loads.
    Object,
    /// `ET_EXEC`: an executable at a fixed address.
    Executable,
    /// `ET_DYN`: a shared object, or a position-independent executable.
    Shared,
}

/// The thread-local storage of a file (`PT_TLS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls {
    /// Size per thread, in bytes.
    pub size: u64,
    /// Alignment, in bytes.
    pub align: u64,
}

/// The tables that the loader makes read-only after relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relro {
    /// Nothing.
    None,
    /// All except the table of lazily bound functions.
    Partial,
    /// All, because functions are bound at load (`BIND_NOW`).
    Full,
}

/// A needed symbol version (`Elfxx_Vernaux`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionNeed {
    /// The library, as in `DT_NEEDED`: `libc.so.6`.
    pub library: String,
    /// The version: `GLIBC_2.34`.
    pub version: String,
    /// `VER_FLG_WEAK`: the loader accepts that it is missing.
    pub weak: bool,
    /// The file does not record it: an unversioned symbol resolves to it.
    pub is_implied: bool,
}

/// An undefined symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The mangled name.
    pub name: String,
    /// Its version and library: an index into [`ElfFacts::version_needs`].
    pub need: Option<usize>,
    /// A weak symbol may stay unresolved. Its version may not be missing.
    pub weak: bool,
    /// The time of the lookup.
    pub binding: Binding,
}

/// The time at which the loader looks up a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Never: no relocation uses the symbol.
    Never,
    /// At the first call of the function, unless the file is opened with `RTLD_NOW`.
    Call,
    /// When the file is loaded.
    Load,
}

/// The properties and needs of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfFacts {
    /// `e_machine`: 62 is x86-64, 183 is `AArch64`.
    pub machine: u16,
    /// `ELFCLASS64` rather than `ELFCLASS32`.
    pub is_64_bit: bool,
    /// `ELFDATA2LSB` rather than `ELFDATA2MSB`.
    pub little_endian: bool,
    /// The type of file.
    pub kind: ElfKind,
    /// The reasons in its header and flags why glibc does not load it into a running process.
    pub refusals: Vec<Refusal>,
    /// The loader of an executable (`PT_INTERP`).
    pub interpreter: Option<String>,
    /// The soname (`DT_SONAME`).
    pub soname: Option<String>,
    /// The needed libraries, in order (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// The old search path (`DT_RPATH`), which applies only without [`Self::runpath`].
    pub rpath: Option<String>,
    /// The search path (`DT_RUNPATH`).
    pub runpath: Option<String>,
    /// The needed symbol versions, in file order.
    pub version_needs: Vec<VersionNeed>,
    /// The defined symbol versions (`DT_VERDEF`), in file order.
    pub version_defs: Vec<String>,
    /// The undefined symbols, in table order.
    pub imports: Vec<Import>,
    /// The exported symbols.
    pub exports: Exports,
    /// The full names of its `PyInit_*`, `PyModExport_*` and `_cffi_pypyinit_*` functions.
    pub module_inits: BTreeSet<String>,
    /// Its other exports with the interpreter's prefixes `Py` or `_Py`. Other files of the wheel may use them.
    pub python_exports: BTreeSet<String>,
    /// The loader must write to code (`DT_TEXTREL`, `DF_TEXTREL`).
    pub text_relocations: bool,
    /// The file requires an executable stack (`PT_GNU_STACK` with `PF_X`).
    pub executable_stack: bool,
    /// The page sizes that its segments support.
    pub pages: PageNeeds,
    /// Its thread-local storage, if the loader must reserve it statically (`DF_STATIC_TLS`).
    pub static_tls: Option<Tls>,
    /// A segment is both writable and executable.
    pub writable_code: bool,
    /// The processor levels in the linker's note, as the bits of `GNU_PROPERTY_X86_ISA_1_NEEDED`: 1 is the baseline,
    /// 2 v2, 4 v3, 8 v4. glibc 2.33 and later reject the file on older processors.
    pub isa_needed: Option<u32>,
    /// The tables that are read-only after relocation.
    pub relro: Relro,
    /// It has packed relative relocations (`DT_RELR`), which loaders before glibc 2.36 silently ignore.
    pub relative_relocations: bool,
    /// The compilers' lines in `.comment`. A hint, because section headers may be missing.
    pub compilers: Vec<String>,
    /// The size of debug sections, in bytes. A hint, because section headers may be missing.
    pub debug_bytes: u64,
}

/// The progress of reading.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Complete.
    Done(Box<Result<ElfFacts, ElfError>>),
    /// Further parts are needed.
    More(Missing),
}

/// The parts of a file that are needed but not in memory.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// Parts of the file, by offset.
    pub parts: Vec<Range<u64>>,
    /// Names in a string table that is too large for memory.
    pub names: Option<StringTableFilter>,
}

/// Machines on which a file without `PT_GNU_STACK` requires an executable stack (glibc, `DEFAULT_STACK_PERMS` in
/// `sysdeps/*/stackinfo.h`).
const DEFAULTS_TO_EXECUTABLE: [u16; 4] = [EM_X86_64, EM_386, EM_ARM, EM_S390];

/// Returns whether these first bytes are those of an ELF file.
pub(crate) fn is_elf(start: &[u8]) -> bool {
    start.starts_with(b"\x7fELF")
}

impl ElfFacts {
    /// Reads a whole ELF file.
    ///
    /// # Errors
    /// [`ElfError`] if the file is unreadable. Its needs are then unknown.
    pub fn parse(bytes: &[u8]) -> Result<Self, ElfError> {
        match Self::read(&bytes) {
            Reading::Done(result) => *result,
            // A file that is in memory as a whole has no missing parts.
            Reading::More(_) => Err(ElfError::Header("unreadable")),
        }
    }

    /// Reads an ELF file that is partly in memory.
    pub(crate) fn read(source: &dyn FileBytes) -> Reading {
        let mut image = match Image::open(source) {
            Ok(image) => image,
            Err(error) => return Reading::Done(Box::new(Err(error))),
        };
        let result = image.read_segments().and_then(|()| Self::of_image(&image));
        let is_incomplete = result.is_err() || image.lacks_text();
        let missing = image.missing();
        if is_incomplete && (!missing.parts.is_empty() || missing.names.is_some()) {
            Reading::More(missing)
        } else {
            Reading::Done(Box::new(result))
        }
    }

    fn of_image(image: &Image<'_>) -> Result<Self, ElfError> {
        let kind = match image.header.e_type {
            ET_REL => ElfKind::Object,
            ET_EXEC => ElfKind::Executable,
            ET_DYN => ElfKind::Shared,
            ET_CORE => return Err(ElfError::Header("a core dump")),
            _ => return Err(ElfError::Header("unknown file type")),
        };
        let dynamic = match (kind, image.segment(PT_DYNAMIC)?) {
            // An object file or static executable has no dynamic section.
            (ElfKind::Object, _) | (ElfKind::Executable, None) => None,
            (_, Some(segment)) => Some(Dynamic::parse(image, segment.p_vaddr)?),
            (ElfKind::Shared, None) => return Err(ElfError::Dynamic("missing in a shared object")),
        };
        let mut facts = Self::of_segments(image, kind)?;
        if let Some(dynamic) = dynamic {
            dynamic.request_tables(image);
            facts.read_dynamic(image, &dynamic)?;
        }
        Ok(facts)
    }

    /// The facts from the program headers.
    fn of_segments(image: &Image<'_>, kind: ElfKind) -> Result<Self, ElfError> {
        let interpreter = image.segment(PT_INTERP)?;
        let interpreter = interpreter
            .map(|each| image.text(each.p_vaddr, MAX_NAME, "loader's name"))
            .transpose()?;
        let relro = image.segment(PT_GNU_RELRO)?.map_or(Relro::None, |_| Relro::Partial);
        let both = PF_W | PF_X;
        let sections = Sections::read(image);
        Ok(Self {
            machine: image.header.e_machine,
            is_64_bit: image.is_64_bit(),
            little_endian: image.little_endian(),
            kind,
            refusals: refusal::of_header(&image.header, kind),
            interpreter,
            soname: None,
            needed: Vec::new(),
            rpath: None,
            runpath: None,
            version_needs: Vec::new(),
            version_defs: Vec::new(),
            imports: Vec::new(),
            exports: Exports::NONE,
            module_inits: BTreeSet::new(),
            python_exports: BTreeSet::new(),
            text_relocations: false,
            executable_stack: image.segment(PT_GNU_STACK)?.map_or_else(
                || DEFAULTS_TO_EXECUTABLE.contains(&image.header.e_machine),
                |each| each.p_flags & PF_X != 0,
            ) && kind != ElfKind::Object,
            pages: PageNeeds::of(&image.segments),
            static_tls: None,
            writable_code: image
                .segments
                .iter()
                .any(|each| each.p_type == PT_LOAD && each.p_flags & both == both),
            isa_needed: isa_needed(image),
            relro,
            relative_relocations: false,
            compilers: sections.as_ref().map(Sections::compilers).unwrap_or_default(),
            debug_bytes: sections.as_ref().map_or(0, Sections::debug_bytes),
        })
    }

    fn read_dynamic(&mut self, image: &Image<'_>, dynamic: &Dynamic) -> Result<(), ElfError> {
        self.soname = dynamic.soname(image)?;
        self.needed = dynamic.needed(image)?;
        self.rpath = dynamic.rpath(image)?;
        self.runpath = dynamic.runpath(image)?;
        self.refusals.extend(refusal::of_segments(&image.segments, image.length()));
        self.refusals.extend(refusal::of_flags(dynamic.flags_1()));
        if dynamic.has_static_tls()
            && let Some(segment) = image.segment(PT_TLS)?
        {
            self.static_tls = Some(Tls { size: segment.p_memsz, align: segment.p_align });
        }
        self.text_relocations = dynamic.has_text_relocations();
        self.relative_relocations = dynamic.has_relative_relocations();
        if self.relro == Relro::Partial && dynamic.binds_now() {
            self.relro = Relro::Full;
        }
        let needs = versions::needs(image, dynamic)?;
        let symbols = symbols::read(image, dynamic, &needs.by_index)?;
        self.version_needs = needs.list;
        self.version_defs = versions::definitions(image, dynamic)?;
        self.exports = symbols.exports;
        self.imports = symbols.imports;
        self.module_inits = symbols.module_inits;
        self.python_exports = symbols.python_exports;
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
