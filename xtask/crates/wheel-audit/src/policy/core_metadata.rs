//! The fields of each version of the core metadata (`data/core-metadata.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// A version of the core metadata: `(2, 4)`.
pub(crate) type MetadataVersion = (u32, u32);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    fields: BTreeMap<String, Vec<String>>,
}

/// The versions and their fields.
#[derive(Debug)]
pub(crate) struct CoreFields {
    /// Field names in lower case, by version.
    fields: BTreeMap<MetadataVersion, Vec<String>>,
}

impl CoreFields {
    /// The table compiled into this program.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<CoreFields> = LazyLock::new(|| {
            let fields = load().fields.into_iter().filter_map(|(version, names)| {
                let names = names.into_iter().map(|name| name.to_ascii_lowercase());
                Some((metadata_version(&version)?, names.collect()))
            });
            CoreFields { fields: fields.collect() }
        });
        &BUILTIN
    }

    /// Returns whether this version exists.
    pub(crate) fn has(&self, version: MetadataVersion) -> bool {
        self.fields.contains_key(&version)
    }

    /// The first version with a field (case-insensitive). `None` if no version defines it.
    pub(crate) fn added(&self, field: &str) -> Option<MetadataVersion> {
        let field = field.to_ascii_lowercase();
        let found = self.fields.iter().find(|(_, names)| names.contains(&field));
        found.map(|(version, _)| *version)
    }
}

/// Reads `2.4`.
pub(crate) fn metadata_version(text: &str) -> Option<MetadataVersion> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/core-metadata.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_the_file_is_read() {
        let table = CoreFields::builtin();
        assert_eq!(table.fields.len(), load().fields.len());
        assert!(table.has((2, 4)) && !table.has((2, 9)) && !table.has((3, 0)));
        assert_eq!(table.added("requires-dist"), Some((1, 2)));
        assert_eq!(table.added("License-Expression"), Some((2, 4)));
        assert_eq!(table.added("License-File"), None);
        assert_eq!(metadata_version("2"), None);
    }
}
