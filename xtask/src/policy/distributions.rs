//! Which distribution carries which C library (`data/distributions.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

use super::{GlibcVersion, SymbolVersion};

/// One release of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The distribution's name: `Debian`.
    pub name: String,
    /// Its release: `12`.
    pub version: String,
    /// Its C library.
    pub libc: Libc,
    /// The newest `GLIBCXX_` version of its libstdc++, where known.
    pub glibcxx: Option<SymbolVersion>,
}

/// A C library with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Libc {
    /// GNU libc.
    Glibc(GlibcVersion),
    /// musl.
    Musl(GlibcVersion),
}

impl Distribution {
    /// Does its glibc fulfil a promise of `glibc`? Its libstdc++ is a limit of its own.
    pub fn has_glibc(&self, glibc: GlibcVersion) -> bool {
        matches!(self.libc, Libc::Glibc(own) if own >= glibc)
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
    releases: Vec<Release>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    version: String,
    glibc: Option<GlibcVersion>,
    musl: Option<GlibcVersion>,
    glibcxx: Option<SymbolVersion>,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> Vec<Distribution> {
    let file: File = toml::from_str(include_str!("data/distributions.toml"))
        .expect("data/distributions.toml is well-formed");
    let release = |name: &str, release: Release| {
        let glibc = release.glibc.map(Libc::Glibc);
        let libc = glibc.or(release.musl.map(Libc::Musl)).expect("each release has a C library");
        Distribution {
            name: name.to_owned(),
            version: release.version,
            libc,
            glibcxx: release.glibcxx,
        }
    };
    let families = file.distribution.into_iter();
    families
        .flat_map(|family| {
            let releases = family.releases.into_iter();
            releases.map(|each| release(&family.name, each)).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_on(glibc: GlibcVersion, name: &str, version: &str) -> bool {
        let mut table = distributions().iter();
        table.any(|each| each.name == name && each.version == version && each.has_glibc(glibc))
    }

    #[test]
    fn defect_18_floor_2_36_does_not_run_on_ubuntu_22_04() {
        let floor = GlibcVersion::new(2, 36);
        assert!(!runs_on(floor, "Ubuntu", "22.04"));
        assert!(runs_on(floor, "Ubuntu", "24.04"));
        assert!(runs_on(floor, "Debian", "12"));
        assert!(!runs_on(floor, "Enterprise Linux", "9"));
        assert!(!runs_on(floor, "Alpine", "3.13 and later"));
    }
}
