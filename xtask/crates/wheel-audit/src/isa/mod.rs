//! Determines the instruction set level of a file's machine code, by disassembly.
//!
//! Neither linkers nor compilers record the level reliably. The analysis covers code in functions with unwind
//! information or symbols, because the bytes between functions may be tables. A function with instructions that
//! no compiler emits counts as data.
//!
//! Not every instruction runs. If a file checks the processor and uses an extension in few functions, the
//! analysis assumes a guard. A file without a check needs everything that it uses. [`Certainty`] grades the
//! results, and `evaluate` contains the rules.
//!
//! Time and memory are bounded by the file's size, for any input.

mod a64;
mod a64_guard;
mod a64_table;
mod bytes;
mod callers;
mod calls;
mod class;
mod code_file;
mod emulated;
mod evaluate;
mod feature;
mod frames;
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

/// The reason why a file's code cannot be analysed. Its level is then unknown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IsaError {
    /// The analysis does not support this `e_machine`.
    #[error("code for machine {0} is not supported")]
    Machine(u16),
    /// An object file or a core dump.
    #[error("neither a shared object nor an executable")]
    Kind,
    /// The file's headers are unreadable.
    #[error(transparent)]
    Headers(#[from] ElfError),
    /// A header is invalid.
    #[error("broken {0}")]
    Broken(&'static str),
    /// The loader maps no code.
    #[error("the file contains no code")]
    NoCode,
    /// A part of the code was not read.
    #[error("a part of the code was not read")]
    Incomplete,
}

/// How a file checks the features of the processor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessorCheck {
    /// An instruction: `cpuid`, `xgetbv`, or a read of an ID register.
    Instruction,
    /// Functions that the loader selects.
    Ifunc,
    /// The file `/proc/self/auxv` (arm64).
    Auxv,
    /// A symbol of the C library or the compiler's runtime.
    Import(String),
}

/// Symbols for processor checks in C libraries and compiler runtimes (glibc's `<sys/platform/x86.h>` and
/// `<sys/auxv.h>`; GCC's `cpuinfo.c`; the BSDs' `elf_aux_info`), and in common libraries: `libavutil` of
/// `FFmpeg`, OpenSSL's `libcrypto`, cpuinfo.
const CHECKS_X86: [&str; 11] = [
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
const CHECKS_ARM: [&str; 8] = [
    "getauxval",
    "__getauxval",
    "elf_aux_info",
    "__aarch64_cpu_features",
    "av_get_cpu_flags",
    "OPENSSL_armcap_P",
    "cpuinfo_initialize",
    "cpuinfo_isa",
];

impl ProcessorCheck {
    fn of_import(machine: Machine, name: &[u8]) -> Option<Self> {
        let list: &[&str] = match machine {
            Machine::Aarch64 => &CHECKS_ARM,
            Machine::X86_64 | Machine::I686 => &CHECKS_X86,
        };
        let known = list.iter().find(|each| each.as_bytes() == name)?;
        Some(Self::Import((*known).to_owned()))
    }
}

impl fmt::Display for ProcessorCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instruction => f.write_str("instruction"),
            Self::Ifunc => f.write_str("ifunc"),
            Self::Auxv => f.write_str("auxv"),
            Self::Import(name) => f.write_str(name),
        }
    }
}

impl Serialize for ProcessorCheck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The certainty that a file needs a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Only code outside of known functions uses it, which may be data.
    Outside,
    /// The file checks the processor, and few functions use the feature: they are probably guarded.
    Guarded,
    /// The file does not check the processor, but a file that it is linked with does, or its name is that of a
    /// variant. It is unclear whether this guards the code.
    Elsewhere,
    /// The file checks the processor, but so many functions use the feature that the whole file was compiled for it.
    Throughout,
    /// The code runs without a check.
    Certain,
}

/// A place that uses a feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The function's mangled name, if there is a symbol.
    pub function: Option<String>,
    /// The virtual address of the function. `None` outside of known functions.
    pub start: Option<u64>,
    /// The instruction's virtual address.
    pub address: u64,
    /// The instruction's mnemonic: `vpaddd`.
    pub instruction: String,
}

/// The use of a feature beyond the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureUse {
    /// The feature.
    pub feature: Feature,
    /// The certainty that the file needs the feature.
    pub certainty: Certainty,
    /// The certainty if another file checks the processor for this one.
    #[serde(skip)]
    pub(crate) if_checked_elsewhere: Certainty,
    /// The functions that use it.
    pub functions: u64,
    /// The instructions in them.
    pub instructions: u64,
    /// The instructions outside of known functions.
    pub outside: u64,
    /// At most three of the places. Instructions that always run come first.
    pub places: Vec<Place>,
}

/// The numbers of analysed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// In known functions.
    pub functions: u64,
    /// Elsewhere.
    pub outside: u64,
    /// Of both, bytes that are not instructions.
    pub undecodable: u64,
    /// Of both, bytes close to such bytes, which do not count.
    pub doubtful: u64,
}

/// The processor features that a file's code uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IsaFacts {
    /// The architecture.
    pub machine: Machine,
    /// The level that it always needs, or that the whole file was compiled for.
    pub required: Level,
    /// The level that it uses, including guarded code.
    pub possible: Level,
    /// The level in the linker's note. Part of [`Self::required`], because the loader enforces it.
    pub note: Option<Level>,
    /// How it checks the processor.
    pub checks: BTreeSet<ProcessorCheck>,
    /// The features that it uses beyond the baseline.
    pub features: Vec<FeatureUse>,
    /// The number of analysed functions.
    pub functions: u64,
    /// Atomic instructions in the compiler's helpers, which check the processor (arm64).
    pub outline_atomics: u64,
    /// The analysed bytes.
    pub bytes: Coverage,
}

impl IsaFacts {
    /// The uses that a level does not allow, the most certain first.
    pub fn beyond(&self, allowed: &Level) -> Vec<&FeatureUse> {
        let mut uses: Vec<_> =
            self.features.iter().filter(|each| !allowed.has(each.feature)).collect();
        uses.sort_by_key(|each| std::cmp::Reverse(each.certainty));
        uses
    }

    /// Returns whether it checks the processor, apart from the compiler's helpers for atomics.
    pub(crate) fn checks_processor(&self) -> bool {
        self.checks.iter().any(|each| !evaluate::is_for_atomics(each, self.outline_atomics))
    }

    /// Notes that another file may check the processor before it calls this one. `whole`: the other file selects this
    /// file as a whole, so all of it may be compiled for a higher level.
    pub(crate) fn guard_elsewhere(&mut self, whole: bool) {
        let most = if whole { Certainty::Throughout } else { Certainty::Guarded };
        let checks = self.checks_processor();
        for used in &mut self.features {
            let is_sure = used.certainty >= Certainty::Throughout && (whole || !checks);
            if is_sure && used.if_checked_elsewhere <= most {
                used.certainty = Certainty::Elsewhere;
            }
        }
        let noted = self.note.map_or(FeatureSet::EMPTY, |note| note.features());
        let sure = evaluate::level_of(self.machine, &self.features, Certainty::Throughout);
        self.required = sure.with(noted);
    }

    /// The certainty of the result, as text.
    pub(crate) fn certainty_text(&self) -> &'static str {
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
            "the instructions that need more may be data"
        } else {
            "all of its code was read"
        }
    }
}

/// Reads the code of a whole file in memory.
///
/// # Errors
/// [`IsaError`] if the file cannot be analysed.
pub fn scan(bytes: &[u8]) -> Result<IsaFacts, IsaError> {
    let mut scanner = Scanner::new(Layout::of(&bytes)?);
    scanner.feed(0, bytes);
    scanner.finish()
}

#[cfg(test)]
mod tests;
