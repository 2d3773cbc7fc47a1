//! The C library, libstdc++ and architectures of each distribution (`data/distributions.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{Arch, LibcVersion, PlatformTag, SymbolVersion};

/// One release of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The distribution's name: `Debian`.
    pub name: String,
    /// Its release: `12`.
    pub version: String,
    /// Its C library.
    pub libc: Libc,
    /// The newest `GLIBCXX_` version of its libstdc++, if known.
    pub glibcxx: Option<SymbolVersion>,
    /// The newest `CXXABI_` version of its libstdc++, if known.
    pub cxxabi: Option<SymbolVersion>,
    /// The known versions of libraries without symbol versions, by soname.
    pub libraries: BTreeMap<String, SymbolVersion>,
    /// For an entry that covers several releases: the first release with each version of musl.
    pub musl_since: BTreeMap<SymbolVersion, String>,
    /// The supported architectures.
    pub machines: Vec<Arch>,
    /// The instruction set level of its own packages (`x86-64-v2`), which every supported machine has. `None`: the
    /// architecture's baseline.
    pub isa: Option<String>,
    /// The page size by architecture, if it is larger than 4 KiB, in bytes.
    pub pages: BTreeMap<Arch, u64>,
}

/// A C library with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Libc {
    /// GNU libc.
    Glibc(LibcVersion),
    /// musl.
    Musl(LibcVersion),
}

impl Distribution {
    /// Returns whether its glibc is at least `glibc`. Its libstdc++ is a separate limit.
    pub fn has_glibc(&self, glibc: LibcVersion) -> bool {
        matches!(self.libc, Libc::Glibc(own) if own >= glibc)
    }

    /// The page size of its default kernel, in bytes.
    pub fn page_size(&self, arch: Arch) -> u64 {
        self.pages.get(&arch).copied().unwrap_or(4096)
    }
}

impl std::fmt::Display for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Libc {
    /// The platform tag for this C library (PEP 600, PEP 656).
    pub fn platform_tag(self, arch: Arch) -> PlatformTag {
        match self {
            Self::Glibc(version) => PlatformTag::Manylinux(version, arch),
            Self::Musl(version) => PlatformTag::Musllinux(version, arch),
        }
    }
}

impl std::fmt::Display for Libc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Glibc(version) => write!(f, "glibc {version}"),
            Self::Musl(version) => write!(f, "musl {version}"),
        }
    }
}

/// Every known release, grouped by distribution, oldest first.
pub fn distributions() -> &'static [Distribution] {
    static TABLE: LazyLock<Vec<Distribution>> = LazyLock::new(load);
    &TABLE
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    distribution: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    name: String,
    machines: Vec<Arch>,
    #[serde(default)]
    pages: BTreeMap<Arch, u64>,
    releases: Vec<Release>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    version: String,
    glibc: Option<LibcVersion>,
    musl: Option<LibcVersion>,
    glibcxx: Option<SymbolVersion>,
    cxxabi: Option<SymbolVersion>,
    #[serde(default)]
    libraries: BTreeMap<String, SymbolVersion>,
    #[serde(default)]
    musl_since: BTreeMap<SymbolVersion, String>,
    machines: Option<Vec<Arch>>,
    isa: Option<String>,
    #[serde(default)]
    pages: BTreeMap<Arch, u64>,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> Vec<Distribution> {
    let file: File = toml::from_str(include_str!("data/distributions.toml"))
        .expect("data/distributions.toml is well-formed");
    let release = |family: &Family, release: Release| {
        let glibc = release.glibc.map(Libc::Glibc);
        let libc = glibc.or(release.musl.map(Libc::Musl)).expect("each release has a C library");
        Distribution {
            name: family.name.clone(),
            version: release.version,
            libc,
            glibcxx: release.glibcxx,
            cxxabi: release.cxxabi,
            libraries: release.libraries,
            musl_since: release.musl_since,
            machines: release.machines.unwrap_or_else(|| family.machines.clone()),
            isa: release.isa,
            pages: family
                .pages
                .iter()
                .map(|(&arch, &size)| (arch, size))
                .chain(release.pages)
                .collect(),
        }
    };
    let families = file.distribution.into_iter();
    families
        .flat_map(|mut family| {
            let releases = std::mem::take(&mut family.releases).into_iter();
            releases.map(|each| release(&family, each)).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_on(glibc: LibcVersion, name: &str, version: &str) -> bool {
        let mut table = distributions().iter();
        table.any(|each| each.name == name && each.version == version && each.has_glibc(glibc))
    }

    #[test]
    fn defect_18_floor_2_36_does_not_run_on_ubuntu_22_04() {
        let floor = LibcVersion::new(2, 36);
        assert!(!runs_on(floor, "Ubuntu", "22.04"));
        assert!(runs_on(floor, "Ubuntu", "24.04"));
        assert!(runs_on(floor, "Debian", "12"));
        assert!(!runs_on(floor, "Enterprise Linux", "9"));
        assert!(!runs_on(floor, "Alpine", "3.13 and later"));
    }
}
