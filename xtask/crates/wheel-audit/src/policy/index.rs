//! The upload rules of the Python index (`data/index.toml`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::Deserialize;

use super::{Arch, PlatformTag};

/// The rules of the index about names and numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    #[serde(rename = "source")]
    _source: String,
    /// Default maximum size of an uploaded file, in bytes.
    pub max_file_size: u64,
    metadata_versions: BTreeSet<String>,
    arches: BTreeMap<String, BTreeSet<Arch>>,
}

impl Index {
    /// The rules compiled into this program.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Index> = LazyLock::new(load);
        &BUILTIN
    }

    /// Returns whether it accepts wheels with this platform tag.
    pub(crate) fn accepts(&self, tag: PlatformTag) -> bool {
        let Some(arch) = tag.arch() else { return true };
        // `manylinux_2_17_x86_64` is of the kind `manylinux`, `manylinux1_x86_64` of a separate kind.
        let text = tag.to_string();
        let sort = text.split('_').next().unwrap_or_default();
        self.arches.get(sort).is_some_and(|arches| arches.contains(&arch))
    }

    /// Returns whether it accepts metadata of this version (`2.4`).
    pub(crate) fn accepts_metadata(&self, version: &str) -> bool {
        self.metadata_versions.contains(version)
    }
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> Index {
    toml::from_str(include_str!("data/index.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_13_the_index_rejects_plain_linux_tags() {
        let accepts = |tag: &str| tag.parse().is_ok_and(|tag| Index::builtin().accepts(tag));
        for tag in [
            "any",
            "manylinux1_i686",
            "manylinux2014_s390x",
            "manylinux_2_31_riscv64",
            "manylinux_2_17_ppc64",
            "musllinux_1_2_aarch64",
            "linux_armv7l",
        ] {
            assert!(accepts(tag), "{tag}");
        }
        for tag in [
            "linux_x86_64",
            "linux_aarch64",
            "manylinux1_aarch64",
            "manylinux2014_riscv64",
            "musllinux_1_2_ppc64",
            "manylinux_2_38_loongarch64",
        ] {
            assert!(!accepts(tag), "{tag}");
        }
        assert!(
            Index::builtin().accepts_metadata("2.4") && !Index::builtin().accepts_metadata("2.0")
        );
    }
}
