//! The file name of a wheel (binary distribution format, "File name convention").

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::TagSet;

/// Maximum length of a file name on common file systems, in bytes.
const MAX_LENGTH: usize = 255;

/// The reason why a text is not a wheel file name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// The name does not end in `.whl`, or is too long.
    #[error("`{}` is not a wheel file name: it must end in `.whl` and have at most {MAX_LENGTH} bytes", .0.escape_debug())]
    Form(String),
    /// Not five to seven parts between dashes.
    #[error("`{}` is not a wheel file name: `name-version(-build)-python-abi-platform.whl` is expected", .0.escape_debug())]
    Parts(String),
    /// A part is empty or contains an invalid character.
    #[error("`{}` is not a valid {part} of a wheel file name", .text.escape_debug())]
    Part {
        /// The part.
        part: &'static str,
        /// Its text.
        text: String,
    },
    /// The compatibility tags are malformed.
    #[error("`{}` is not a set of compatibility tags", .0.escape_debug())]
    Tags(String),
}

/// A parsed wheel file name. [`fmt::Display`] writes the original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// The distribution's name as escaped for file names: `zope_interface`.
    pub distribution: String,
    /// The version as escaped for file names: `1.0`, `1.0+local`.
    pub version: String,
    /// The build tag, which starts with a digit.
    pub build: Option<String>,
    /// The compatibility tags.
    pub tags: TagSet,
    /// The label of its variant (PEP 825, provisionally accepted): `x86_64_v3`.
    pub variant: Option<String>,
}

impl WheelName {
    /// Parses a file name without a folder.
    ///
    /// # Errors
    /// [`NameError`] with the invalid part.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let stem = text.strip_suffix(".whl").filter(|_| text.len() <= MAX_LENGTH);
        let stem = stem.ok_or_else(|| NameError::Form(text.to_owned()))?;
        let mut parts: Vec<&str> = stem.split('-').collect();
        let variant = variant(&mut parts);
        let (distribution, version, build, tags) = match parts.as_slice() {
            [distribution, version, tags @ ..] if tags.len() == 3 => {
                (*distribution, *version, None, tags)
            }
            [distribution, version, build, tags @ ..] if tags.len() == 3 => {
                (*distribution, *version, Some(part("build tag", build, "_.", is_build)?), tags)
            }
            _ => return Err(NameError::Parts(text.to_owned())),
        };
        Ok(Self {
            distribution: part("distribution", distribution, "._", |_| true)?,
            version: part("version", version, "._+!", |_| true)?,
            build,
            tags: tags.join("-").parse()?,
            variant,
        })
    }

    /// The metadata folder in the archive: `demo-1.0.dist-info`.
    pub fn dist_info(&self) -> String {
        format!("{}-{}.dist-info", self.distribution, self.version)
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-", self.distribution, self.version)?;
        if let Some(build) = &self.build {
            write!(f, "{build}-")?;
        }
        write!(f, "{}", self.tags)?;
        if let Some(variant) = &self.variant {
            write!(f, "-{variant}")?;
        }
        f.write_str(".whl")
    }
}

impl FromStr for WheelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// Splits off the label of a variant. Without a label, three tags follow the version or a build tag, which starts
/// with a digit.
fn variant(parts: &mut Vec<&str>) -> Option<String> {
    let has_build = parts.get(2).is_some_and(|part| is_build(part));
    let is_python = |text: &&str| {
        let letters = text.trim_end_matches(|each: char| each.is_ascii_digit() || each == '.');
        letters.len() < text.len() && letters.len() > 1
    };
    let first = if has_build { 3 } else { 2 };
    let is_label = |text: &&str| {
        let fits = |each: u8| {
            each.is_ascii_lowercase() || each.is_ascii_digit() || matches!(each, b'_' | b'.')
        };
        !text.is_empty() && text.bytes().all(fits)
    };
    parts.get(first).filter(|text| is_python(text))?;
    parts.get(first + 3).filter(|text| is_label(text) && parts.len() == first + 4)?;
    parts.pop().map(str::to_owned)
}

fn is_build(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Returns whether the text has only letters, digits and the `others`, with a letter or digit at both ends. It is then
/// neither a folder nor a hidden file.
fn part(
    part: &'static str,
    text: &str,
    others: &str,
    also: fn(&str) -> bool,
) -> Result<String, NameError> {
    let plain = |each: char| each.is_ascii_alphanumeric();
    let ends = text.starts_with(plain) && text.ends_with(plain);
    if ends && also(text) && text.chars().all(|each| plain(each) || others.contains(each)) {
        Ok(text.to_owned())
    } else {
        Err(NameError::Part { part, text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_is_found() {
        let name = WheelName::parse(
            "demo-1.0-1-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        )
        .unwrap();
        assert_eq!((name.distribution.as_str(), name.version.as_str()), ("demo", "1.0"));
        assert_eq!(name.build.as_deref(), Some("1"));
        assert_eq!(name.dist_info(), "demo-1.0.dist-info");
        let tags: Vec<String> = name.tags.expand().into_iter().map(String::from).collect();
        assert_eq!(tags, ["cp311-abi3-manylinux2014_x86_64", "cp311-abi3-manylinux_2_17_x86_64"]);
    }

    #[test]
    fn the_label_of_a_variant_follows_the_tags() {
        for (name, build, label) in [
            (
                "numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64-x86_64_v3.whl",
                None,
                Some("x86_64_v3"),
            ),
            ("a-1-2-py2.py3-none-any-null.whl", Some("2"), Some("null")),
            ("a-1-2-py3-none-any.whl", Some("2"), None),
            ("a-1-py3-none-any.whl", None, None),
        ] {
            let parsed = WheelName::parse(name).unwrap();
            assert_eq!((parsed.build.as_deref(), parsed.variant.as_deref()), (build, label));
            assert_eq!(parsed.to_string(), name);
        }
        for name in ["a-1-py3-none-any-X.whl", "a-1-py3-none-any-.whl", "a-1-py3-none-any-b-c.whl"]
        {
            assert!(WheelName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn paths_and_other_invalid_names_are_rejected() {
        for name in [
            "",
            ".whl",
            "a.whl",
            "a-1-py3-none.whl",
            "a-1-b1-py3-none-any.whl",
            "a-1-1-1-py3-none-any.whl",
            "../a-1-py3-none-any.whl",
            "a/b-1-py3-none-any.whl",
            "a\\b-1-py3-none-any.whl",
            "a\0-1-py3-none-any.whl",
            "a-1-py3-none-any.whl\n",
            "a\n-1-py3-none-any.whl",
            ".a-1-py3-none-any.whl",
            "a-..-py3-none-any.whl",
            "a-1-py3-none-.whl",
            "a-1-py3..py2-none-any.whl",
            "a-1-py3-none-a/b.whl",
            "é-1-py3-none-any.whl",
        ] {
            assert!(WheelName::parse(name).is_err(), "{name:?}");
        }
        assert!(WheelName::parse(&format!("{}-1-py3-none-any.whl", "a".repeat(250))).is_err());
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(
            name in "[A-Za-z0-9]([A-Za-z0-9_.]{0,8}[A-Za-z0-9])?-[0-9]([0-9.+!]{0,6}[0-9])?(-[0-9][a-z0-9]{0,3})?-[a-z0-9]{2,5}(\\.[a-z0-9]{2,5})?-[a-z0-9]{2,5}-[a-z0-9_]{2,20}\\.whl",
        ) {
            prop_assert_eq!(WheelName::parse(&name).unwrap().to_string(), name);
        }

        #[test]
        fn any_text_is_rejected_or_kept(name in "\\PC*") {
            if let Ok(parsed) = WheelName::parse(&name) {
                prop_assert_eq!(parsed.to_string(), name);
            }
        }
    }
}
