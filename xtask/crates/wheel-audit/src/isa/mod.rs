//! Which instruction set level a file's machine code needs, found by disassembly.
//!
//! Neither linker nor compiler notes it reliably, so the code itself is read. What counts is the
//! code in functions that unwind information or symbols tell of: between functions lie tables that
//! decode to anything. A function that holds what no compiler writes counts as data.
//!
//! That an instruction is there does not say that it runs. A file that asks the processor what it
//! can do, and uses an extension in few of its functions, is taken to guard them; one that does
//! not ask needs all that it uses. How sure a finding is stands in [`Certainty`], the rules in
//! `judge`.
//!
//! Any bytes end in an answer or an error, in time and memory bounded by the file's size.

mod a64;
mod a64_guard;
mod a64_table;
mod bytes;
mod callers;
mod calls;
mod class;
mod code_file;
mod emulated;
mod feature;
mod frames;
mod judge;
mod layout;
mod level;
mod queries;
mod run;
mod scan;
mod tables;
mod x86;

use std::{collections::BTreeSet, fmt};

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::elf::ElfError;

pub use callers::callers;
pub use emulated::{QEMU_CPU, distribution_processor, emulated_processor};
pub use feature::{Feature, FeatureSet};
pub(crate) use layout::{Layout, Outline, OutlineReading};
pub use level::{Level, Machine, UnknownLevel};
pub(crate) use scan::Scanner;

/// Why a file's code cannot be judged. Then nothing is known of it, least of all that it runs
/// anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IsaError {
    /// `e_machine` names one whose code is not read.
    #[error("code for machine {0} is not read")]
    Machine(u16),
    /// An object file or a core dump, whose code is not where it will run.
    #[error("neither a shared object nor an executable")]
    Kind,
    /// The file's headers cannot be read.
    #[error(transparent)]
    Headers(#[from] ElfError),
    /// A header makes no sense.
    #[error("broken {0}")]
    Broken(&'static str),
    /// Nothing in it is mapped as code.
    #[error("no code in it")]
    NoCode,
    /// Not all of the code was read.
    #[error("not all of the code was read")]
    Incomplete,
}

/// How a file asks the processor what it can do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// An instruction for it: `cpuid` or `xgetbv`, a read of an ID register.
    Instruction,
    /// Functions that are chosen at load.
    Ifunc,
    /// The file `/proc/self/auxv` (arm64).
    Auxv,
    /// A symbol of the C library or the compiler's runtime.
    Import(String),
}

/// What the libraries of C and of compilers have for the question (glibc's `<sys/platform/x86.h>`,
/// `<sys/auxv.h>`; GCC's `cpuinfo.c`; the BSDs' `elf_aux_info`), and some much-used libraries that
/// ask for others: `libavutil` of `FFmpeg`, OpenSSL's `libcrypto`, cpuinfo.
const QUESTIONS_X86: [&str; 11] = [
    "__cpu_model",
    "__cpu_features2",
    "__cpu_indicator_init",
    "__get_cpuid",
    "__get_cpuid_count",
    "__get_cpuid_max",
    "__x86_get_cpuid_feature_leaf",
    "av_get_cpu_flags",
    "OPENSSL_ia32cap_P",
    "cpuinfo_initialize",
    "cpuinfo_isa",
];
const QUESTIONS_ARM: [&str; 8] = [
    "getauxval",
    "__getauxval",
    "elf_aux_info",
    "__aarch64_cpu_features",
    "av_get_cpu_flags",
    "OPENSSL_armcap_P",
    "cpuinfo_initialize",
    "cpuinfo_isa",
];

impl Question {
    fn of_import(machine: Machine, name: &[u8]) -> Option<Self> {
        let list: &[&str] = match machine {
            Machine::Aarch64 => &QUESTIONS_ARM,
            Machine::X86_64 | Machine::I686 => &QUESTIONS_X86,
        };
        let known = list.iter().find(|each| each.as_bytes() == name)?;
        Some(Self::Import((*known).to_owned()))
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instruction => f.write_str("instruction"),
            Self::Ifunc => f.write_str("ifunc"),
            Self::Auxv => f.write_str("auxv"),
            Self::Import(name) => f.write_str(name),
        }
    }
}

impl Serialize for Question {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How sure it is that a feature is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Only code outside of known functions uses it, which may be data.
    Outside,
    /// The file asks the processor and few of its functions use it: they will be behind that.
    Guarded,
    /// It does not ask, and another file that it is linked with does, or its name says that it is one of
    /// several for different processors: it is unclear whether that guards the code.
    Elsewhere,
    /// The file asks the processor, yet so many of its functions use it that all of it was
    /// compiled for it.
    Throughout,
    /// It runs in any case.
    Certain,
}

/// Where a feature is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The function's name, mangled as it stands, where a symbol tells.
    pub function: Option<String>,
    /// The virtual address at which the function begins; none outside of known functions.
    pub start: Option<u64>,
    /// The instruction's virtual address.
    pub address: u64,
    /// The instruction's mnemonic: `vpaddd`.
    pub instruction: String,
}

/// How a file uses a feature that not every machine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureUse {
    /// Which.
    pub feature: Feature,
    /// Is it needed?
    pub certainty: Certainty,
    /// The same if another file asks the processor for this one.
    #[serde(skip)]
    pub(crate) if_asked: Certainty,
    /// The functions that use it.
    pub functions: u64,
    /// The instructions in them.
    pub instructions: u64,
    /// Such instructions outside of known functions.
    pub outside: u64,
    /// Some of the places, at most three; those that run in any case first.
    pub places: Vec<Place>,
}

/// How much was read, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// In known functions.
    pub functions: u64,
    /// Elsewhere.
    pub outside: u64,
    /// Of both, what is no instruction.
    pub undecodable: u64,
    /// Of both, what lies together with such and was not counted.
    pub doubtful: u64,
}

/// What a file's code needs of the processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IsaFacts {
    /// The machine it is for.
    pub machine: Machine,
    /// What it needs in any case, or all of it was compiled for.
    pub required: Level,
    /// What it uses, guarded code included.
    pub possible: Level,
    /// What the linker noted as needed; the loader refuses the file elsewhere, so it is part of
    /// [`Self::required`].
    pub note: Option<Level>,
    /// How it asks the processor.
    pub asks: BTreeSet<Question>,
    /// The features that it uses beyond the machine's baseline.
    pub features: Vec<FeatureUse>,
    /// How many functions are known and were read.
    pub functions: u64,
    /// Atomic instructions in the compiler's helpers, which ask before they use them (arm64).
    pub outline_atomics: u64,
    /// How much was read.
    pub bytes: Coverage,
}

impl IsaFacts {
    /// The uses that a level does not allow, the surest first.
    pub fn beyond(&self, allowed: &Level) -> Vec<&FeatureUse> {
        let mut uses: Vec<_> =
            self.features.iter().filter(|each| !allowed.has(each.feature)).collect();
        uses.sort_by_key(|each| std::cmp::Reverse(each.certainty));
        uses
    }

    /// Whether it asks the processor for more than the compiler's helpers for atomics do.
    pub(crate) fn asks_for_more(&self) -> bool {
        self.asks.iter().any(|each| !judge::is_for_atomics(each, self.outline_atomics))
    }

    /// Notes that another file may ask the processor before it uses this one: `whole` if it chooses the
    /// file as a whole, so that all of it may be compiled for more.
    pub(crate) fn guard_elsewhere(&mut self, whole: bool) {
        let most = if whole { Certainty::Throughout } else { Certainty::Guarded };
        let asks = self.asks_for_more();
        for used in &mut self.features {
            let is_sure = used.certainty >= Certainty::Throughout && (whole || !asks);
            if is_sure && used.if_asked <= most {
                used.certainty = Certainty::Elsewhere;
            }
        }
        let noted = self.note.map_or(FeatureSet::EMPTY, |note| note.features());
        let sure = judge::level_of(self.machine, &self.features, Certainty::Throughout);
        self.required = sure.with(noted);
    }

    /// How sure the answer is, in words.
    pub(crate) fn how_sure(&self) -> &'static str {
        let has = |certainty| self.features.iter().any(|each| each.certainty == certainty);
        if self.functions == 0 {
            "the file has no function symbols, so code and data cannot be separated"
        } else if has(Certainty::Certain) {
            "the code runs without a check of the processor, or at load time"
        } else if has(Certainty::Throughout) {
            "the file checks the processor, but most of its code is compiled for this level"
        } else if has(Certainty::Elsewhere) {
            "it is unclear whether another file checks the processor before this code runs"
        } else if has(Certainty::Guarded) {
            "the file checks the processor before it uses more"
        } else if has(Certainty::Outside) {
            "what seems to use more may be data"
        } else {
            "all of its code was read"
        }
    }
}

/// Reads the code of a whole file in memory.
///
/// # Errors
/// [`IsaError`] if the file cannot be judged.
pub fn scan(bytes: &[u8]) -> Result<IsaFacts, IsaError> {
    let mut scanner = Scanner::new(Layout::of(&bytes)?);
    scanner.feed(0, bytes);
    scanner.finish()
}

#[cfg(test)]
mod tests;
