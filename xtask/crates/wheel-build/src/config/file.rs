//! The configuration file that a command uses.

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};

/// A configuration file at the workspace root: `wheels.toml`, or `wheels-NAME.toml` for another package of the
/// repository. Each file has its own overrides, `dist/` and work folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    package: Option<String>,
}

impl ConfigFile {
    /// The file's name.
    pub(crate) fn name(&self) -> String {
        self.named("wheels", ".toml")
    }

    /// The name of the file that overrides this file on one machine.
    pub(crate) fn local_name(&self) -> String {
        self.named("wheels", ".local.toml")
    }

    /// The name of its lock file.
    pub(crate) fn lock_name(&self) -> String {
        self.named("wheels", ".lock")
    }

    /// The folder of the finished wheels, relative to the workspace root.
    pub(crate) fn dist(&self) -> String {
        self.named("dist", "")
    }

    /// The work folder, relative to the workspace root.
    pub(crate) fn work(&self) -> Utf8PathBuf {
        let base = Utf8Path::new("target/xtask");
        self.package.as_ref().map_or(base.to_owned(), |name| base.join("packages").join(name))
    }

    /// Returns whether it is `wheels.toml`.
    pub(crate) fn is_default(&self) -> bool {
        self.package.is_none()
    }

    fn named(&self, start: &str, end: &str) -> String {
        self.package.as_ref().map_or(format!("{start}{end}"), |name| format!("{start}-{name}{end}"))
    }
}

impl FromStr for ConfigFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stem = text.strip_prefix("./").unwrap_or(text).strip_suffix(".toml");
        let package = match stem {
            Some("wheels") => return Ok(Self::default()),
            Some(stem) => stem.strip_prefix("wheels-").unwrap_or_default(),
            None => "",
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if package.is_empty() || !package.chars().all(is_plain) {
            return Err(
                "expected `wheels.toml` or `wheels-NAME.toml` at the workspace root, with only \
                        letters, digits, `_` and `-` in NAME"
                    .to_owned(),
            );
        }
        Ok(Self { package: Some(package.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_file_has_its_own_folders() {
        let of = |name: &str| name.parse::<ConfigFile>().unwrap();
        assert_eq!(of("./wheels.toml"), ConfigFile::default());
        assert_eq!(ConfigFile::default().local_name(), "wheels.local.toml");
        let core = of("wheels-core.toml");
        assert_eq!((core.name(), core.dist()), ("wheels-core.toml".into(), "dist-core".into()));
        assert_eq!(core.local_name(), "wheels-core.local.toml");
        assert_eq!(core.work(), "target/xtask/packages/core");
    }

    #[test]
    fn other_names_are_rejected() {
        for name in
            ["", "core", "core.toml", "wheels-.toml", "wheels-a.local.toml", "wheels-../a.toml"]
        {
            assert!(name.parse::<ConfigFile>().is_err(), "{name}");
        }
    }
}
