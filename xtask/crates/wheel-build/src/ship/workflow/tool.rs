//! The job that compiles the tool: its files, its lock file and its machines.

use std::collections::BTreeSet;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use wheel_audit::UserError;

use super::yaml;
use crate::clone::{BUILD_FILES, CRATE, is_clone};
use crate::config::{Config, Platform};
use crate::plan::no_runner;

const WHEELS_LOCK: &str = "wheels.lock";

/// How a repository compiles the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    /// Patterns of the files that determine the program.
    files: Vec<String>,
    /// True if the repository has a lock file for the tool.
    is_locked: bool,
    /// True if it has a lock file for its wheels.
    has_lock: bool,
}

impl Tool {
    /// The tool of the repository `root`, from the manifest in its `xtask/`.
    pub(crate) fn of(root: &Utf8Path) -> Self {
        let manifest = fs_err::read_to_string(root.join("xtask/Cargo.toml")).unwrap_or_default();
        Self::of_manifest(root, &manifest)
    }

    /// The tool of the repository `root`; `manifest` is the text of `xtask/Cargo.toml`.
    pub(crate) fn of_manifest(root: &Utf8Path, manifest: &str) -> Self {
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let mut files = vec![".cargo/**".to_owned()];
        let is_own = manifest.contains_key("workspace");
        if !is_own {
            files.extend(["Cargo.toml", "Cargo.lock"].map(str::to_owned));
        }
        files.push("xtask/**".to_owned());
        if is_clone(root) {
            files.extend(BUILD_FILES.map(str::to_owned));
        }
        files.extend(path_of_tool(&manifest).map(|folder| format!("{folder}/**")));
        let has_lock = root.join(WHEELS_LOCK).is_file();
        Self { files, is_locked: is_own || is_clone(root), has_lock }
    }

    /// Option of `wheels` that enforces the lock file.
    pub(super) fn wheels_locked(&self) -> &'static str {
        if self.has_lock { " --locked" } else { "" }
    }

    /// Files that determine the contents of wheels.
    pub(super) fn wheels_files(&self) -> impl Iterator<Item = &'static str> {
        ["wheels.toml"].into_iter().chain(self.has_lock.then_some(WHEELS_LOCK))
    }

    /// Patterns of the files that determine the program.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Arguments of `hashFiles`.
    pub(super) fn hashed(&self) -> String {
        let quoted = self.files.iter().map(|file| format!("'{}'", file.replace('\'', "''")));
        quoted.collect::<Vec<_>>().join(", ")
    }

    /// Lock file that cargo compiles the tool with.
    pub(super) fn lock(&self) -> &'static str {
        let is_joined = self.files.iter().any(|file| file == "Cargo.lock");
        if is_joined { "Cargo.lock" } else { "xtask/Cargo.lock" }
    }

    /// Option that makes cargo keep the lock file. Without a committed one, cargo writes its own: a workspace that
    /// the tool joins often ignores its lock file.
    pub(super) fn locked(&self) -> &'static str {
        if self.is_locked { " --locked" } else { "" }
    }
}

/// Folder of the repository, outside of `xtask/`, that the manifest's dependency names.
fn path_of_tool(manifest: &toml::Table) -> Option<Utf8PathBuf> {
    let path = manifest.get("dependencies")?.get("wheel-build")?.get("path")?.as_str()?;
    let mut folder = Utf8PathBuf::from("xtask");
    for part in Utf8Path::new(path.strip_suffix(CRATE)?).components() {
        match part {
            Utf8Component::ParentDir if !folder.pop() => return None,
            Utf8Component::ParentDir | Utf8Component::CurDir => {}
            Utf8Component::Normal(name) => folder.push(name),
            _ => return None,
        }
    }
    (!folder.as_str().is_empty() && !folder.starts_with("xtask")).then_some(folder)
}

/// Labels of the machines that run the tool, as items of a YAML list. `runner`: machine of the jobs that build
/// nothing.
///
/// # Errors
/// If a platform has no native machine.
pub(super) fn labels(config: &Config, runner: &str) -> Result<String, UserError> {
    let mut labels = BTreeSet::from([runner.to_owned()]);
    let platforms: BTreeSet<&Platform> =
        config.ci_targets().iter().flat_map(|target| &target.platforms).collect();
    for platform in platforms {
        let runner = config.ci.runner(platform).ok_or_else(|| no_runner(platform))?;
        labels.insert(runner.label);
    }
    Ok(labels.iter().map(|label| yaml(label)).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn of(manifest: &str) -> Tool {
        Tool::of_manifest(Utf8Path::new("/none"), manifest)
    }

    #[test]
    fn the_files_of_the_tool_determine_its_cache_key() {
        let own = of("[workspace]\n[dependencies]\nwheel-build = { git = \"u\", rev = \"r\" }");
        assert_eq!(own.files, [".cargo/**", "xtask/**"]);
        assert_eq!((own.locked(), own.lock()), (" --locked", "xtask/Cargo.lock"));
        let member = of("[dependencies]\nwheel-build = { git = \"u\", rev = \"r\" }");
        assert!(member.files.contains(&"Cargo.lock".to_owned()), "{member:?}");
        assert_eq!((member.locked(), member.lock()), ("", "Cargo.lock"));
        assert_eq!(own.hashed(), "'.cargo/**', 'xtask/**'");
    }

    #[test]
    fn a_tool_in_another_folder_of_the_repository_is_included() {
        let with = |path: &str| {
            let text = format!("[dependencies]\nwheel-build = {{ path = \"{path}\" }}");
            path_of_tool(&text.parse().unwrap()).map(Utf8PathBuf::into_string)
        };
        let tool = |folder: &str| format!("{folder}{CRATE}");
        assert_eq!(with(&tool("../tools/wheels/")).as_deref(), Some("tools/wheels"));
        for elsewhere in ["vendor/", "../../tool/", "../../../tool/", "/tool/", "../"] {
            assert_eq!(with(&tool(elsewhere)), None, "{elsewhere}");
        }
        assert_eq!(with("../other"), None);
    }
}
