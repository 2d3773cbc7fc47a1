//! Compatibility tags (PEP 425), and compressed sets of them in file names.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::Serialize;

use super::{Interpreter, NameError};

/// A compatibility tag: `cp311-cp311-manylinux_2_36_x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Tag {
    /// Interpreter and version: `cp311`, `py3`.
    pub python: String,
    /// ABI: `cp311`, `cp314t`, `abi3`, `abi3t`, `none`.
    pub abi: String,
    /// Platform: `manylinux_2_36_x86_64`, `any`.
    pub platform: String,
}

impl Tag {
    /// Returns whether it is for a stable ABI (PEP 384, PEP 803).
    pub fn is_stable(&self) -> bool {
        self.abi == "abi3" || self.abi == "abi3t"
    }

    /// The oldest interpreter that installs a wheel with this tag. `None` for tags such as `py3-none`.
    pub fn lowest_interpreter(&self) -> Option<Interpreter> {
        let free_threaded = format!("{}t", self.python);
        let named = [&self.abi, &self.python, &free_threaded];
        let mut named = named.into_iter().filter_map(|text| text.parse().ok());
        named.find(|interpreter: &Interpreter| interpreter.accepts(self))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.to_string()
    }
}

/// A compressed set of tags, as in a file name: `py2.py3-none-any`. Keeps the order for the text form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSet {
    /// The Python tags.
    pub pythons: Vec<String>,
    /// The ABI tags.
    pub abis: Vec<String>,
    /// The platform tags.
    pub platforms: Vec<String>,
}

impl TagSet {
    /// Every combination, as in the `Tag:` lines of `WHEEL`.
    pub fn expand(&self) -> BTreeSet<Tag> {
        let mut tags = BTreeSet::new();
        for python in &self.pythons {
            for abi in &self.abis {
                for platform in &self.platforms {
                    let (python, abi, platform) = (python.clone(), abi.clone(), platform.clone());
                    tags.insert(Tag { python, abi, platform });
                }
            }
        }
        tags
    }
}

impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pythons, abis, platforms) =
            (self.pythons.join("."), self.abis.join("."), self.platforms.join("."));
        write!(f, "{pythons}-{abis}-{platforms}")
    }
}

impl FromStr for TagSet {
    type Err = NameError;

    /// Parses `cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split('-').collect();
        let &[python, abi, platform] = parts.as_slice() else {
            return Err(NameError::Tags(text.to_owned()));
        };
        Ok(Self { pythons: set(python)?, abis: set(abi)?, platforms: set(platform)? })
    }
}

/// Parses one compressed set: `manylinux_2_17_x86_64.manylinux2014_x86_64`.
pub(super) fn set(text: &str) -> Result<Vec<String>, NameError> {
    let valid = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // A limit, because the sizes of the three sets multiply. Real sets are small.
    if text.split('.').count() > 16 || !text.split('.').all(valid) {
        return Err(NameError::Tags(text.to_owned()));
    }
    Ok(text.split('.').map(str::to_owned).collect())
}
