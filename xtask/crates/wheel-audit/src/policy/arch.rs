//! Processor architectures, with their names in wheel tags, container platforms, ELF and musl.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An architecture of platform tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are the wheel names themselves")]
pub enum Arch {
    Aarch64,
    Armv6l,
    Armv7l,
    I686,
    Loongarch64,
    Ppc64,
    Ppc64le,
    Riscv64,
    S390x,
    #[serde(rename = "x86_64")]
    X86_64,
}

/// A text is not a known architecture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a known architecture")]
pub struct UnknownArch(pub String);

/// One row per architecture: name in platform tags, container platform, ELF machine number (ELF gABI and its
/// processor supplements), 64-bit class, little-endian, and name of musl's loader.
const ROWS: [(Arch, &str, &str, u16, bool, bool, &str); 10] = [
    (Arch::Aarch64, "aarch64", "linux/arm64", 183, true, true, "aarch64"),
    (Arch::Armv6l, "armv6l", "linux/arm/v6", 40, false, true, "armhf"),
    (Arch::Armv7l, "armv7l", "linux/arm/v7", 40, false, true, "armv7"),
    (Arch::I686, "i686", "linux/386", 3, false, true, "x86"),
    (Arch::Loongarch64, "loongarch64", "linux/loong64", 258, true, true, "loongarch64"),
    (Arch::Ppc64, "ppc64", "linux/ppc64", 21, true, false, "ppc64"),
    (Arch::Ppc64le, "ppc64le", "linux/ppc64le", 21, true, true, "ppc64le"),
    (Arch::Riscv64, "riscv64", "linux/riscv64", 243, true, true, "riscv64"),
    (Arch::S390x, "s390x", "linux/s390x", 22, true, false, "s390x"),
    (Arch::X86_64, "x86_64", "linux/amd64", 62, true, true, "x86_64"),
];

impl Arch {
    /// Every architecture, sorted by name.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    /// The name in platform tags (`x86_64`), as `uname -m` prints it.
    pub fn wheel_name(self) -> &'static str {
        self.row().1
    }

    /// The container platform, `linux/amd64` (OCI image specification).
    pub fn platform(self) -> &'static str {
        self.row().2
    }

    /// The architecture of a container platform such as `linux/amd64` or `linux/arm64/v8`.
    pub fn from_platform(platform: &str) -> Result<Self, UnknownArch> {
        let plain = platform.strip_suffix("/v8").unwrap_or(platform);
        let row = ROWS.iter().find(|row| row.2 == plain);
        row.map(|row| row.0).ok_or_else(|| UnknownArch(platform.to_owned()))
    }

    /// Returns whether an ELF file with this machine number, class and byte order runs on this architecture. The class
    /// separates x32 from x86-64, and the byte order separates both kinds of 64-bit POWER.
    pub(crate) fn runs_elf(self, machine: u16, is_64_bit: bool, little_endian: bool) -> bool {
        let row = self.row();
        (row.3, row.4, row.5) == (machine, is_64_bit, little_endian)
    }

    /// The architecture of an ELF file. For 32-bit Arm, the newer of two.
    pub(crate) fn from_elf(machine: u16, is_64_bit: bool, little_endian: bool) -> Option<Self> {
        Self::all()
            .filter(|&arch| arch != Self::Armv6l)
            .find(|arch| arch.runs_elf(machine, is_64_bit, little_endian))
    }

    /// musl's own name, as in `libc.musl-x86_64.so.1`.
    pub(super) fn musl_name(self) -> &'static str {
        self.row().6
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, u16, bool, bool, &'static str) {
        // The rows are in declaration order. A test checks this.
        &ROWS[self as usize]
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.wheel_name())
    }
}

impl FromStr for Arch {
    type Err = UnknownArch;

    /// Parses the name in platform tags.
    fn from_str(text: &str) -> Result<Self, UnknownArch> {
        let row = ROWS.iter().find(|row| row.1 == text);
        row.map(|row| row.0).ok_or_else(|| UnknownArch(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips() {
        for arch in Arch::all() {
            assert_eq!(arch.row().0, arch);
            assert_eq!(arch.wheel_name().parse(), Ok(arch));
            assert_eq!(Arch::from_platform(arch.platform()), Ok(arch));
            assert_eq!(serde_json::to_value(arch).ok(), Some(arch.wheel_name().into()));
        }
        assert_eq!(Arch::from_platform("linux/arm64/v8"), Ok(Arch::Aarch64));
        assert!(Arch::from_platform("windows/amd64").is_err());
    }

    #[test]
    fn class_and_byte_order_count() {
        assert_eq!(Arch::from_elf(62, true, true), Some(Arch::X86_64));
        assert_eq!(Arch::from_elf(62, false, true), None, "x32 is not x86_64");
        assert_eq!(Arch::from_elf(21, true, false), Some(Arch::Ppc64));
        assert!(Arch::Armv6l.runs_elf(40, false, true));
    }
}
