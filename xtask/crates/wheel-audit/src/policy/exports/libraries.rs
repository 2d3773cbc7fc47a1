//! The tables of libraries, and for which machines each one holds (`data/exports/libraries.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::policy::Arch;

/// A system library with a table of its exports.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Library {
    /// The name of its table, which is its name in `DT_NEEDED` unless `sonames` says otherwise.
    name: String,
    /// Other names, where machines differ.
    #[serde(default)]
    sonames: Vec<String>,
    /// The first symbol version on each machine that the table is for; empty where there are none.
    base: BTreeMap<Arch, String>,
    #[serde(skip)]
    table: &'static str,
}

impl Library {
    pub(super) fn is(&self, soname: &str) -> bool {
        self.name == soname || self.sonames.iter().any(|each| each == soname)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn base(&self, arch: Arch) -> Option<&str> {
        self.base.get(&arch).map(String::as_str)
    }

    /// Its lines, `SYMBOL SINCE[..UNTIL] [ARCH=SINCE[..UNTIL]]...`, sorted.
    pub(super) fn table(&self) -> &'static str {
        self.table
    }
}

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        /// The tables by name.
        const TABLES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../data/exports/", $name, ".txt")))),*];
    };
}

tables!(
    "libanl.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libmvec.so.1",
    "libnsl.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    library: Vec<Library>,
}

/// Every library with a table.
#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
pub(super) fn libraries() -> &'static [Library] {
    static LIBRARIES: LazyLock<Vec<Library>> = LazyLock::new(|| {
        let file: File = toml::from_str(include_str!("../data/exports/libraries.toml"))
            .expect("data/exports/libraries.toml is well-formed");
        let with_table = |library: Library| {
            let table = TABLES.iter().find(|each| each.0 == library.name);
            let (_, table) = table.expect("each library has a table");
            Library { table, ..library }
        };
        file.library.into_iter().map(with_table).collect()
    });
    &LIBRARIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_library() {
        assert_eq!(libraries().len(), TABLES.len());
    }

    #[test]
    fn tables_are_sorted_and_small() {
        for library in libraries() {
            let words = library.table.lines().map(|line| line.split(' ').next());
            let words: Vec<_> = words.collect();
            assert!(words.is_sorted_by(|one, two| one < two), "{}", library.name);
        }
        let size: usize = TABLES.iter().map(|each| each.1.len()).sum();
        assert!(size < 1 << 20, "{size}");
    }
}
