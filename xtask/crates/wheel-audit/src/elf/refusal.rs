//! Reasons in a file's header and flags why a loader does not load it into a running process.
//!
//! Source: glibc 2.26 to 2.41, `elf/dl-load.c` (`open_verify`, `_dl_map_object_from_fd`),
//! `sysdeps/gnu/ldsodefs.h` and `libc-abis`; musl 1.2, `ldso/dynlink.c` (`map_library`).

use std::fmt;

use goblin::elf::{
    dynamic::{DF_1_NOOPEN, DF_1_PIE},
    header::{EI_ABIVERSION, EI_OSABI, ELFOSABI_GNU, ELFOSABI_SYSV, Header},
    program_header::{PT_LOAD, ProgramHeader},
};

use super::ElfKind;

/// The offset of the unused bytes of the identification (`EI_PAD`).
const PADDING: usize = 9;
/// The smallest page size of supported architectures, in bytes.
const PAGE: u64 = 4096;
/// The newest version of the GNU ABI that every glibc accepts (`libc-abis`, unique symbols).
const MAX_GNU: u8 = 1;

/// A reason why glibc does not load a file into a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// `ET_REL`: it was not linked.
    Object,
    /// `ET_EXEC`: it requires fixed addresses, which may be in use.
    Executable,
    /// `DF_1_PIE`: it is a program. glibc 2.30 and later check this.
    Program,
    /// `DF_1_NOOPEN`: it forbids `dlopen`.
    NoOpen,
    /// `EI_OSABI` is for another system.
    OsAbi(u8),
    /// Some versions of glibc do not accept this `EI_ABIVERSION`.
    AbiVersion(u8),
    /// The padding of the identification is not zero.
    Padding,
    /// `e_version` is not 1.
    Version(u32),
    /// A loaded segment is not aligned to pages in the file. glibc before 2.35 also checks `p_align`.
    Misaligned,
    /// A loaded segment extends past the end of the file. It is mapped, but reading there fails with `SIGBUS`.
    Truncated,
}

impl Refusal {
    /// The message of glibc's loader (`elf/dl-load.c`). Empty if it prints nothing.
    pub(crate) fn loader_message(self) -> &'static str {
        match self {
            Self::Object => "only ET_DYN and ET_EXEC can be loaded",
            Self::Executable => "cannot dynamically load executable",
            Self::Program => "cannot dynamically load position-independent executable",
            Self::NoOpen => "shared object cannot be dlopen()ed",
            Self::OsAbi(_) => "ELF file OS ABI invalid",
            Self::AbiVersion(_) => "ELF file ABI version invalid",
            Self::Padding => "nonzero padding in e_ident",
            Self::Version(_) => "ELF file version does not match current one",
            Self::Misaligned => "ELF load command address/offset not page-aligned",
            Self::Truncated => "",
        }
    }

    /// Returns whether musl rejects it too, or may reject it.
    pub(crate) fn is_musls(self) -> bool {
        matches!(self, Self::Object | Self::Executable | Self::Truncated)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object => f.write_str("is an unlinked object file (`ET_REL`)"),
            Self::Executable => f.write_str("is an executable at a fixed address (`ET_EXEC`)"),
            Self::Program => f.write_str("is a position-independent executable (`DF_1_PIE`)"),
            Self::NoOpen => f.write_str("is marked as not to be opened (`DF_1_NOOPEN`)"),
            Self::OsAbi(number) => {
                write!(f, "is for another system (`EI_OSABI` {number}, not 0 or 3)")
            }
            Self::AbiVersion(number) => {
                write!(f, "has the ABI version {number} (`EI_ABIVERSION`)")
            }
            Self::Padding => f.write_str("has nonzero bytes in the padding of its identification"),
            Self::Misaligned => f.write_str("has a segment that is not aligned to memory pages"),
            Self::Truncated => f.write_str("ends before the end of its last segment"),
            Self::Version(number) => write!(f, "has the version {number} (`e_version`, not 1)"),
        }
    }
}

/// The page sizes that the loaded segments of a file support, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageNeeds {
    /// The largest page size that divides each `p_align`.
    pub aligned: u64,
    /// The largest page size modulo which each address equals its file offset.
    pub congruent: u64,
}

impl PageNeeds {
    pub(super) fn of(segments: &[ProgramHeader]) -> Self {
        /// No kernel has larger pages.
        const LARGEST: u64 = 1 << 16;
        let loads = || segments.iter().filter(|each| each.p_type == PT_LOAD);
        let smallest = |values: &mut dyn Iterator<Item = u64>| {
            values.map(|value| LARGEST.min(1 << value.trailing_zeros().min(16))).min()
        };
        let aligned = smallest(&mut loads().map(|each| each.p_align));
        let congruent = smallest(&mut loads().map(|each| each.p_vaddr.wrapping_sub(each.p_offset)));
        Self { aligned: aligned.unwrap_or(LARGEST), congruent: congruent.unwrap_or(LARGEST) }
    }
}

/// Reasons in the header.
pub(super) fn of_header(header: &Header, kind: ElfKind) -> Vec<Refusal> {
    let ident = &header.e_ident;
    let (system, version) = (ident[EI_OSABI], ident[EI_ABIVERSION]);
    let takes_version = version == 0 || system == ELFOSABI_GNU && version <= MAX_GNU;
    let all = [
        (kind == ElfKind::Object, Refusal::Object),
        (kind == ElfKind::Executable, Refusal::Executable),
        (!matches!(system, ELFOSABI_SYSV | ELFOSABI_GNU), Refusal::OsAbi(system)),
        (!takes_version, Refusal::AbiVersion(version)),
        (ident.iter().skip(PADDING).any(|&byte| byte != 0), Refusal::Padding),
        (header.e_version != 1, Refusal::Version(header.e_version)),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, refusal)| refusal).collect()
}

/// Reasons in the program headers of a file of this size.
pub(super) fn of_segments(
    segments: &[ProgramHeader],
    length: u64,
) -> impl Iterator<Item = Refusal> + use<> {
    let any = |fault: &dyn Fn(&ProgramHeader) -> bool| {
        segments.iter().any(|each| each.p_type == PT_LOAD && each.p_filesz > 0 && fault(each))
    };
    let misaligned = any(&|each| {
        each.p_vaddr.wrapping_sub(each.p_offset) % PAGE != 0 || each.p_align % PAGE != 0
    });
    let truncated =
        any(&|each| each.p_offset.checked_add(each.p_filesz).is_none_or(|end| end > length));
    let all = [(misaligned, Refusal::Misaligned), (truncated, Refusal::Truncated)];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, refusal)| refusal)
}

/// Reasons in `DT_FLAGS_1`.
pub(super) fn of_flags(flags: u64) -> impl Iterator<Item = Refusal> {
    let all = [(DF_1_PIE, Refusal::Program), (DF_1_NOOPEN, Refusal::NoOpen)];
    all.into_iter().filter(move |(flag, _)| flags & flag != 0).map(|(_, refusal)| refusal)
}
