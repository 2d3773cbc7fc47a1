//! The platform tags that installers accept (`data/installer.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{Arch, Libc, LibcVersion, PlatformTag};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    oldest: LibcVersion,
    machines: BTreeMap<Arch, LibcVersion>,
}

/// Returns whether an installer accepts a wheel with this tag on a system with this C library.
///
/// Tags with another major version of the C library are not accepted.
pub fn installs(tag: PlatformTag, libc: Libc, arch: Arch) -> bool {
    static FILE: LazyLock<File> = LazyLock::new(load);
    if tag.arch().is_some_and(|own| own != arch) {
        return false;
    }
    match (tag, libc) {
        (PlatformTag::Any | PlatformTag::Linux(_), _) => true,
        (_, Libc::Glibc(own)) => {
            let oldest = FILE.machines.get(&arch).copied().unwrap_or(FILE.oldest);
            let is_taken = |required: LibcVersion| {
                required.major == own.major && (oldest..=own).contains(&required)
            };
            tag.glibc().is_some_and(is_taken)
        }
        (_, Libc::Musl(own)) => {
            tag.musl().is_some_and(|required| required.major == own.major && required <= own)
        }
    }
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/installer.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_accepted_by_c_library_and_architecture() {
        let glibc = Libc::Glibc(LibcVersion::new(2, 36));
        let musl = Libc::Musl(LibcVersion::new(1, 2));
        let taken = |tag: &str, libc, arch| tag.parse().is_ok_and(|tag| installs(tag, libc, arch));
        for tag in ["any", "linux_x86_64", "manylinux1_x86_64", "manylinux_2_36_x86_64"] {
            assert!(taken(tag, glibc, Arch::X86_64), "{tag}");
        }
        for tag in [
            "manylinux_2_37_x86_64",
            "manylinux_2_4_x86_64",
            "manylinux_3_0_x86_64",
            "manylinux_2_17_aarch64",
            "musllinux_1_1_x86_64",
        ] {
            assert!(!taken(tag, glibc, Arch::X86_64), "{tag}");
        }
        assert!(!taken("manylinux_2_5_aarch64", glibc, Arch::Aarch64), "too old for the machine");
        for tag in ["any", "linux_x86_64", "musllinux_1_1_x86_64", "musllinux_1_2_x86_64"] {
            assert!(taken(tag, musl, Arch::X86_64), "{tag}");
        }
        for tag in ["musllinux_1_3_x86_64", "musllinux_0_9_x86_64", "manylinux_2_17_x86_64"] {
            assert!(!taken(tag, musl, Arch::X86_64), "{tag}");
        }
    }
}
