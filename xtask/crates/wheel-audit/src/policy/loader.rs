//! The versions that glibc's loader defines (`data/loader-versions.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{Arch, SymbolVersion};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    newest: String,
    versions: BTreeMap<Arch, Vec<String>>,
}

/// Returns whether no system's loader of this architecture defines the version. `false` for versions newer than the known
/// ones.
pub(crate) fn loader_lacks(arch: Arch, version: &SymbolVersion) -> bool {
    static FILE: LazyLock<File> = LazyLock::new(load);
    let of = |text: &String| text.parse::<SymbolVersion>().ok();
    let is_known = of(&FILE.newest).is_some_and(|newest| *version <= newest);
    let has = |all: &Vec<String>| all.iter().filter_map(of).any(|each| each == *version);
    is_known && FILE.versions.get(&arch).is_some_and(|all| !has(all))
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/loader-versions.toml"))
        .expect("data/loader-versions.toml is well-formed")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn a_loader_has_few_versions_on_each_architecture() {
        let lacks = |arch, version: &str| loader_lacks(arch, &version.parse().unwrap());
        let file = load();
        for arch in Arch::all() {
            assert!(!file.versions[&arch].is_empty());
            assert!(!lacks(arch, "2.99") && lacks(arch, "2.7"), "{arch}");
        }
        assert!(!lacks(Arch::X86_64, "2.3") && lacks(Arch::X86_64, "2.17"));
        assert!(!lacks(Arch::Aarch64, "2.17") && lacks(Arch::Aarch64, "2.3"));
        let all = file.versions.values().flatten().chain([&file.newest]);
        assert!(all.into_iter().all(|text| text.parse::<SymbolVersion>().is_ok()));
    }
}
