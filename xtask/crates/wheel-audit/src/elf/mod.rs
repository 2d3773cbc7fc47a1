//! What an ELF file asks of the system, read the way the loader reads it: from the program headers
//! and the dynamic section (ELF gABI, chapters "Program Loading" and "Dynamic Linking"; GNU symbol
//! versioning and `DT_GNU_HASH` as in the LSB and glibc's loader).
//!
//! Section headers decide nothing, since a file runs without them: a checker that reads version
//! needs from sections takes a stripped file for one without needs. Where the loader's view cannot
//! be had, the answer is an error, never an empty list. Any bytes end in one or the other, in time
//! and memory bounded by the file's size.

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

/// Why a file cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElfError {
    /// The header is no ELF header, or one that no loader takes.
    #[error("no valid ELF header: {0}")]
    Header(&'static str),
    /// A program header makes no sense, or contradicts another.
    #[error("broken program headers: {0}")]
    Segments(&'static str),
    /// The dynamic section is missing where one is needed, or has no end.
    #[error("broken dynamic section: {0}")]
    Dynamic(&'static str),
    /// Something the file points to is outside the bytes that it maps.
    #[error("the {what} at address {address:#x} is not in the file")]
    Outside {
        /// What was looked for.
        what: &'static str,
        /// The virtual address the file gives for it.
        address: u64,
    },
    /// A table is larger than any linker makes it.
    #[error("too many {0}")]
    TooMany(&'static str),
}

/// What sort of ELF file it is (`e_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElfKind {
    /// `ET_REL`: an object file or kernel module; the loader never sees it.
    Object,
    /// `ET_EXEC`: an executable at a fixed address.
    Executable,
    /// `ET_DYN`: a shared object, or an executable that can lie anywhere.
    Shared,
}

/// The thread-local storage of a file (`PT_TLS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls {
    /// Bytes for each thread.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u64,
}

/// How much of the file the loader makes read-only after relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relro {
    /// Nothing.
    None,
    /// Everything but the table of lazily bound functions.
    Partial,
    /// That table as well, since all is bound at load (`BIND_NOW`).
    Full,
}

/// A symbol version that the file needs of a library (`Elfxx_Vernaux`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionNeed {
    /// The library, as in `DT_NEEDED`: `libc.so.6`.
    pub library: String,
    /// The version: `GLIBC_2.34`.
    pub version: String,
    /// `VER_FLG_WEAK`: the loader goes on without it.
    pub weak: bool,
    /// The file does not name it: a symbol without a version resolves to it.
    pub is_implied: bool,
}

/// A symbol that the file takes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The symbol's name, mangled as it stands.
    pub name: String,
    /// The version and library it is bound to: an index into [`ElfFacts::version_needs`].
    pub need: Option<usize>,
    /// A weak symbol may stay unresolved; its version may not.
    pub weak: bool,
    /// When the loader looks it up.
    pub binding: Binding,
}

/// When the loader looks a symbol up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Never: no relocation names the symbol.
    Never,
    /// At the first call of the function, unless the file is opened with `RTLD_NOW`.
    Call,
    /// When the file is loaded.
    Load,
}

/// What an ELF file is and asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfFacts {
    /// `e_machine`: 62 is x86-64, 183 is `AArch64`.
    pub machine: u16,
    /// `ELFCLASS64` rather than `ELFCLASS32`.
    pub is_64_bit: bool,
    /// `ELFDATA2LSB` rather than `ELFDATA2MSB`.
    pub little_endian: bool,
    /// What sort of file.
    pub kind: ElfKind,
    /// Why glibc does not load it into a running process, by its own header and flags alone.
    pub refusals: Vec<Refusal>,
    /// The loader an executable asks for (`PT_INTERP`).
    pub interpreter: Option<String>,
    /// The name it goes by among other files (`DT_SONAME`).
    pub soname: Option<String>,
    /// The libraries it needs, in order (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// Where to look for them, the old way (`DT_RPATH`); counts only without [`Self::runpath`].
    pub rpath: Option<String>,
    /// Where to look for them (`DT_RUNPATH`).
    pub runpath: Option<String>,
    /// The symbol versions it needs, in file order.
    pub version_needs: Vec<VersionNeed>,
    /// The symbol versions it defines (`DT_VERDEF`), in file order.
    pub version_defs: Vec<String>,
    /// The symbols it takes from elsewhere, in table order.
    pub imports: Vec<Import>,
    /// The symbols it defines for others.
    pub exports: Exports,
    /// The Python modules it can start: names of its `PyInit_*`, `PyModExport_*` and
    /// `_cffi_pypyinit_*` functions, in full.
    pub module_inits: BTreeSet<String>,
    /// What it offers under a name that begins like those of the interpreter, `Py` or `_Py`, and
    /// is none of [`Self::module_inits`]. Other files of its wheel may take it from there.
    pub python_exports: BTreeSet<String>,
    /// The loader has to write into code (`DT_TEXTREL`, `DF_TEXTREL`).
    pub text_relocations: bool,
    /// The file asks for an executable stack (`PT_GNU_STACK` with `PF_X`).
    pub executable_stack: bool,
    /// Which pages its segments fit.
    pub pages: PageNeeds,
    /// Its thread-local storage where that has to be placed before the program starts
    /// (`DF_STATIC_TLS`).
    pub static_tls: Option<Tls>,
    /// Some of it is writable and executable at the same time.
    pub writable_code: bool,
    /// The processor level that the linker notes, in the bits of `GNU_PROPERTY_X86_ISA_1_NEEDED`: 1 is
    /// the baseline, 2 v2, 4 v3, 8 v4. glibc 2.33 and later refuse the file on lesser processors.
    pub isa_needed: Option<u32>,
    /// What is read-only after relocation.
    pub relro: Relro,
    /// It holds packed relative relocations (`DT_RELR`), which loaders before glibc 2.36 skip
    /// without a word.
    pub relative_relocations: bool,
    /// What compiled it, as the compilers say (`.comment`); empty if nothing says. A hint, no fact.
    pub compilers: Vec<String>,
    /// Bytes of the sections for debuggers, as the section headers say. A hint, no fact.
    pub debug_bytes: u64,
}

/// How far reading has come.
#[derive(Debug)]
pub(crate) enum Reading {
    /// To the end.
    Done(Box<Result<ElfFacts, ElfError>>),
    /// This is needed as well.
    More(Missing),
}

/// What is needed of a file and is not at hand.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// Parts of the file, by offset.
    pub parts: Vec<Range<u64>>,
    /// Names out of a string table that is too large to be held.
    pub names: Option<StringTableFilter>,
}

/// Machines on which a file without `PT_GNU_STACK` asks for an executable stack (glibc,
/// `DEFAULT_STACK_PERMS` in `sysdeps/*/stackinfo.h`).
const DEFAULTS_TO_EXECUTABLE: [u16; 4] = [EM_X86_64, EM_386, EM_ARM, EM_S390];

/// Does a file that begins with these bytes claim to be ELF?
pub(crate) fn is_elf(start: &[u8]) -> bool {
    start.starts_with(b"\x7fELF")
}

impl ElfFacts {
    /// Reads a whole ELF file.
    ///
    /// # Errors
    /// [`ElfError`] if the file cannot be judged: then nothing is known of it, least of all that it
    /// needs nothing.
    pub fn parse(bytes: &[u8]) -> Result<Self, ElfError> {
        match Self::read(&bytes) {
            Reading::Done(result) => *result,
            // Of a file that is there as a whole nothing can be missing.
            Reading::More(_) => Err(ElfError::Header("unreadable")),
        }
    }

    /// Reads an ELF file of which only parts are at hand.
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
            // An object file has none yet, a static executable needs none.
            (ElfKind::Object, _) | (ElfKind::Executable, None) => None,
            (_, Some(segment)) => Some(Dynamic::parse(image, segment.p_vaddr)?),
            (ElfKind::Shared, None) => return Err(ElfError::Dynamic("none in a shared object")),
        };
        let mut facts = Self::of_segments(image, kind)?;
        if let Some(dynamic) = dynamic {
            dynamic.want_tables(image);
            facts.read_dynamic(image, &dynamic)?;
        }
        Ok(facts)
    }

    /// The facts that the program headers alone give.
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
