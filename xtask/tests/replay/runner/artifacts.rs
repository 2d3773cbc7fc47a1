//! The artifacts of a run, by the rules of `actions/upload-artifact` and `actions/download-artifact`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::actions::Inputs;

/// The artifacts of one run, of all its attempts.
#[derive(Debug)]
pub(crate) struct Artifacts {
    folder: Utf8PathBuf,
}

/// The content of an upload with this configuration: each file, by its path in the artifact.
type Found = BTreeMap<Utf8PathBuf, Utf8PathBuf>;

impl Artifacts {
    pub(crate) fn new(folder: Utf8PathBuf) -> Self {
        Self { folder }
    }

    /// The names of all artifacts.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = self.folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_owned()).collect();
        names.sort();
        names
    }

    /// The folder of an artifact's files.
    pub(crate) fn folder(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }

    /// Deletes an artifact, like a user.
    pub(crate) fn delete(&self, name: &str) -> std::io::Result<()> {
        fs_err::remove_dir_all(self.folder.join(name))
    }

    /// `actions/upload-artifact`.
    pub(crate) fn upload(&self, workspace: &Utf8Path, inputs: &mut Inputs) -> Result<(), String> {
        let name = inputs.take("name").unwrap_or_else(|| "artifact".to_owned());
        let paths = inputs.take("path").ok_or("`path` is required")?;
        let missing = inputs.take("if-no-files-found").unwrap_or_else(|| "warn".to_owned());
        let overwrite = inputs.flag("overwrite", false)?;
        let hidden = inputs.flag("include-hidden-files", false)?;
        if !inputs.flag("archive", true)? {
            return Err("`archive: false` is not known here".to_owned());
        }
        inputs.drop(&["compression-level", "retention-days"]);
        if name.contains(['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/']) {
            return Err(format!("`{name}` cannot be the name of an artifact"));
        }
        let files = find(workspace, &paths, hidden)?;
        if files.is_empty() {
            return match missing.as_str() {
                "error" => Err(format!("no files were found with the path: {paths}")),
                "warn" | "ignore" => Ok(()),
                other => Err(format!("`if-no-files-found: {other}`")),
            };
        }
        let place = self.folder.join(&name);
        if place.exists() && !overwrite {
            return Err(format!("409 Conflict: an artifact named `{name}` exists in this run"));
        }
        let io = |error: std::io::Error| error.to_string();
        if place.exists() {
            fs_err::remove_dir_all(&place).map_err(io)?;
        }
        for (name, from) in files {
            copy(&from, &place.join(name)).map_err(io)?;
        }
        Ok(())
    }

    /// `actions/download-artifact`, for artifacts of this run.
    pub(crate) fn download(&self, workspace: &Utf8Path, inputs: &mut Inputs) -> Result<(), String> {
        let to = workspace.join(inputs.take("path").unwrap_or_default());
        let name = inputs.take("name");
        let pattern = inputs.take("pattern").unwrap_or_else(|| "*".to_owned());
        let merged = inputs.flag("merge-multiple", false)?;
        let pattern = glob::Pattern::new(&pattern).map_err(|error| error.to_string())?;
        let mut chosen = self.names();
        match &name {
            Some(name) => chosen.retain(|known| known == name),
            None => chosen.retain(|known| pattern.matches(known)),
        }
        if let (Some(name), true) = (&name, chosen.is_empty()) {
            return Err(format!("artifact not found for name: {name}"));
        }
        for artifact in chosen {
            // An artifact chosen by a pattern has its own folder, even if it is the only one.
            let is_flat = name.is_some() || merged;
            let to = if is_flat { to.clone() } else { to.join(&artifact) };
            let from = self.folder.join(&artifact);
            for (name, file) in files(&from, true).map_err(|error| error.to_string())? {
                copy(&file, &to.join(name)).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// Copies only the bytes: the zip archive of an artifact loses modes.
fn copy(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(to, fs_err::read(from)?)?;
    fs_err::set_permissions(to, std::fs::Permissions::from_mode(0o644))
}

/// The files below `folder`, following links, without empty folders.
fn files(folder: &Utf8Path, hidden: bool) -> std::io::Result<Found> {
    let mut found = Found::new();
    let walk = walkdir::WalkDir::new(folder).follow_links(true).into_iter();
    let is_seen = |entry: &walkdir::DirEntry| {
        hidden || entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    };
    for entry in walk.filter_entry(is_seen) {
        let entry = entry?;
        let path = Utf8PathBuf::try_from(entry.into_path())
            .map_err(camino::FromPathBufError::into_io_error)?;
        if path.is_file() {
            found.insert(path.strip_prefix(folder).unwrap_or(&path).to_owned(), path);
        }
    }
    Ok(found)
}

/// The files of `path`, relative to their common folder.
fn find(workspace: &Utf8Path, paths: &str, hidden: bool) -> Result<Found, String> {
    let lines: Vec<_> = paths.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut found = Vec::new();
    // A path is the root of its files; for a file, its folder is.
    let mut root: Option<Utf8PathBuf> = None;
    for line in lines {
        if line.contains(['*', '?', '[', '!', '~']) {
            return Err(format!("the pattern `{line}` is not known here"));
        }
        let path = workspace.join(line.trim_start_matches("./").trim_end_matches('/'));
        let is_file = path.is_file();
        let of = if is_file { path.parent().unwrap_or(&path) } else { &path };
        let common = |root: Utf8PathBuf| {
            root.ancestors().find(|it| of.starts_with(it)).unwrap_or(workspace).to_owned()
        };
        root = Some(root.map_or_else(|| of.to_owned(), common));
        if is_file {
            found.push(path);
        } else if path.is_dir() {
            found.extend(files(&path, hidden).map_err(|e| e.to_string())?.into_values());
        }
    }
    let root = root.ok_or("`path` is empty")?;
    Ok(found.into_iter().map(|it| (it.strip_prefix(&root).unwrap_or(&it).to_owned(), it)).collect())
}
