//! The needs of files towards the system, and their floor.

use std::collections::{BTreeMap, BTreeSet};

use super::{Arch, SymbolVersion};

/// The highest needed symbol version per prefix: `{"GLIBC": 2.34, "GLIBCXX": 3.4.29}`.
pub type Floor = BTreeMap<String, SymbolVersion>;

/// The needs of a set of ELF files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Symbol versions: `GLIBC_2.34`, `GLIBC_ABI_DT_RELR`. The caller omits weak needs and needs of the loader.
    pub versions: BTreeSet<String>,
    /// Needed libraries, by the name in `DT_NEEDED`, without bundled ones.
    pub libraries: BTreeSet<String>,
    /// The used symbols of libraries with forbidden symbols, by library.
    pub symbols: BTreeMap<String, BTreeSet<String>>,
}

impl Requirements {
    /// Adds the needs of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.versions.extend(other.versions.iter().cloned());
        self.libraries.extend(other.libraries.iter().cloned());
        for (library, symbols) in &other.symbols {
            self.symbols.entry(library.clone()).or_default().extend(symbols.iter().cloned());
        }
    }

    /// The highest version per prefix. `GLIBC_ABI_DT_RELR` counts as 2.36, its first release. Omits other names
    /// without a number (`CXXABI_TM_1`, `GLIBC_PRIVATE`).
    pub fn floor(&self) -> Floor {
        let mut floor = Floor::new();
        for name in &self.versions {
            let Some((prefix, version)) = rated(name) else {
                continue;
            };
            let highest = floor.entry(prefix.to_owned()).or_insert_with(|| version.clone());
            *highest = version.max(highest.clone());
        }
        floor
    }
}

/// The prefixes that policies cover (auditwheel's policy list).
pub(super) const PREFIXES: [&str; 6] = ["CXXABI", "GCC", "GLIBC", "GLIBCXX", "LIBATOMIC", "ZLIB"];

/// Splits a symbol version at its first underscore, as the policies do: `GLIBC_ABI_DT_RELR` has the prefix
/// `GLIBC`. `None` if no policy covers the prefix.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once('_').filter(|(prefix, _)| PREFIXES.contains(prefix))
}

/// The prefix and number of a symbol version, if it has a number.
pub(super) fn rated(name: &str) -> Option<(&str, SymbolVersion)> {
    let (prefix, rest) = split(name)?;
    // glibc 2.36 is the first release with this version and DT_RELR (its release notes).
    let number = if name == "GLIBC_ABI_DT_RELR" { "2.36" } else { rest };
    Some((prefix, number.parse().ok()?))
}

impl SymbolVersion {
    /// The prefix and number of a symbol version such as `GLIBC_2.34`, as in [`Requirements::floor`]. `None` if the
    /// floor omits it.
    pub(crate) fn of_name(name: &str) -> Option<(&str, Self)> {
        rated(name)
    }
}

/// The names of glibc's loaders (its `shlib-versions` files).
const LOADERS: [&str; 14] = [
    "ld-linux-x86-64.so.2",
    "ld-linux-x32.so.2",
    "ld-linux.so.2",
    "ld-linux-aarch64.so.1",
    "ld-linux-aarch64_be.so.1",
    "ld-linux.so.3",
    "ld-linux-armhf.so.3",
    "ld64.so.1",
    "ld64.so.2",
    "ld.so.1",
    "ld-linux-riscv64-lp64.so.1",
    "ld-linux-riscv64-lp64d.so.1",
    "ld-linux-loongarch-lp64d.so.1",
    "ld-linux-loongarch-lp64s.so.1",
];

/// Returns whether this is the dynamic loader (`ld-linux-x86-64.so.2`, `ld64.so.1`, `ld-musl-x86_64.so.1`), which exists
/// on every system that loads the file.
pub(super) fn is_loader(library: &str) -> bool {
    let musl = library.strip_prefix("ld-musl-").and_then(|rest| rest.strip_suffix(".so.1"));
    let is_word = |arch: &str| arch.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    LOADERS.contains(&library) || musl.is_some_and(is_word)
}

/// The soname of musl's C library on an architecture.
pub(crate) fn musl_libc(arch: Arch) -> String {
    format!("libc.musl-{}.so.1", arch.musl_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loaders_are_loaders() {
        for name in ["ld-linux-x86-64.so.2", "ld64.so.2", "ld-musl-x86_64.so.1"] {
            assert!(is_loader(name), "{name}");
        }
        for name in
            ["ld-linux-evil.so", "ld-linux-x86-64.so.3", "ld-musl-../evil.so.1", "libc.so.6"]
        {
            assert!(!is_loader(name), "{name}");
        }
    }
}
