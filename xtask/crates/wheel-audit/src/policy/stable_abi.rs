//! The symbols of `CPython`'s stable ABI (`data/stable-abi.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// The functions and data of `abi3` (PEP 384), each with its first version.
#[derive(Debug)]
pub(crate) struct StableAbi {
    added: BTreeMap<String, (u8, u8)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    added: BTreeMap<String, Vec<String>>,
}

impl StableAbi {
    /// The table compiled into this program.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<StableAbi> = LazyLock::new(|| {
            let added = load().added.into_iter().filter_map(|(version, symbols)| {
                let (major, minor) = version.split_once('.')?;
                let version = (major.parse().ok()?, minor.parse().ok()?);
                Some(symbols.into_iter().map(move |symbol| (symbol, version)))
            });
            StableAbi { added: added.flatten().collect() }
        });
        &BUILTIN
    }

    /// The first Python version whose stable ABI contains `symbol`. `None` if none does.
    pub(crate) fn added(&self, symbol: &str) -> Option<(u8, u8)> {
        self.added.get(symbol).copied()
    }
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/stable-abi.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_the_documented_version() {
        let abi = StableAbi::builtin();
        for (symbol, version) in [
            ("PyLong_FromLong", Some((3, 2))),
            ("PyModuleDef_Init", Some((3, 5))),
            ("PyType_GetModule", Some((3, 10))),
            ("PyObject_GetBuffer", Some((3, 11))),
            ("PyObject_Vectorcall", Some((3, 12))),
            ("_Py_Dealloc", Some((3, 2))),
            ("_Py_NoneStruct", Some((3, 2))),
            ("PyExc_ValueError", Some((3, 2))),
            ("PyUnicode_AsUTF8", None),
            ("_PyObject_GC_New", Some((3, 2))),
            ("_PyDict_GetItem_KnownHash", None),
        ] {
            assert_eq!(abi.added(symbol), version, "{symbol}");
        }
    }

    #[test]
    fn every_symbol_occurs_once_with_a_version() {
        let file = load();
        let count: usize = file.added.values().map(Vec::len).sum();
        assert_eq!(StableAbi::builtin().added.len(), count);
        assert!(count > 900);
        assert!(
            StableAbi::builtin()
                .added
                .keys()
                .all(|name| name.trim_start_matches('_').starts_with("Py"))
        );
    }
}
