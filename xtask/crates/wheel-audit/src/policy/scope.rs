//! The needs of system libraries (`data/scope.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    needed: BTreeMap<String, Vec<String>>,
}

/// The libraries that a system library needs, without the C library.
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
    fn needs_have_no_cycles() {
        for (library, needed) in &file().needed {
            assert!(needed.iter().all(|other| !needed_by(other).contains(library)), "{library}");
        }
    }
}
