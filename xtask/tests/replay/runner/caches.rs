//! `actions/cache`: the caches of a reference, and which other references can read them.

use std::collections::BTreeMap;
use std::process::Command;

use camino::{Utf8DirEntry, Utf8Path, Utf8PathBuf};

use super::actions::Inputs;
use super::event::Event;

/// All caches of the repository: `<scope>/<hash of the paths>/<key>.tar`.
#[derive(Debug)]
pub(crate) struct Caches {
    folder: Utf8PathBuf,
}

/// `text` as one component of a path.
fn part(text: &str) -> String {
    text.replace(['/', '\n', ' '], "_")
}

impl Caches {
    pub(crate) fn new(folder: Utf8PathBuf) -> Self {
        Self { folder }
    }

    /// The scopes that have a cache with `key`.
    pub(crate) fn scopes_of(&self, key: &str) -> Vec<String> {
        let scopes = self.folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
        let has = |scope: &Utf8DirEntry| {
            let versions =
                scope.path().read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
            versions.into_iter().any(|it| it.path().join(format!("{}.tar", part(key))).exists())
        };
        scopes.filter(has).map(|scope| scope.file_name().to_owned()).collect()
    }

    fn place(&self, scope: &str, paths: &str) -> Utf8PathBuf {
        self.folder.join(part(scope)).join(part(paths.trim()))
    }

    /// `actions/cache/restore`; returns its outputs.
    pub(crate) fn restore(
        &self,
        event: &Event,
        workspace: &Utf8Path,
        inputs: &mut Inputs,
    ) -> Result<BTreeMap<String, String>, String> {
        let (key, paths) = required(inputs)?;
        let keys = inputs.take("restore-keys").unwrap_or_default();
        let keys: Vec<_> = keys.lines().filter(|key| !key.trim().is_empty()).collect();
        let is_needed = inputs.flag("fail-on-cache-miss", false)?;
        let is_look_up = inputs.flag("lookup-only", false)?;
        let found = event.cache_scopes().into_iter().find_map(|scope| {
            let folder = self.place(&scope, &paths);
            newest(&folder, &key, true)
                .or_else(|| keys.iter().find_map(|it| newest(&folder, it, false)))
        });
        let mut outputs = BTreeMap::from([("cache-primary-key".to_owned(), key.clone())]);
        let Some((matched, archive)) = found else {
            return if is_needed {
                Err(format!("no cache for the key {key}"))
            } else {
                Ok(outputs)
            };
        };
        outputs.insert("cache-hit".to_owned(), (matched == part(&key)).to_string());
        outputs.insert("cache-matched-key".to_owned(), matched);
        if !is_look_up {
            tar(&["--extract", "--directory", workspace.as_str(), "--file", archive.as_str()])?;
        }
        Ok(outputs)
    }

    /// `actions/cache/save`: into the scope of the run's reference, which contains each key once.
    pub(crate) fn save(
        &self,
        event: &Event,
        workspace: &Utf8Path,
        inputs: &mut Inputs,
    ) -> Result<(), String> {
        let (key, paths) = required(inputs)?;
        let folder = self.place(&event.reference, &paths);
        let archive = folder.join(format!("{}.tar", part(&key)));
        let paths: Vec<_> = paths.lines().map(str::trim).filter(|path| !path.is_empty()).collect();
        // An existing key, or no files, is only a warning.
        if archive.exists() || paths.iter().all(|path| !workspace.join(path).exists()) {
            return Ok(());
        }
        fs_err::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let new = archive.with_extension("new");
        let create = ["--create", "--directory", workspace.as_str(), "--file", new.as_str()];
        tar(&[&create[..], &paths].concat())?;
        fs_err::rename(new, archive).map_err(|error| error.to_string())
    }
}

fn required(inputs: &mut Inputs) -> Result<(String, String), String> {
    let key = inputs.take("key").ok_or("`key` is required")?;
    if key.len() > 512 || key.contains(',') {
        return Err(format!("`{key}` cannot be the key of a cache"));
    }
    Ok((key, inputs.take("path").ok_or("`path` is required")?))
}

/// The newest cache in `folder` whose key equals `key` or begins with it.
fn newest(folder: &Utf8Path, key: &str, exact: bool) -> Option<(String, Utf8PathBuf)> {
    let entries = folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let archives =
        entries.map(Utf8DirEntry::into_path).filter(|path| path.extension() == Some("tar"));
    let fits = |path: &Utf8PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        if exact { stem == part(key) } else { stem.starts_with(&part(key)) }
    };
    let time = |path: &Utf8PathBuf| path.metadata().and_then(|it| it.modified()).ok();
    let path = archives.filter(fits).max_by_key(time)?;
    Some((path.file_stem()?.to_owned(), path))
}

fn tar(args: &[&str]) -> Result<(), String> {
    let output = Command::new("tar").args(args).output().map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("tar: {stderr}")) }
}
