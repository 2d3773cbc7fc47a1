//! Processor features beyond the baseline, with the names of compiler options.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Machine;

macro_rules! features {
    ($($machine:ident { $($variant:ident $name:literal)* })*) => {
        /// An instruction set extension. The names are those of GCC's options (`-mavx512f`,
        /// `-march=armv8-a+lse`), which are lower-case and stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the variants are the extensions' own names")]
        pub enum Feature { $($($variant,)*)* }

        /// Each feature with its architecture and name, in the order of the variants.
        const ROWS: &[(Feature, Family, &str)] =
            &[$($((Feature::$variant, Family::$machine, $name),)*)*];
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    X86,
    Arm,
}

features! {
    X86 {
        Mmx "mmx" Sse "sse" Sse2 "sse2"
        Cx16 "cx16" Sahf "sahf" Popcnt "popcnt" Sse3 "sse3" Ssse3 "ssse3" Sse41 "sse4.1" Sse42 "sse4.2"
        Avx "avx" Avx2 "avx2" Bmi "bmi" Bmi2 "bmi2" F16c "f16c" Fma "fma" Lzcnt "lzcnt" Movbe "movbe"
        Avx512f "avx512f" Avx512bw "avx512bw" Avx512cd "avx512cd" Avx512dq "avx512dq"
        Avx512vl "avx512vl"
        Avx512Vbmi "avx512vbmi" Avx512Vbmi2 "avx512vbmi2" Avx512Ifma "avx512ifma"
        Avx512Vnni "avx512vnni" Avx512Bitalg "avx512bitalg" Avx512Vpopcntdq "avx512vpopcntdq"
        Avx512Bf16 "avx512bf16" Avx512Fp16 "avx512fp16" Avx512Er "avx512er" Avx512Pf "avx512pf"
        Avx5124fmaps "avx5124fmaps" Avx5124vnniw "avx5124vnniw"
        Avx512Vp2intersect "avx512vp2intersect" AvxVnni "avxvnni" AvxIfma "avxifma"
        AvxVnniInt8 "avxvnniint8" AvxVnniInt16 "avxvnniint16" AvxNeConvert "avxneconvert"
        Amx "amx" Aes "aes" Pclmul "pclmul" Vaes "vaes" Vpclmul "vpclmulqdq" Gfni "gfni" Sha "sha"
        Sha512 "sha512" Sm3 "sm3" Sm4 "sm4" Adx "adx" Rdrnd "rdrnd" Rdseed "rdseed"
        Fsgsbase "fsgsbase" Rtm "rtm" Xsave "xsave" Sse4a "sse4a" Fma4 "fma4" Xop "xop" Tbm "tbm"
        Movdiri "movdiri" Movdir64b "movdir64b" Clflushopt "clflushopt" Clwb "clwb" Pku "pku"
        Rdpid "rdpid" Waitpkg "waitpkg" Serialize "serialize"
    }
    Arm {
        Crc "crc" Lse "lse" Rdma "rdma" Fp16 "fp16" Dotprod "dotprod" ArmAes "aes" Sha2 "sha2"
        Sha3 "sha3" ArmSm4 "sm4" Fcma "fcma" Jscvt "jscvt" Rcpc "rcpc" Rcpc2 "rcpc2" Pauth "pauth"
        Bf16 "bf16" I8mm "i8mm" Fp16fml "fp16fml" Flagm "flagm" Flagm2 "flagm2" Frintts "frintts"
        Sb "sb" Rng "rng" Memtag "memtag" Sve "sve" Sve2 "sve2" Sme "sme" Ls64 "ls64" Wfxt "wfxt"
        Mops "mops" Hbc "hbc" Cssc "cssc" Lse128 "lse128"
    }
}

// `FeatureSet` has 128 bits.
const _: () = assert!(ROWS.len() <= 128);

impl Feature {
    /// Every feature of an architecture, oldest first.
    pub fn all(machine: Machine) -> impl Iterator<Item = Self> {
        ROWS.iter().filter(move |row| row.1 == family(machine)).map(|row| row.0)
    }

    /// The name, as in GCC's options.
    pub fn name(self) -> &'static str {
        ROWS[self as usize].2
    }

    /// The feature of an architecture with this name.
    pub fn named(machine: Machine, name: &str) -> Option<Self> {
        Self::all(machine).find(|each| each.name() == name)
    }
}

fn family(machine: Machine) -> Family {
    match machine {
        Machine::X86_64 | Machine::I686 => Family::X86,
        Machine::Aarch64 => Family::Arm,
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Feature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A set of [`Feature`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct FeatureSet(u128);

impl FeatureSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// The set of these features.
    pub const fn of(features: &[Feature]) -> Self {
        let (mut set, mut index) = (0, 0);
        while index < features.len() {
            set |= 1 << features[index] as u8;
            index += 1;
        }
        Self(set)
    }

    /// The union of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The features of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether the set contains all of `other`.
    pub const fn holds(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Returns whether the sets intersect.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the order of the features.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let row = ROWS.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(row.0)
        })
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<T: IntoIterator<Item = Feature>>(features: T) -> Self {
        features.into_iter().fold(Self::EMPTY, |set, each| set.with(Self::of(&[each])))
    }
}
