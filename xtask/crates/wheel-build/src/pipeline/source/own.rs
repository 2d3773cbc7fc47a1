//! The tool's own files in a workspace, which are not part of any package.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use wheel_audit::dist::MANIFEST;

use super::facts::Status;
use super::python::text_of;
use crate::assets;
use crate::clone::is_clone;
use crate::config::ConfigFile;

/// The generated workflow.
const WORKFLOW: &str = ".github/workflows/wheels-docker.yml";
/// Output of the tool and cargo in a `target/` that cargo did not make.
const TARGET_OUTPUT: [&str; 2] = ["target/xtask", "target/.rustc_info.json"];
/// Folders of cargo builds there; they contain a folder `.fingerprint`.
const CARGO_OUTPUT: [&str; 2] = ["target/debug", "target/release"];
/// Files beside the manifest of the tool's own cargo workspace.
const CARGO_FILES: [&str; 4] = ["Cargo.toml", "Cargo.lock", "clippy.toml", "rustfmt.toml"];

/// The tool's own files.
#[derive(Debug, Default)]
pub(super) struct ToolFiles {
    /// Path of the packed folder in the workspace.
    prefix: PathBuf,
    /// Files and folders of the tool, relative to the workspace root.
    files: BTreeSet<PathBuf>,
    /// Files and folders that the tool or cargo wrote, if git does not track them.
    output: BTreeSet<PathBuf>,
}

impl ToolFiles {
    /// The tool's files in the workspace `root`; `tree` is the packed folder.
    ///
    /// # Errors
    /// If the folders cannot be read.
    pub(super) fn of(root: &Utf8Path, tree: &Utf8Path) -> io::Result<Self> {
        let (root, tree) = (&root.canonicalize_utf8()?, tree.canonicalize_utf8()?);
        let text = |name: &str| text_of(root, Path::new(name)).unwrap_or_default();
        let table = |name: &str| text(name).parse::<toml::Table>().unwrap_or_default();
        let mut files: BTreeSet<String> =
            ["wheels.toml", "wheels.local.toml", "wheels.lock", WORKFLOW].map(str::to_owned).into();
        let mut output: BTreeSet<String> = BTreeSet::new();
        // Another crate with that name belongs to the package.
        if is_clone(root) || text("xtask/Cargo.toml").contains("wheel-build") {
            files.insert("xtask".to_owned());
        }
        if is_alias(&table(".cargo/config.toml")) {
            files.insert(".cargo/config.toml".to_owned());
        }
        if is_clone(root) {
            files.extend(assets::names().map(str::to_owned));
            if is_workspace(&table("Cargo.toml")) {
                files.extend(CARGO_FILES.map(str::to_owned));
            }
        }
        for entry in fs_err::read_dir(root)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let file = name.parse::<ConfigFile>();
            if let Ok(file) = file
                && table(name).contains_key("source")
                && table(name).contains_key("build")
            {
                files.extend([file.name(), file.local_name(), file.lock_name()]);
            }
            if is_manifest(&text(&format!("{name}/{MANIFEST}"))) {
                output.insert(name.to_owned());
            }
        }
        output.extend(TARGET_OUTPUT.map(str::to_owned));
        let cargo = CARGO_OUTPUT.iter().filter(|it| root.join(it).join(".fingerprint").is_dir());
        output.extend(cargo.map(|folder| (*folder).to_owned()));
        if root.join("target/CACHEDIR.TAG").is_file() {
            output.insert("target".to_owned());
        }
        let paths = |names: BTreeSet<String>| names.into_iter().map(PathBuf::from).collect();
        let prefix = tree.strip_prefix(root).unwrap_or(Utf8Path::new("")).to_owned();
        Ok(Self { prefix: prefix.into(), files: paths(files), output: paths(output) })
    }

    /// Returns whether a file of the packed folder is the tool's.
    pub(super) fn has(&self, path: &Path, status: Status) -> bool {
        let path = self.prefix.join(path);
        let is_tracked = matches!(status, Status::Tracked | Status::Changed);
        path.ancestors()
            .any(|path| self.files.contains(path) || (!is_tracked && self.output.contains(path)))
    }
}

/// Returns whether a cargo manifest has only the tool's crates as members.
fn is_workspace(manifest: &toml::Table) -> bool {
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members"));
    let members = members.and_then(toml::Value::as_array);
    let is_own = |member: &toml::Value| {
        member.as_str().is_some_and(|member| Utf8Path::new(member).starts_with("xtask"))
    };
    !manifest.contains_key("package") && members.is_some_and(|members| members.iter().all(is_own))
}

/// Returns whether a cargo configuration contains only the alias of the tool.
fn is_alias(config: &toml::Table) -> bool {
    let alias = config.get("alias").and_then(toml::Value::as_table);
    config.len() == 1 && alias.is_some_and(|alias| alias.len() == 1 && alias.contains_key("xtask"))
}

/// Returns whether `text` is a manifest of finished wheels.
fn is_manifest(text: &str) -> bool {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let files = value.get("files").and_then(serde_json::Value::as_array);
    let is_own = |file: &serde_json::Value| {
        ["path", "sha256", "size", "kind"].iter().all(|key| file.get(key).is_some())
    };
    value.get("schema_version").is_some()
        && files.is_some_and(|files| !files.is_empty() && files.iter().all(is_own))
}
