//! The tables of exports of libraries and interpreters (`data/exports/libraries.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::policy::{Arch, SymbolVersion};

/// A system library with a table of its exports.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Library {
    /// The name of its table, and its name in `DT_NEEDED` unless there are `sonames`.
    name: String,
    /// Its names in `DT_NEEDED`, if there are several.
    #[serde(default)]
    sonames: Vec<String>,
    /// The first symbol version on each architecture of the table. Empty without symbol versions.
    base: BTreeMap<Arch, String>,
    #[serde(skip)]
    table: &'static str,
}

impl Library {
    pub(super) fn is(&self, soname: &str) -> bool {
        match self.sonames.as_slice() {
            [] => self.name == soname,
            names => names.iter().any(|each| each == soname),
        }
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

/// An implementation of Python with a table of its API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InterpreterTable {
    /// The name of its table.
    pub(super) name: String,
    /// The covered versions, by build: `gil`, `t` (free-threaded), `pypy`.
    pub(super) versions: BTreeMap<String, Vec<SymbolVersion>>,
    /// The libraries of glibc that every executable needs, since glibc 2.34 and before.
    #[serde(default)]
    pub(super) scope: Vec<String>,
    #[serde(default)]
    pub(super) old_scope: Vec<String>,
    #[serde(skip)]
    pub(super) table: &'static str,
}

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        /// The tables by name.
        const TABLES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../data/exports/", $name, ".txt")))),*];
    };
}

tables!(
    "cpython",
    "ld.so",
    "libGL.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libanl.so.1",
    "libatomic.so.1",
    "libc.so",
    "libc.so.6",
    "libdl.so.2",
    "libexpat.so.1",
    "libgcc_s.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libm.so.6",
    "libmvec.so.1",
    "libnsl.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
    "pypy",
);

/// All tables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tables {
    #[serde(rename = "library")]
    pub(super) libraries: Vec<Library>,
    #[serde(rename = "interpreter")]
    pub(super) interpreters: Vec<InterpreterTable>,
}

/// The tables, compiled in.
#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
pub(super) fn tables() -> &'static Tables {
    static READ: LazyLock<Tables> = LazyLock::new(|| {
        let mut read: Tables = toml::from_str(include_str!("../data/exports/libraries.toml"))
            .expect("data/exports/libraries.toml is well-formed");
        let table = |name: &str| {
            let found = TABLES.iter().find(|each| each.0 == name);
            found.expect("each row has a table").1
        };
        for library in &mut read.libraries {
            library.table = table(&library.name);
        }
        for interpreter in &mut read.interpreters {
            interpreter.table = table(&interpreter.name);
        }
        read
    });
    &READ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_row() {
        assert_eq!(tables().libraries.len() + tables().interpreters.len(), TABLES.len());
    }

    #[test]
    fn tables_are_sorted_and_small() {
        for (name, table) in TABLES {
            let words: Vec<_> = table.lines().map(|line| line.split(' ').next()).collect();
            assert!(words.is_sorted_by(|one, two| one < two), "{name}");
        }
        let size: usize = TABLES.iter().map(|each| each.1.len()).sum();
        assert!(size < 1 << 20, "{size}");
    }
}
