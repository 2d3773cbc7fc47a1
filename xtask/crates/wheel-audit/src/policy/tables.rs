//! The manylinux and musllinux policies (`data/manylinux.toml`, `data/musllinux.toml`), with rules for gaps.
//!
//! Rules for cases that PEP 600 and the policies do not define:
//! - A glibc between two policies (2.29) has the limits of the lower policy, plus the `GLIBC_` numbers up to its
//!   own.
//! - A glibc above the last policy (2.43) does the same with the last policy. Newer versions of libstdc++ and
//!   libgcc are not allowed, because no source defines them for all such systems.
//! - musl has no symbol versions. A file with a `GLIBC_` version was linked with glibc. No musllinux tag allows it,
//!   because musl may lack its functions (`__snprintf_chk`).
//! - No tag allows a `GLIBC_` name without a number that no policy lists (`GLIBC_PRIVATE`, `GLIBC_ABI_GNU2_TLS`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use serde::Deserialize;

use super::{
    Arch, LibcVersion, PlatformTag, Requirements, SymbolVersion,
    requirements::{is_loader, musl_libc, rated, split},
};

/// Every policy.
#[derive(Debug)]
pub struct Policies {
    manylinux: Table,
    musllinux: Table,
    /// A cache: every file of a wheel looks up the same few tags.
    known: Mutex<BTreeMap<PlatformTag, Option<Arc<Limits>>>>,
}

/// Maximum number of cached tags. Fewer tags are in use.
const MAX_KNOWN: usize = 1 << 9;

/// The limits of one tag on one architecture.
#[derive(Debug, Clone)]
pub struct Limits {
    tag: PlatformTag,
    libraries: BTreeSet<String>,
    built_in: Vec<String>,
    libgcc: Vec<String>,
    versions: BTreeSet<String>,
    forbidden: BTreeMap<String, BTreeSet<String>>,
    /// Additionally allowed `GLIBC_` numbers: above the first, up to the second. Empty for a glibc with its own policy.
    between: (SymbolVersion, SymbolVersion),
    /// Every version that the newest policy allows, to separate too new versions from unknown ones.
    known: BTreeSet<String>,
}

/// The verdict of a tag on a symbol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionVerdict {
    /// Every system of the tag has it.
    Allowed,
    /// Newer than the tag promises, or a glibc version for a tag that promises musl.
    TooNew,
    /// In no policy, so no system guarantees it: `GLIBC_PRIVATE`, an unknown `GLIBC_ABI_...`.
    Unknown,
    /// A prefix that no policy covers (`OPENSSL_1_1_0`). Only the library decides.
    Unrated,
}

impl Policies {
    /// The policies compiled into this program.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Policies> = LazyLock::new(|| Policies {
            manylinux: Table::load(include_str!("data/manylinux.toml")),
            musllinux: Table::load(include_str!("data/musllinux.toml")),
            known: Mutex::default(),
        });
        &BUILTIN
    }

    /// The newest glibc with its own manylinux policy.
    pub(crate) fn newest_glibc(&self) -> LibcVersion {
        self.manylinux.policies.last().map_or(LibcVersion::new(0, 0), |policy| policy.libc)
    }

    /// The limits of `tag`. `None` if it promises nothing (`any`, `linux_ARCH`), or if no policy covers its version
    /// and architecture (`manylinux1_aarch64`).
    pub fn limits(&self, tag: PlatformTag) -> Option<Arc<Limits>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limits) = known.get(&tag) {
            return limits.clone();
        }
        let limits = match (tag.glibc(), tag.musl()) {
            (Some(glibc), _) => self.manylinux.limits(tag, glibc),
            (_, Some(musl)) => self.musllinux.limits(tag, musl),
            (None, None) => None,
        };
        let limits = limits.map(Arc::new);
        if known.len() < MAX_KNOWN {
            known.insert(tag, limits.clone());
        }
        limits
    }

    /// The lowest `manylinux_X_Y` tag that the requirements allow, which most systems accept. `None` if there is none.
    pub(crate) fn lowest_manylinux(&self, arch: Arch, needs: &Requirements) -> Option<PlatformTag> {
        let beyond = needs.floor().get("GLIBC").and_then(|floor| floor.to_string().parse().ok());
        let beyond = beyond.filter(|floor: &LibcVersion| *floor > self.newest_glibc());
        let versions = self.manylinux.policies.iter().map(|policy| policy.libc).chain(beyond);
        versions
            .map(|version| PlatformTag::Manylinux(version, arch))
            .find(|&tag| self.limits(tag).is_some_and(|limits| limits.allow(needs)))
    }

    /// The musllinux tag that the requirements allow. Files do not record the version of musl, so this is the newest
    /// policy's tag or none, as in auditwheel.
    pub fn musllinux(&self, arch: Arch, needs: &Requirements) -> Option<PlatformTag> {
        let newest = self.musllinux.policies.last()?.libc;
        let tag = PlatformTag::Musllinux(newest, arch);
        self.limits(tag).filter(|limits| limits.allow(needs)).map(|_| tag)
    }

    /// Returns whether any policy forbids symbols of this library.
    pub(crate) fn has_bans(&self, library: &str) -> bool {
        let mut bans = self.manylinux.forbidden.iter().chain(&self.musllinux.forbidden);
        bans.any(|ban| ban.library == library)
    }

    /// Returns whether any policy forbids this symbol of this library.
    pub fn forbids(&self, library: &str, symbol: &str) -> bool {
        let bans = self.manylinux.forbidden.iter().chain(&self.musllinux.forbidden);
        bans.filter(|ban| ban.library == library).any(|ban| ban.symbols.contains(symbol))
    }

    /// Returns whether this is the dynamic loader, whose versions do not count (`ld-linux*`, `ld64.so.*`, `ld-musl*`).
    pub(crate) fn is_loader(library: &str) -> bool {
        is_loader(library)
    }
}

impl Limits {
    /// The tag of these limits.
    pub fn tag(&self) -> PlatformTag {
        self.tag
    }

    /// Returns whether a file may need the symbol version `name` (`GLIBC_2.34`).
    pub fn version(&self, name: &str) -> VersionVerdict {
        let Some((prefix, _)) = split(name) else {
            return VersionVerdict::Unrated;
        };
        // musl has no symbol versions, so its policies do not rate them.
        if self.tag.musl().is_some() {
            let is_glibc = prefix == "GLIBC" && !self.libgcc.iter().any(|each| each == name);
            return if is_glibc { VersionVerdict::TooNew } else { VersionVerdict::Unrated };
        }
        let (beyond_policy, beyond_tag) = match rated(name) {
            Some(("GLIBC", number)) => (number > self.between.0, number > self.between.1),
            other => (false, other.is_some()),
        };
        if self.versions.contains(name) || (beyond_policy && !beyond_tag) {
            VersionVerdict::Allowed
        } else if self.known.contains(name) || beyond_tag {
            VersionVerdict::TooNew
        } else {
            VersionVerdict::Unknown
        }
    }

    /// Returns whether every system of the tag has the library `name` (a `DT_NEEDED` entry).
    pub fn library(&self, name: &str) -> bool {
        let is_built_in = || {
            let stem = name.strip_prefix("lib").and_then(|rest| rest.split_once('.'));
            stem.is_some_and(|(stem, _)| self.built_in.iter().any(|each| each == stem))
        };
        is_loader(name) || self.libraries.contains(name) || is_built_in()
    }

    /// Returns whether some systems of the tag do not export `symbol` of `library`.
    pub fn forbids(&self, library: &str, symbol: &str) -> bool {
        self.forbidden.get(library).is_some_and(|symbols| symbols.contains(symbol))
    }

    /// Returns whether all `needs` are allowed.
    pub fn allow(&self, needs: &Requirements) -> bool {
        use VersionVerdict::{Allowed, Unrated};
        let symbols = |(library, symbols): (&String, &BTreeSet<String>)| {
            !symbols.iter().any(|symbol| self.forbids(library, symbol))
        };
        needs.versions.iter().all(|name| matches!(self.version(name), Allowed | Unrated))
            && needs.libraries.iter().all(|name| self.library(name))
            && needs.symbols.iter().all(symbols)
    }
}

/// A data file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "source")]
    _source: String,
    /// Libraries that are part of the loader: the part of the name between `lib` and the first dot.
    #[serde(default)]
    built_in: Vec<String>,
    /// Versions that look like glibc's but are not.
    #[serde(default)]
    libgcc: Vec<String>,
    #[serde(rename = "policy")]
    policies: Vec<Policy>,
    #[serde(default)]
    forbidden: Vec<Ban>,
}

/// The additions of a policy to the previous one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(alias = "glibc", alias = "musl")]
    libc: LibcVersion,
    #[serde(rename = "alias")]
    _alias: Option<String>,
    #[serde(default)]
    libraries: Vec<String>,
    #[serde(default)]
    arches: Vec<Arch>,
    #[serde(default)]
    versions: BTreeMap<Arch, BTreeMap<String, Vec<String>>>,
}

/// Forbidden symbols, up to a policy that allows them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    library: String,
    until: Option<LibcVersion>,
    symbols: BTreeSet<String>,
}

impl Table {
    #[expect(
        clippy::expect_used,
        reason = "the files are compiled in, and tests read each of them"
    )]
    fn load(text: &str) -> Self {
        let mut table: Self = toml::from_str(text).expect("the policy file is well-formed");
        table.policies.sort_by_key(|policy| policy.libc);
        table
    }

    fn limits(&self, tag: PlatformTag, libc: LibcVersion) -> Option<Limits> {
        let arch = tag.arch()?;
        let newest = self.policies.iter().map(|policy| policy.libc).rfind(|&each| each <= libc)?;
        let mut limits = Limits {
            tag,
            libraries: BTreeSet::new(),
            built_in: self.built_in.clone(),
            libgcc: self.libgcc.clone(),
            versions: BTreeSet::new(),
            forbidden: BTreeMap::new(),
            between: (newest.into(), libc.into()),
            known: BTreeSet::new(),
        };
        let mut known_arch = false;
        for policy in &self.policies {
            let names = policy.versions.get(&arch).into_iter().flatten();
            let names = names
                .flat_map(|(prefix, all)| all.iter().map(move |each| format!("{prefix}_{each}")));
            limits.known.extend(names.clone());
            if policy.libc <= libc {
                known_arch |= policy.arches.contains(&arch);
                limits.versions.extend(names);
                let names = policy.libraries.iter().flat_map(|name| sonames(name, arch, tag));
                limits.libraries.extend(names);
            }
        }
        for ban in &self.forbidden {
            if ban.until.is_none_or(|until| libc < until) {
                limits
                    .forbidden
                    .entry(ban.library.clone())
                    .or_default()
                    .extend(ban.symbols.clone());
            }
        }
        known_arch.then_some(limits)
    }
}

/// The names of a library on an architecture. musl's C library is `libc.so` in the policies and from cross
/// compilers, and `libc.musl-x86_64.so.1` on Alpine. musl's loader treats both as itself (`ldso/dynlink.c`,
/// `load_library`).
fn sonames(name: &str, arch: Arch, tag: PlatformTag) -> impl Iterator<Item = String> {
    let is_musl_libc = name == "libc.so" && tag.musl().is_some();
    [name.to_owned()].into_iter().chain(is_musl_libc.then(|| musl_libc(arch)))
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
