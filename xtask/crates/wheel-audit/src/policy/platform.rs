//! Platform tags of Linux wheels: PEP 425 (`linux`), PEP 513, 571, 599 (the aliases), PEP 600
//! (`manylinux_X_Y`), PEP 656 (`musllinux_X_Y`).

use std::{fmt, str::FromStr};

use serde::Serialize;
use thiserror::Error;

use super::{Arch, LibcVersion, version::integer};

/// A platform tag, which names the systems of a wheel.
///
/// The text form and the serialised form are the tag itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub enum PlatformTag {
    /// `any`: every system, for wheels without machine code.
    Any,
    /// `linux_ARCH`: installs on every Linux system of the architecture, without any promise.
    Linux(Arch),
    /// `manylinux_X_Y_ARCH`: every mainstream system with glibc X.Y or later (PEP 600).
    Manylinux(LibcVersion, Arch),
    /// An older name of a manylinux tag, such as `manylinux2014_ARCH`.
    ManylinuxAlias(ManylinuxAlias, Arch),
    /// `musllinux_X_Y_ARCH`: systems with musl X.Y or later (PEP 656).
    Musllinux(LibcVersion, Arch),
}

/// The three manylinux tags from before PEP 600.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManylinuxAlias {
    /// `manylinux1`, glibc 2.5 (PEP 513).
    One,
    /// `manylinux2010`, glibc 2.12 (PEP 571).
    Y2010,
    /// `manylinux2014`, glibc 2.17 (PEP 599).
    Y2014,
}

impl ManylinuxAlias {
    const ALL: [(Self, &'static str, LibcVersion); 3] = [
        (Self::One, "manylinux1", LibcVersion::new(2, 5)),
        (Self::Y2010, "manylinux2010", LibcVersion::new(2, 12)),
        (Self::Y2014, "manylinux2014", LibcVersion::new(2, 17)),
    ];
}

/// The reason why a text is not a platform tag for Linux.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a platform tag of a Linux wheel")]
pub struct PlatformTagError(String);

impl PlatformTag {
    /// The architecture. `None` for `any`.
    pub fn arch(&self) -> Option<Arch> {
        match *self {
            Self::Any => None,
            Self::Linux(arch)
            | Self::Manylinux(_, arch)
            | Self::ManylinuxAlias(_, arch)
            | Self::Musllinux(_, arch) => Some(arch),
        }
    }

    /// The glibc of a manylinux tag.
    pub fn glibc(&self) -> Option<LibcVersion> {
        match *self {
            Self::Manylinux(version, _) => Some(version),
            Self::ManylinuxAlias(alias, _) => ManylinuxAlias::ALL
                .iter()
                .find_map(|&(each, _, version)| (each == alias).then_some(version)),
            Self::Any | Self::Linux(_) | Self::Musllinux(..) => None,
        }
    }

    /// The musl of a musllinux tag.
    pub fn musl(&self) -> Option<LibcVersion> {
        if let Self::Musllinux(version, _) = *self { Some(version) } else { None }
    }
}

impl fmt::Display for PlatformTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Linux(arch) => write!(f, "linux_{arch}"),
            Self::Manylinux(version, arch) => {
                write!(f, "manylinux_{}_{}_{arch}", version.major, version.minor)
            }
            Self::ManylinuxAlias(alias, arch) => {
                let name = ManylinuxAlias::ALL.iter().find(|each| each.0 == *alias);
                write!(f, "{}_{arch}", name.map_or("", |each| each.1))
            }
            Self::Musllinux(version, arch) => {
                write!(f, "musllinux_{}_{}_{arch}", version.major, version.minor)
            }
        }
    }
}

impl FromStr for PlatformTag {
    type Err = PlatformTagError;

    fn from_str(text: &str) -> Result<Self, PlatformTagError> {
        let tag = if text == "any" {
            Some(Self::Any)
        } else if let Some(arch) = text.strip_prefix("linux_") {
            arch.parse().ok().map(Self::Linux)
        } else if let Some(rest) = text.strip_prefix("manylinux_") {
            versioned(rest).map(|(version, arch)| Self::Manylinux(version, arch))
        } else if let Some(rest) = text.strip_prefix("musllinux_") {
            versioned(rest).map(|(version, arch)| Self::Musllinux(version, arch))
        } else {
            ManylinuxAlias::ALL.iter().find_map(|&(alias, name, _)| {
                let arch = text.strip_prefix(name)?.strip_prefix('_')?;
                arch.parse().ok().map(|arch| Self::ManylinuxAlias(alias, arch))
            })
        };
        tag.ok_or_else(|| PlatformTagError(text.to_owned()))
    }
}

impl From<PlatformTag> for String {
    fn from(tag: PlatformTag) -> Self {
        tag.to_string()
    }
}

/// Parses `2_36_x86_64`.
fn versioned(text: &str) -> Option<(LibcVersion, Arch)> {
    let mut parts = text.splitn(3, '_');
    let version = LibcVersion::new(integer(parts.next()?)?, integer(parts.next()?)?);
    Some((version, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(
            prefix in "(linux|manylinux1|manylinux2010|manylinux2014|manylinux_[1-9][0-9]?_[1-9][0-9]?|musllinux_1_[0-9])",
            arch in prop::sample::select(Arch::all().collect::<Vec<_>>()),
        ) {
            let text = format!("{prefix}_{arch}");
            let tag: PlatformTag = text.parse().map_err(|e| TestCaseError::fail(format!("{e}")))?;
            prop_assert_eq!(tag.to_string(), text);
            prop_assert_eq!(tag.arch(), Some(arch));
        }

        #[test]
        fn any_text_is_rejected_or_kept(text in "[a-z0-9_.]{0,40}") {
            if let Ok(tag) = text.parse::<PlatformTag>() {
                prop_assert_eq!(tag.to_string(), text);
            }
        }
    }

    #[test]
    fn aliases_have_the_glibc_of_their_pep() {
        let glibc = |tag: &str| tag.parse::<PlatformTag>().ok().and_then(|tag| tag.glibc());
        assert_eq!(glibc("manylinux1_x86_64"), Some(LibcVersion::new(2, 5)));
        assert_eq!(glibc("manylinux2010_i686"), Some(LibcVersion::new(2, 12)));
        assert_eq!(glibc("manylinux2014_aarch64"), Some(LibcVersion::new(2, 17)));
        assert_eq!(glibc("manylinux_2_9_x86_64"), Some(LibcVersion::new(2, 9)));
        assert_eq!(glibc("linux_x86_64"), None);
    }

    #[test]
    fn foreign_and_malformed_tags_are_rejected() {
        for tag in [
            "",
            "win_amd64",
            "macosx_11_0_arm64",
            "manylinux_x86_64",
            "manylinux_2_x86_64",
            "linux_",
            "manylinux_2_017_x86_64",
        ] {
            assert!(tag.parse::<PlatformTag>().is_err(), "{tag}");
        }
    }
}
