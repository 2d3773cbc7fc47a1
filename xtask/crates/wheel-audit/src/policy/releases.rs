//! The releases of the C libraries (`data/libc-releases.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

use super::{LibcVersion, PlatformTag};

/// The status of a tag's C library version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LibcRelease {
    /// It is a known release.
    Known,
    /// It is newer than the newest known release, and may exist.
    Newer,
    /// It does not exist, and will not exist for years.
    Never,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    glibc: Range,
    musl: Range,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    oldest: LibcVersion,
    newest: LibcVersion,
    plausible: LibcVersion,
}

impl Range {
    fn status(&self, version: LibcVersion) -> LibcRelease {
        if version < self.oldest || version > self.plausible {
            LibcRelease::Never
        } else if version > self.newest {
            LibcRelease::Newer
        } else {
            LibcRelease::Known
        }
    }
}

/// The status of the C library version of `tag`. `None` for a tag without a version.
pub(crate) fn libc_release(tag: PlatformTag) -> Option<LibcRelease> {
    static FILE: LazyLock<File> = LazyLock::new(load);
    let glibc = tag.glibc().map(|version| FILE.glibc.status(version));
    glibc.or_else(|| tag.musl().map(|version| FILE.musl.status(version)))
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/libc-releases.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonexistent_and_new_versions_are_distinguished() {
        let status = |tag: &str| tag.parse().ok().and_then(libc_release);
        for tag in ["manylinux1_x86_64", "manylinux_2_43_aarch64", "musllinux_1_1_x86_64"] {
            assert_eq!(status(tag), Some(LibcRelease::Known), "{tag}");
        }
        assert_eq!(status("manylinux_2_45_x86_64"), Some(LibcRelease::Newer));
        for tag in [
            "manylinux_2_4_x86_64",
            "manylinux_2_99_x86_64",
            "manylinux_9_9_x86_64",
            "musllinux_2_0_x86_64",
            "musllinux_1_0_x86_64",
        ] {
            assert_eq!(status(tag), Some(LibcRelease::Never), "{tag}");
        }
        assert_eq!(status("linux_x86_64"), None);
    }
}
