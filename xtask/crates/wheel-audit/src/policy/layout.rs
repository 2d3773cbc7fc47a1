//! Names of files and folders that indicate packaging faults (`data/layout.toml`).

use std::{collections::BTreeSet, sync::LazyLock};

use serde::Deserialize;

/// Names of files and folders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayoutNames {
    #[serde(rename = "source")]
    _source: String,
    /// Common top-level names of projects, which do not belong in `site-packages`.
    pub common: BTreeSet<String>,
    /// Names that Windows reserves for devices, in lower case.
    pub reserved: BTreeSet<String>,
    /// The modules and packages of Python's standard library since 3.8.
    pub standard: BTreeSet<String>,
    /// Python's keywords, which cannot be module names.
    pub keywords: BTreeSet<String>,
}

impl LayoutNames {
    /// The names compiled into this program.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<LayoutNames> = LazyLock::new(load);
        &BUILTIN
    }
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> LayoutNames {
    toml::from_str(include_str!("data/layout.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read() {
        let names = LayoutNames::builtin();
        assert!(names.common.contains("tests") && !names.common.contains("numpy"));
        assert!(names.keywords.contains("import") && names.keywords.len() == 35);
        assert!(names.standard.contains("json") && !names.standard.contains("numpy"));
        assert!(names.reserved.contains("con") && names.reserved.len() == 30);
    }
}
