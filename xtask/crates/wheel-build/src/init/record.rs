//! Records the files that `init` wrote, so that an upgrade recognises files that the user changed.

use std::collections::BTreeMap;
use wheel_audit::UserError;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use wheel_audit::digest;

/// The path of the record, relative to the repository.
pub(super) const PATH: &str = "xtask/init.json";
const SCHEMA_VERSION: u32 = 1;

/// SHA-256 of each file as `init` wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    schema_version: u32,
    files: BTreeMap<String, String>,
}

impl Default for Record {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, files: BTreeMap::new() }
    }
}

impl Record {
    /// Reads the record of `repository`.
    ///
    /// # Errors
    /// If there is no record, or it is invalid.
    pub(super) fn read(repository: &Utf8Path) -> anyhow::Result<Self> {
        let path = repository.join(PATH);
        anyhow::ensure!(
            path.is_file(),
            UserError::new(format!(
                "`{repository}` does not use this tool yet: it has no `{PATH}`"
            ))
            .hint("run `cargo xtask init PATH` in a clone of the tool")
        );
        let text = fs_err::read(&path)?;
        serde_json::from_slice(&text).map_err(|error| anyhow::anyhow!("`{PATH}`: {error}"))
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn add(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), digest::of_bytes(bytes));
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Returns whether `init` wrote `bytes` to `path`.
    pub(super) fn wrote(&self, path: &str, bytes: &[u8]) -> bool {
        self.files.get(path).is_some_and(|hash| *hash == digest::of_bytes(bytes))
    }

    /// The recorded paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}
