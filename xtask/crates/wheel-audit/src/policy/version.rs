//! Version numbers that compare as integers: `2.9 < 2.17`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The reason why a text is not a version number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a version such as `{example}`")]
pub struct VersionError {
    text: String,
    example: &'static str,
}

/// A version of the C library, `major.minor`, as in `manylinux_2_36` (PEP 600) or, for musl,
/// `musllinux_1_2` (PEP 656).
///
/// The text form and the serialised form are `2.36`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LibcVersion {
    /// The part before the dot: 2 for glibc since 1997.
    pub major: u32,
    /// The part after the dot.
    pub minor: u32,
}

impl LibcVersion {
    /// The version `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for LibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for LibcVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let parts = text.split_once('.');
        parts
            .and_then(|(major, minor)| Some(Self::new(integer(major)?, integer(minor)?)))
            .ok_or_else(|| VersionError { text: text.to_owned(), example: "2.36" })
    }
}

impl From<LibcVersion> for String {
    fn from(version: LibcVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for LibcVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

/// The numeric part of a symbol version, with any number of components: `2.2.5` for `GLIBC_2.2.5`, `1.2.2.4` for
/// `ZLIB_1.2.2.4`.
///
/// The text form and the serialised form contain the dots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SymbolVersion(Vec<u32>);

impl fmt::Display for SymbolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{part}")?;
        }
        Ok(())
    }
}

impl FromStr for SymbolVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let parts: Option<Vec<u32>> = text.split('.').map(integer).collect();
        parts
            .filter(|parts| parts.len() <= 8)
            .map(Self)
            .ok_or_else(|| VersionError { text: text.to_owned(), example: "2.2.5" })
    }
}

impl From<SymbolVersion> for String {
    fn from(version: SymbolVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for SymbolVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<LibcVersion> for SymbolVersion {
    fn from(version: LibcVersion) -> Self {
        Self(vec![version.major, version.minor])
    }
}

/// Parses a decimal number in canonical form: only digits, no sign, no leading zero. Otherwise two tags could have
/// the same meaning.
pub(super) fn integer(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn glibc_versions_compare_as_integers(a: (u32, u32), b: (u32, u32)) {
            let (left, right) = (LibcVersion::new(a.0, a.1), LibcVersion::new(b.0, b.1));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        }

        #[test]
        fn display_and_parse_are_inverse(major: u32, minor: u32) {
            let version = LibcVersion::new(major, minor);
            prop_assert_eq!(version.to_string().parse(), Ok(version));
        }

        #[test]
        fn symbol_versions_compare_as_integers(
            a in prop::collection::vec(any::<u32>(), 1..6),
            b in prop::collection::vec(any::<u32>(), 1..6),
        ) {
            let text = |parts: &[u32]| SymbolVersion(parts.to_vec()).to_string();
            let (left, right) = (text(&a).parse::<SymbolVersion>(), text(&b).parse::<SymbolVersion>());
            prop_assert_eq!(left.map(|v| v.0), Ok(a.clone()));
            prop_assert_eq!(right.map(|v| v.0), Ok(b.clone()));
            prop_assert_eq!(SymbolVersion(a.clone()).cmp(&SymbolVersion(b.clone())), a.cmp(&b));
        }

        #[test]
        fn parsing_any_text_is_safe_and_canonical(text in "\\PC*") {
            if let Ok(version) = text.parse::<LibcVersion>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }

    #[test]
    fn other_spellings_are_rejected() {
        for text in
            ["", "2", "2.", ".2", "2.36.1", "+2.36", "2.-1", "02.36", "2.036", "2.4294967296"]
        {
            assert!(text.parse::<LibcVersion>().is_err(), "{text}");
        }
    }
}
