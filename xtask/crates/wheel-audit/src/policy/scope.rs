//! What a process has loaded beside what a file needs itself (`data/scope.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    interpreter_glibc: Vec<String>,
    loader: Vec<String>,
    needed: BTreeMap<String, Vec<String>>,
}

/// The libraries of glibc that every `CPython` has loaded before it imports a module.
pub(crate) fn interpreter_scope() -> &'static [String] {
    &file().interpreter_glibc
}

/// Does glibc's loader export the symbol on some machine?
pub(crate) fn is_loaders(symbol: &str) -> bool {
    file().loader.binary_search_by(|each| each.as_str().cmp(symbol)).is_ok()
}

/// What a library of the system needs itself, without the C library.
pub(crate) fn needed_by(library: &str) -> &'static [String] {
    file().needed.get(library).map(Vec::as_slice).unwrap_or_default()
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn file() -> &'static File {
    static FILE: LazyLock<File> = LazyLock::new(|| {
        toml::from_str(include_str!("data/scope.toml")).expect("data/scope.toml is well-formed")
    });
    &FILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_need_no_circle() {
        assert!(file().loader.is_sorted());
        for (library, needed) in &file().needed {
            assert!(needed.iter().all(|other| !needed_by(other).contains(library)), "{library}");
        }
        assert!(is_loaders("__tls_get_addr") && !is_loaders("malloc"));
    }
}
