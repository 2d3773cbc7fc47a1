//! Instruction set levels, which promises and files' needs use.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

#[allow(clippy::enum_glob_use, reason = "tables of features are read by their names alone")]
use super::feature::Feature::{self, *};
use super::feature::FeatureSet;

/// A supported architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are the wheel names themselves")]
pub enum Machine {
    #[serde(rename = "x86_64")]
    X86_64,
    I686,
    Aarch64,
}

/// A named level: its additional features over the previous row of the same architecture.
struct Row(Machine, &'static str, &'static [Feature]);

/// The levels.
///
/// x86-64: psABI, section "Micro-Architecture Levels" (without OSXSAVE, whose instructions user code does not
/// need). i686: the Pentium Pro of GCC's `-march=i686`. arm64: the mandatory features of each version in the Arm
/// ARM for A-profile (DDI 0487), chapter A2, as GCC's `-march=`.
const ROWS: &[Row] = &[
    Row(Machine::X86_64, "x86-64-v1", &[Mmx, Sse, Sse2]),
    Row(Machine::X86_64, "x86-64-v2", &[Cx16, Sahf, Popcnt, Sse3, Ssse3, Sse41, Sse42]),
    Row(Machine::X86_64, "x86-64-v3", &[Avx, Avx2, Bmi, Bmi2, F16c, Fma, Lzcnt, Movbe]),
    Row(Machine::X86_64, "x86-64-v4", &[Avx512f, Avx512bw, Avx512cd, Avx512dq, Avx512vl]),
    Row(Machine::I686, "i686", &[]),
    Row(Machine::Aarch64, "armv8-a", &[]),
    Row(Machine::Aarch64, "armv8.1-a", &[Crc, Lse, Rdma]),
    // 8.2 has no mandatory feature that library code uses.
    Row(Machine::Aarch64, "armv8.2-a", &[]),
    Row(Machine::Aarch64, "armv8.3-a", &[Fcma, Jscvt, Pauth, Rcpc]),
    Row(Machine::Aarch64, "armv8.4-a", &[Dotprod, Flagm, Rcpc2]),
    Row(Machine::Aarch64, "armv8.5-a", &[Flagm2, Frintts, Sb]),
    Row(Machine::Aarch64, "armv8.6-a", &[Bf16, I8mm]),
    Row(Machine::Aarch64, "armv8.7-a", &[Wfxt]),
    Row(Machine::Aarch64, "armv8.8-a", &[Mops, Hbc]),
];

/// Armv9.0 is Armv8.5 with SVE2, and each later version has a corresponding Armv8 (DDI 0487, A2).
const ARM_9: [(&str, &str); 4] = [
    ("armv9-a", "armv8.5-a"),
    ("armv9.1-a", "armv8.6-a"),
    ("armv9.2-a", "armv8.7-a"),
    ("armv9.3-a", "armv8.8-a"),
];

/// GCC's `crypto` is an alias for two features.
const CRYPTO: &[Feature] = &[ArmAes, Sha2];

/// Features that imply others (GCC's `aarch64-option-extensions.def`, and its documentation of x86 options).
const IMPLIES: &[(Feature, &[Feature])] = &[
    (Sse, &[Mmx]),
    (Sse2, &[Sse]),
    (Sse3, &[Sse2]),
    (Ssse3, &[Sse3]),
    (Sse41, &[Ssse3]),
    (Sse42, &[Sse41]),
    (Avx, &[Sse42]),
    (Avx2, &[Avx]),
    (F16c, &[Avx]),
    (Fma, &[Avx]),
    (Avx512f, &[Avx2, Fma, F16c]),
    (Avx512bw, &[Avx512f]),
    (Avx512cd, &[Avx512f]),
    (Avx512dq, &[Avx512f]),
    (Avx512vl, &[Avx512f]),
    (Sha3, &[Sha2]),
    (Rcpc2, &[Rcpc]),
    (Fp16fml, &[Fp16]),
    (Flagm2, &[Flagm]),
    (Sve2, &[Sve]),
];

/// A required processor: a named level, or one with further features.
///
/// A level is less than another if all of its code runs on the other. `x86-64-v3` and `x86-64-v2+aes` have no
/// order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level {
    machine: Machine,
    features: FeatureSet,
}

/// A text is not a level. `clap` and `serde` print the message, so it contains its hint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not an instruction set level: use one of {names}, optionally with `+` and features",
    names = names()
)]
pub struct UnknownLevel(pub String);

fn names() -> String {
    let nine = ARM_9.iter().map(|row| row.0);
    ROWS.iter().map(|row| row.1).chain(nine).collect::<Vec<_>>().join(", ")
}

impl Level {
    /// The baseline of an architecture.
    pub fn baseline(machine: Machine) -> Self {
        let first = ROWS.iter().find(|row| row.0 == machine).map_or(&[] as &[_], |row| row.2);
        Self { machine, features: FeatureSet::of(first) }
    }

    /// The lowest level for code with these features.
    ///
    /// On x86-64, a feature of a named level requires the whole level, as in processors and compiler options. On
    /// other architectures, it requires only itself.
    pub fn of(machine: Machine, used: FeatureSet) -> Self {
        let mut level = Self::baseline(machine);
        level.features = closed(level.features.with(used));
        if machine == Machine::X86_64 {
            let named = Self::named(machine).filter(|(_, _, own)| used.meets(*own)).last();
            level.features = level.features.with(named.map_or(FeatureSet::EMPTY, |each| each.1));
        }
        level
    }

    /// The level of a property note, `GNU_PROPERTY_X86_ISA_1_NEEDED` (x86-64 psABI, "Program
    /// Property"): the bits from the lowest are baseline, v2, v3 and v4.
    pub(crate) fn of_note(bits: u32) -> Option<Self> {
        let index = (bits & 0xf).checked_ilog2()?;
        let (_, features, _) = Self::named(Machine::X86_64).nth(index as usize)?;
        Some(Self { machine: Machine::X86_64, features })
    }

    /// The architecture.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// All features.
    pub fn features(&self) -> FeatureSet {
        self.features
    }

    /// Returns whether code that needs `other` runs on it. `false` for another architecture.
    pub fn allows(&self, other: &Self) -> bool {
        self.machine == other.machine && self.features.holds(other.features)
    }

    /// Returns whether the level has the feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.holds(FeatureSet::of(&[feature]))
    }

    /// The level with these additional features.
    #[must_use]
    pub fn with(self, features: FeatureSet) -> Self {
        Self { machine: self.machine, features: closed(self.features.with(features)) }
    }

    /// The named levels of an architecture, lowest first: name, all features, additional features.
    fn named(machine: Machine) -> impl Iterator<Item = (&'static str, FeatureSet, FeatureSet)> {
        ROWS.iter().filter(move |row| row.0 == machine).scan(FeatureSet::EMPTY, |all, row| {
            let own = FeatureSet::of(row.2);
            *all = all.with(own);
            Some((row.1, *all, own))
        })
    }

    /// The level with a name, and its features.
    fn find(name: &str) -> Option<(Machine, FeatureSet)> {
        let name = if name == "x86-64" { "x86-64-v1" } else { name };
        if let Some((_, eight)) = ARM_9.iter().find(|row| row.0 == name) {
            let (machine, features) = Self::find(eight)?;
            return Some((machine, features.with(FeatureSet::of(&[Sve, Sve2]))));
        }
        let machine = ROWS.iter().find(|row| row.1 == name)?.0;
        let row = Self::named(machine).find(|row| row.0 == name)?;
        Some((machine, row.1))
    }
}

/// The set with all implied features.
fn closed(mut set: FeatureSet) -> FeatureSet {
    // The rows are ordered, so one pass from last to first is enough.
    for (feature, implied) in IMPLIES.iter().rev() {
        if set.holds(FeatureSet::of(&[*feature])) {
            set = set.with(FeatureSet::of(implied));
        }
    }
    set
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.allows(other), other.allows(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl fmt::Display for Level {
    /// Formats the highest contained named level and the additional features.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two names of the same level: use the older one.
        let adds = |row: &(_, FeatureSet, FeatureSet)| row.1 == row.2 || !row.2.is_empty();
        let named = Self::named(self.machine).filter(adds);
        let named = named.filter(|row| self.features.holds(row.1)).last();
        let (name, base, _) = named.unwrap_or(("", FeatureSet::EMPTY, FeatureSet::EMPTY));
        let rest = self.features.without(base);
        // Omit features that another feature implies.
        let is_named = |each: &Feature| {
            !IMPLIES.iter().any(|(of, implied)| self.has(*of) && implied.contains(each))
        };
        let extra: String =
            rest.iter().filter(is_named).flat_map(|each| ["+", each.name()]).collect();
        f.pad(&format!("{name}{extra}"))
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Parses `x86-64-v2`, `armv8.2-a` or `armv8-a+lse+crc`.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let unknown = || UnknownLevel(text.to_owned());
        let mut parts = text.split('+');
        let (machine, mut features) = parts.next().and_then(Self::find).ok_or_else(unknown)?;
        for part in parts {
            let more = match (machine, part) {
                (Machine::Aarch64, "crypto") => FeatureSet::of(CRYPTO),
                _ => FeatureSet::of(&[Feature::named(machine, part).ok_or_else(unknown)?]),
            };
            features = features.with(more);
        }
        Ok(Self { machine, features: closed(features) })
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn level(text: &str) -> Level {
        text.parse().unwrap()
    }

    #[test]
    fn names_round_trip() {
        for row in ROWS {
            let shown = level(row.1).to_string();
            // A level without additional features equals the previous one.
            assert!(shown == row.1 || row.1 == "armv8.2-a" && shown == "armv8.1-a", "{}", row.1);
            assert_eq!(level(&shown), level(row.1));
        }
        for text in
            ["armv8-a+lse", "armv8-a+aes+sha2", "x86-64-v2+avx2", "x86-64-v3+aes", "i686+sse2"]
        {
            assert_eq!(level(text).to_string(), text);
        }
        assert_eq!(level("x86-64").to_string(), "x86-64-v1");
        assert_eq!(level("armv8-a+crypto"), level("armv8-a+aes+sha2"));
        assert_eq!(level("armv9-a"), level("armv8.5-a+sve2"));
        for text in ["", "x86-64-v5", "armv8", "armv8-a+", "armv8-a+avx", "x86-64+lse", "native"] {
            assert!(text.parse::<Level>().is_err(), "{text}");
        }
        let error = "x86-64-v9".parse::<Level>().unwrap_err().to_string();
        assert!(error.contains("use one of x86-64-v1, x86-64-v2"), "{error}");
    }

    #[test]
    fn levels_are_ordered_by_the_code_that_runs_on_them() {
        assert!(level("x86-64-v2") < level("x86-64-v3"));
        assert!(level("x86-64-v3") > level("x86-64-v2+avx2"));
        assert_eq!(level("x86-64-v3").partial_cmp(&level("x86-64-v2+aes")), None);
        assert!(level("armv8.1-a").allows(&level("armv8-a+lse")));
        assert!(!level("armv8-a+lse").allows(&level("armv8.1-a")));
        assert!(!level("armv8.8-a").allows(&level("x86-64")));
    }

    #[test]
    fn a_feature_requires_its_level_on_x86_and_only_itself_on_arm() {
        let of = |machine, features: &[Feature]| Level::of(machine, FeatureSet::of(features));
        assert_eq!(of(Machine::X86_64, &[Ssse3]), level("x86-64-v2"));
        assert_eq!(of(Machine::X86_64, &[Avx, Aes]), level("x86-64-v3+aes"));
        assert_eq!(of(Machine::X86_64, &[Avx512f]), level("x86-64-v4"));
        assert_eq!(of(Machine::X86_64, &[]), level("x86-64-v1"));
        assert_eq!(of(Machine::Aarch64, &[Lse]), level("armv8-a+lse"));
        assert_eq!(of(Machine::I686, &[Sse2]), level("i686+sse2"));
    }

    #[test]
    fn the_note_has_one_bit_per_level() {
        assert_eq!(Level::of_note(0), None);
        assert_eq!(Level::of_note(1), Some(level("x86-64-v1")));
        assert_eq!(Level::of_note(0b111), Some(level("x86-64-v3")));
        assert_eq!(Level::of_note(8), Some(level("x86-64-v4")));
    }

    #[test]
    fn levels_deserialize_from_configurations() {
        #[derive(Deserialize, Serialize)]
        struct Isa {
            amd64: Level,
            arm64: Level,
        }
        let text = "amd64 = \"x86-64-v2\"\narm64 = \"armv8-a+lse\"\n";
        let isa: Isa = toml::from_str(text).unwrap();
        assert_eq!(isa.amd64, level("x86-64-v2"));
        assert_eq!(toml::to_string(&isa).unwrap(), text);
        assert!(toml::from_str::<Isa>("amd64 = \"x86\"\narm64 = \"armv8-a\"").is_err());
    }
}
