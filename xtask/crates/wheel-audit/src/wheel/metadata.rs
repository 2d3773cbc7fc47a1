//! `WHEEL` (binary distribution format) and `METADATA` (core metadata): the header lines of both.

use pep440_rs::Version;
use thiserror::Error;

use super::{Headers, Tag};
use crate::text::shown;

/// The reason why a metadata file is unusable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// A required header is missing or empty.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A unique header is repeated. pip, uv and `installer` use the first, but other readers may use another.
    #[error("`{header}` is repeated, {}; installers use the first", quoted(.values))]
    Repeated {
        /// The header.
        header: &'static str,
        /// Its first two values.
        values: [String; 2],
    },
    /// A header has an invalid value.
    #[error("`{header}: {}` is not valid", shown(.value))]
    Value {
        /// The header.
        header: &'static str,
        /// Its value.
        value: String,
    },
    /// More headers than the limit.
    #[error("it has more headers than any real package")]
    TooMany,
}

/// "`1.0` and `2.0`"
fn quoted(values: &[String; 2]) -> String {
    let [first, second] = values;
    format!("`{}` and `{}`", shown(first), shown(second))
}

/// The headers of a file, if they are complete.
fn all_headers(bytes: &[u8]) -> Result<Headers, MetadataError> {
    let headers = Headers::parse(bytes);
    if headers.has_more() { Err(MetadataError::TooMany) } else { Ok(headers) }
}

/// The `WHEEL` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelFile {
    /// `Wheel-Version`: `(1, 0)`.
    pub wheel_version: (u32, u32),
    /// `Generator`, the tool that wrote the wheel.
    pub generator: Option<String>,
    /// `Root-Is-Purelib`: whether the content is installed into `purelib` rather than `platlib`.
    pub root_is_purelib: bool,
    /// The `Tag` lines, in order.
    pub tags: Vec<String>,
    /// `Build`, the build tag.
    pub build: Option<String>,
    /// All header lines.
    pub headers: Headers,
}

impl WheelFile {
    /// Reads a `WHEEL` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let headers = all_headers(bytes)?;
        let version = headers.one("Wheel-Version")?;
        let purelib = headers.one("Root-Is-Purelib")?;
        let wrong = |header, value: &str| MetadataError::Value { header, value: value.to_owned() };
        let parts = version.split_once('.');
        let wheel_version = parts
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
            .ok_or_else(|| wrong("Wheel-Version", version))?;
        let root_is_purelib = match purelib.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(wrong("Root-Is-Purelib", purelib)),
        };
        let tags: Vec<String> = headers.all("Tag").map(str::to_owned).collect();
        if tags.is_empty() {
            return Err(MetadataError::Missing("Tag"));
        }
        let generator = headers.all("Generator").next().map(str::to_owned);
        let build = headers.all("Build").next().map(str::to_owned);
        Ok(Self { wheel_version, generator, root_is_purelib, tags, build, headers })
    }

    /// The file with replaced `Tag` lines, at the place of the first one.
    pub(super) fn with_tags<'a>(bytes: &[u8], tags: impl Iterator<Item = &'a Tag>) -> Vec<u8> {
        let is_tag = |line: &[u8]| line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"tag:");
        let mut tags = Some(tags);
        let mut output = Vec::new();
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !is_tag(line) {
                output.extend_from_slice(line);
            } else if let Some(tags) = tags.take() {
                for tag in tags {
                    output.extend_from_slice(format!("Tag: {tag}\n").as_bytes());
                }
            }
        }
        output
    }
}

/// The used headers of the `METADATA` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreMetadata {
    /// `Metadata-Version`: `2.4`.
    pub metadata_version: String,
    /// `Name`, as the project writes it.
    pub name: String,
    /// `Version`, as the project writes it.
    pub version: String,
    /// `Requires-Python`.
    pub requires_python: Option<String>,
    /// `License-File` lines: paths below `.dist-info/licenses/` (PEP 639).
    pub license_files: Vec<String>,
    /// `Requires-Dist` lines: `torch>=2.0; extra == "gpu"`.
    pub requires_dist: Vec<String>,
    /// All header lines.
    pub headers: Headers,
}

impl CoreMetadata {
    /// Reads a `METADATA` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let headers = all_headers(bytes)?;
        let one = |name| headers.one(name).map(str::to_owned);
        let (metadata_version, name) = (one("Metadata-Version")?, one("Name")?);
        let version = one("Version")?;
        let requires_python = headers.all("Requires-Python").next().map(str::to_owned);
        let license_files = headers.all("License-File").map(str::to_owned).collect();
        let requires_dist = headers.all("Requires-Dist").map(str::to_owned).collect();
        Ok(Self {
            metadata_version,
            name,
            version,
            requires_python,
            license_files,
            requires_dist,
            headers,
        })
    }
}

/// Returns whether both names denote the same project (`PyPA`, "Names and normalization", PEP 503).
pub fn same_name(left: &str, right: &str) -> bool {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect()
    };
    words(left) == words(right)
}

/// A version as a key, equal for all of its spellings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VersionKey(Result<Version, Vec<String>>);

impl VersionKey {
    /// The key of a version.
    pub(crate) fn of(version: &str) -> Self {
        Self(version.parse().map_err(|_| normal_version(version)))
    }

    /// Returns whether installers use it only if there is no other version.
    pub(crate) fn is_prerelease(&self) -> bool {
        self.0.as_ref().is_ok_and(Version::any_prerelease)
    }
}

/// Returns whether both texts denote the same version, such as `1.0`, `v1.0.0` and `1.00` (`PyPA`, "Version specifiers",
/// PEP 440). Compares words and numbers of other texts.
pub fn same_version(left: &str, right: &str) -> bool {
    match (left.parse::<Version>(), right.parse::<Version>()) {
        (Ok(left), Ok(right)) => left == right,
        _ => normal_version(left) == normal_version(right),
    }
}

fn normal_version(version: &str) -> Vec<String> {
    let lower = version.trim().to_ascii_lowercase();
    let lower = lower.strip_prefix('v').unwrap_or(&lower);
    // Separators are optional: `1.0.dev1`, `1.0dev1` and `1.0-dev1` are the same version.
    let mut parts: Vec<String> = Vec::new();
    let mut last = ' ';
    for each in lower.chars() {
        match each {
            '.' | '-' | '_' => {}
            _ if each.is_ascii_digit() == last.is_ascii_digit() && last.is_ascii_alphanumeric() => {
                if let Some(part) = parts.last_mut() {
                    part.push(each);
                }
            }
            _ => parts.push(each.to_string()),
        }
        last = each;
    }
    let plain = |part: String| match part.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    };
    parts.into_iter().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEEL: &[u8] =
        b"Wheel-Version: 1.0\r\nGenerator: x\nRoot-Is-Purelib: false\nTag: a-b-c\nTag: a-b-d\n";

    #[test]
    fn wheel_files_are_read_and_retagged() {
        let wheel = WheelFile::parse(WHEEL).ok();
        assert_eq!(wheel.as_ref().map(|each| each.tags.len()), Some(2));
        assert_eq!(
            wheel.map(|each| (each.wheel_version, each.root_is_purelib)),
            Some(((1, 0), false))
        );
        let tag = Tag { python: "p".into(), abi: "q".into(), platform: "r".into() };
        let text = String::from_utf8(WheelFile::with_tags(WHEEL, [&tag].into_iter()));
        assert_eq!(
            text.as_deref(),
            Ok("Wheel-Version: 1.0\r\nGenerator: x\nRoot-Is-Purelib: false\nTag: p-q-r\n")
        );
    }

    #[test]
    fn errors_of_wheel_files_contain_the_line() {
        let error = |text: &str| WheelFile::parse(text.as_bytes()).err();
        assert_eq!(error(""), Some(MetadataError::Missing("Wheel-Version")));
        assert_eq!(
            error("Wheel-Version: 1.0\nWheel-Version: 2.0\nRoot-Is-Purelib: true"),
            Some(MetadataError::Repeated {
                header: "Wheel-Version",
                values: ["1.0".into(), "2.0".into()]
            })
        );
        assert_eq!(
            error("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"),
            Some(MetadataError::Missing("Tag"))
        );
        assert!(error("Wheel-Version: one\nRoot-Is-Purelib: true\nTag: a-b-c").is_some());
        assert!(error("Wheel-Version: 1.0\nRoot-Is-Purelib: perhaps\nTag: a-b-c").is_some());
    }

    #[test]
    fn headers_of_metadata_end_at_the_description() {
        let text = b"Metadata-Version: 2.4\nName: a\nSummary: x\n  folded: y\nVersion: 1\nLicense-File: L\xe9\n\nVersion: 2\n";
        let metadata = CoreMetadata::parse(text).ok();
        assert_eq!(
            metadata.map(|each| (each.version, each.license_files.len())),
            Some(("1".to_owned(), 1))
        );
    }

    #[test]
    fn names_and_versions_are_compared_normalised() {
        assert!(same_name("Zope.Interface", "zope_interface") && !same_name("zope", "zop"));
        for (left, right) in [
            ("1.0", "1.0"),
            ("v1.0", "1.0"),
            ("2024.02.01", "2024.2.1"),
            ("1.0-post1", "1.0.post1"),
            ("1.0.dev1", "1.0dev1"),
            ("1+AB.c", "1+ab_c"),
            ("1.00", "1.0"),
        ] {
            assert!(same_version(left, right), "{left} {right}");
        }
        for (left, right) in
            [("1.0", "1.1"), ("1.10", "1.1"), ("11", "1.1"), ("1.0", "1.0a1"), ("1+1", "1.1")]
        {
            assert!(!same_version(left, right), "{left} {right}");
        }
    }
}
