//! The interpreters of wheels, by their tags: `cp311`, `cp314t`, `pp311`, `gp312`.

use std::{fmt, str::FromStr};

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Tag;

/// A Python implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Implementation {
    /// The reference implementation, `cp`.
    CPython,
    /// `PyPy`, `pp`.
    PyPy,
    /// `GraalPy`, `gp`.
    GraalPy,
}

/// An interpreter with its version and threading model. The text form and the serialised form are `cp314t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Interpreter {
    implementation: Implementation,
    version: (u8, u8),
    free_threaded: bool,
}

/// The reason why a text is not an interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not an interpreter: use a tag such as `cp311`, `cp314t` (free-threaded, from 3.13 on), `pp311` or `gp312`"
)]
pub struct InterpreterError(String);

/// Returns whether the specifiers allow a release of this version.
pub fn allows(specifiers: &VersionSpecifiers, version: (u8, u8)) -> bool {
    allows_from(0, specifiers, version)
}

/// Returns whether the specifiers allow a release of this version after the first one. `<=3.11` and `==3.11` allow only
/// 3.11.0, which a distribution or uv replaces by later releases.
pub fn allows_builds(specifiers: &VersionSpecifiers, version: (u8, u8)) -> bool {
    allows_from(1, specifiers, version)
}

/// Tries more releases than any minor version has, beginning with `first`.
fn allows_from(first: u64, specifiers: &VersionSpecifiers, (major, minor): (u8, u8)) -> bool {
    let version = |micro| Version::new([u64::from(major), u64::from(minor), micro]);
    (first..40).any(|micro| specifiers.contains(&version(micro)))
}

impl Interpreter {
    /// The Python version: `(3, 11)`.
    pub fn python_version(&self) -> (u8, u8) {
        self.version
    }

    /// Returns whether it is free-threaded `CPython`, which has a separate ABI (PEP 703, PEP 779).
    pub fn is_free_threaded(&self) -> bool {
        self.free_threaded
    }

    /// Returns whether it is `CPython`.
    pub fn is_cpython(&self) -> bool {
        self.implementation == Implementation::CPython
    }

    /// Returns whether it is `PyPy`.
    pub fn is_pypy(&self) -> bool {
        self.implementation == Implementation::PyPy
    }

    /// The Python tag of wheels for it: `cp314` (also when free-threaded), `pp311`, `graalpy312`.
    pub fn python_tag(&self) -> String {
        let (major, minor) = self.version;
        let prefix = match self.implementation {
            Implementation::CPython => "cp",
            Implementation::PyPy => "pp",
            // Installers do not support its short name.
            Implementation::GraalPy => "graalpy",
        };
        format!("{prefix}{major}{minor}")
    }

    /// Returns whether this interpreter accepts a wheel with this tag: for its own ABI, for the stable ABI of an earlier
    /// version, or for pure Python. Ignores the platform. `scripts/collect-wheels.py` implements the same rule in the
    /// container, and `tests/tags.rs` compares both with Python's `packaging`.
    pub fn accepts(&self, tag: &Tag) -> bool {
        let (major, minor) = self.version;
        if tag.python == self.python_tag() && self.has_abi(&tag.abi) {
            return true;
        }
        match tag.abi.as_str() {
            // The free-threaded build has a separate stable ABI (PEP 703, PEP 803). 3.2 is the first
            // version with a stable ABI (PEP 384).
            "abi3" | "abi3t" => {
                self.is_cpython()
                    && self.free_threaded == (tag.abi == "abi3t")
                    && is_at_most(&tag.python, "cp", major, minor)
                    && !["cp30", "cp31"].contains(&tag.python.as_str())
            }
            "none" => {
                tag.python == format!("py{major}")
                    || (self.is_pypy() && tag.python == format!("pp{major}"))
                    || is_at_most(&tag.python, "py", major, minor)
            }
            _ => false,
        }
    }

    /// Returns whether `abi` is its own ABI or `none`.
    fn has_abi(self, abi: &str) -> bool {
        let (major, minor) = self.version;
        let is_own = match self.implementation {
            Implementation::CPython => {
                let flags = abi.strip_prefix(&self.to_string());
                // The default build of 3.7 and older has a flag: `cp36m`, `cp27mu` (PEP 3149, bpo-36707).
                flags.is_some_and(|flags| {
                    flags.is_empty() || self.version < (3, 8) && ["m", "mu"].contains(&flags)
                })
            }
            // `pypy311_pp73`, `graalpy250_312_native`: each release has its own ABI.
            Implementation::PyPy => abi.starts_with(&format!("pypy{major}{minor}_pp")),
            Implementation::GraalPy => {
                let release = abi.strip_prefix("graalpy").and_then(|rest| rest.split_once('_'));
                let own = format!("{major}{minor}_");
                release.is_some_and(|(number, rest)| {
                    number.parse::<u32>().is_ok() && rest.starts_with(&own)
                })
            }
        };
        is_own || abi == "none"
    }
}

/// Returns whether `tag` is like `cp37`, with the same major version and at most this minor version.
fn is_at_most(tag: &str, prefix: &str, major: u8, minor: u8) -> bool {
    let version = tag.strip_prefix(prefix).and_then(split_version);
    version.is_some_and(|(own_major, own_minor)| own_major == major && own_minor <= minor)
}

/// Parses `311`: one digit, then the rest.
fn split_version(digits: &str) -> Option<(u8, u8)> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (major, minor) = digits.split_at_checked(1)?;
    let canonical = minor == "0" || !minor.starts_with('0');
    Some((major.parse().ok()?, minor.parse().ok().filter(|_| canonical)?))
}

impl fmt::Display for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.python_tag();
        let name =
            name.strip_prefix("graalpy").map_or(name.clone(), |version| format!("gp{version}"));
        write!(f, "{name}{}", if self.free_threaded { "t" } else { "" })
    }
}

impl FromStr for Interpreter {
    type Err = InterpreterError;

    fn from_str(text: &str) -> Result<Self, InterpreterError> {
        let parse = || {
            let (implementation, rest) = match text.split_at_checked(2)? {
                ("cp", rest) => (Implementation::CPython, rest),
                ("pp", rest) => (Implementation::PyPy, rest),
                ("gp", rest) => (Implementation::GraalPy, rest),
                _ => return None,
            };
            let digits = rest.strip_suffix('t').unwrap_or(rest);
            let free_threaded = digits.len() < rest.len();
            let version = split_version(digits)?;
            let has_variant = implementation == Implementation::CPython && version >= (3, 13);
            (!free_threaded || has_variant).then_some(Self {
                implementation,
                version,
                free_threaded,
            })
        };
        parse().ok_or_else(|| InterpreterError(text.to_owned()))
    }
}

impl From<Interpreter> for String {
    fn from(interpreter: Interpreter) -> Self {
        interpreter.to_string()
    }
}

impl TryFrom<String> for Interpreter {
    type Error = InterpreterError;

    fn try_from(text: String) -> Result<Self, InterpreterError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use proptest::prelude::*;

    use super::*;

    fn accepts(interpreter: &str, tag: &str) -> bool {
        let interpreter: Interpreter = interpreter.parse().unwrap();
        let [python, abi]: [&str; 2] = tag.split('-').collect::<Vec<_>>().try_into().unwrap();
        interpreter.accepts(&Tag { python: python.into(), abi: abi.into(), platform: "any".into() })
    }

    #[test]
    fn tags_match_the_specification() {
        let tags = |text: &str| {
            let it: Interpreter = text.parse().unwrap();
            it.python_tag()
        };
        assert_eq!(tags("cp311"), "cp311");
        assert_eq!(tags("cp314t"), "cp314");
        assert_eq!(tags("pp311"), "pp311");
        assert_eq!(tags("gp312"), "graalpy312");
    }

    #[test]
    fn own_stable_and_pure_wheels_are_accepted() {
        for (interpreter, tag) in [
            ("cp311", "cp311-cp311"),
            ("cp314t", "cp314-cp314t"),
            ("pp311", "pp311-pypy311_pp73"),
            ("pp311", "pp311-pypy311_pp74"),
            ("gp312", "graalpy312-graalpy250_312_native"),
            ("gp312", "graalpy312-graalpy252_312_native"),
            ("gp312", "py3-none"),
            ("cp312", "cp38-abi3"),
            ("cp36", "cp36-cp36m"),
            ("cp27", "cp27-cp27mu"),
            ("cp312", "cp312-abi3"),
            ("cp312", "py3-none"),
            ("cp312", "py39-none"),
            ("cp312", "cp312-none"),
            ("cp314t", "py3-none"),
            ("pp311", "py3-none"),
        ] {
            assert!(accepts(interpreter, tag), "{tag} for {interpreter}");
        }
    }

    #[test]
    fn wheels_for_other_interpreters_are_not() {
        for (interpreter, tag) in [
            ("cp314", "cp314-cp314t"),
            ("cp314t", "cp314-cp314"),
            ("cp314t", "cp38-abi3"),
            ("cp311", "cp312-abi3"),
            ("cp38", "cp38-cp38m"),
            ("cp311", "cp312-cp312"),
            ("pp311", "cp38-abi3"),
            ("gp312", "cp38-abi3"),
            ("gp312", "graalpy312-graalpy250_311_native"),
            ("gp312", "graalpy311-graalpy242_311_native"),
            ("gp312", "graalpy312-graalpy_312_native"),
            ("pp311", "cp311-cp311"),
            ("cp311", "py2-none"),
            ("cp311", "py312-none"),
            ("cp39", "cp310-abi3"),
        ] {
            assert!(!accepts(interpreter, tag), "{tag} for {interpreter}");
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in [
            "",
            "cp",
            "cp3",
            "311",
            "cp311m",
            "pp311t",
            "gp312t",
            "graalpy312",
            "cp312t",
            "cp3011",
            "CP311",
            "cp-311",
            "py3",
            "cp3999",
            "é",
        ] {
            assert!(text.parse::<Interpreter>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(text in "(cp3([0-9]|1[0-9])|cp31[3-9]t|[pg]p3([0-9]|1[0-9]))") {
            prop_assert_eq!(text.parse::<Interpreter>().unwrap().to_string(), text);
        }
    }
}
