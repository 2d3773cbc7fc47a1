//! Compares and updates the files of an adopting repository. Files that the user changed stay unchanged.

use std::collections::BTreeMap;
use std::io;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use toml_edit::DocumentMut;
use wheel_audit::files::{Place, place};

use super::member;
use super::record::{self, Record};
use super::tool::{self, Tool};
use super::{MANIFEST, current};

/// The state of a file, compared with what this version of the tool writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// The same.
    Current,
    /// As an older version wrote it.
    Stale,
    /// Missing.
    Missing,
    /// Changed by the user; the tool's text did not change.
    Yours,
    /// Changed by the user, and the tool's text changed as well.
    Conflict,
    /// Written by an older version; this version has no such file.
    Gone,
}

/// A file that the tool keeps up to date.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Found {
    /// Relative to the repository.
    pub(crate) path: String,
    /// Its state.
    pub(crate) state: State,
    #[serde(skip)]
    new: Option<Vec<u8>>,
}

/// Compares the files of `repository` with what this version writes. With `write`, updates those that the user did not
/// change, and writes the new text of conflicts to `FILE.new`. `tool` replaces the tool's source; `clone` is a clone.
///
/// # Errors
/// If the repository does not use the tool, or a file cannot be read or written.
pub(crate) fn upgrade(
    repository: &Utf8Path,
    clone: &Utf8Path,
    tool: Option<&Tool>,
    write: bool,
) -> anyhow::Result<Vec<Found>> {
    let mut record = Record::read(repository)?;
    let mut wanted = current(repository)?;
    let vendored = |path: &str| Utf8Path::new(path).starts_with(tool::VENDOR);
    match tool {
        Some(Tool::Vendor) => {
            let own = tool::vendored(clone, &format!("init --upgrade {repository}"))?.into_iter();
            wanted.extend(own.map(|(path, bytes)| {
                (Utf8Path::new(tool::VENDOR).join(path).into_string(), bytes)
            }));
        }
        // The copy matches the running program. Only `--tool` replaces it.
        None => {
            for path in record.paths().filter(|path| vendored(path)) {
                if let Ok(bytes) = fs_err::read(repository.join(path)) {
                    wanted.insert(path.to_owned(), bytes);
                }
            }
        }
        Some(_) => {}
    }
    let found = states(repository, &record, wanted)?;
    if write {
        for file in &found {
            apply(repository, file, &mut record)?;
        }
        if let Some(tool) = tool {
            depend_on(repository, tool)?;
        }
        fs_err::write(repository.join(record::PATH), record.text())?;
    }
    Ok(found)
}

/// Makes `tool` the dependency in `xtask/Cargo.toml`.
fn depend_on(repository: &Utf8Path, tool: &Tool) -> anyhow::Result<()> {
    let edit = |name: &str, new: &dyn Fn(&str) -> anyhow::Result<String>| {
        let path = repository.join(name);
        let text = fs_err::read_to_string(&path)?;
        let new = new(&text).with_context(|| format!("`{path}`"))?;
        if new != text {
            fs_err::write(&path, &new)?;
        }
        anyhow::Ok(new)
    };
    let dependency = tool.dependency(repository)?;
    let manifest = edit(MANIFEST, &|text| Ok(tool::with_dependency(text, &dependency)?))?;
    let is_member = !manifest.parse::<DocumentMut>()?.contains_key("workspace");
    if *tool == Tool::Vendor && is_member {
        edit("Cargo.toml", &|text| Ok(member::join(text, true)?.0))?;
    }
    Ok(())
}

fn states(
    repository: &Utf8Path,
    record: &Record,
    wanted: BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in record.paths().filter(|path| !wanted.contains_key(*path)) {
        if let Ok(bytes) = fs_err::read(repository.join(path)) {
            let state = if record.wrote(path, &bytes) { State::Gone } else { State::Yours };
            found.push(Found { path: path.to_owned(), state, new: None });
        }
    }
    for (path, new) in wanted {
        let state = match fs_err::read(repository.join(&path)) {
            Ok(bytes) if bytes == new => State::Current,
            Ok(bytes) if record.wrote(&path, &bytes) => State::Stale,
            Ok(_) if record.wrote(&path, &new) => State::Yours,
            Ok(_) => State::Conflict,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::Missing,
            Err(error) => return Err(error.into()),
        };
        found.push(Found { path, state, new: Some(new) });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn apply(repository: &Utf8Path, file: &Found, record: &mut Record) -> io::Result<()> {
    let path: Utf8PathBuf = repository.join(&file.path);
    let is_kept = matches!(file.state, State::Current | State::Yours);
    if !is_kept && let Place::Unsafe(why) = place(repository, &file.path) {
        return Err(io::Error::other(format!("`{}`: {why}", file.path)));
    }
    match (file.state, &file.new) {
        (State::Stale | State::Missing, Some(new)) => {
            fs_err::create_dir_all(path.parent().unwrap_or(repository))?;
            fs_err::write(&path, new)?;
            record.add(&file.path, new);
        }
        (State::Current, Some(new)) => record.add(&file.path, new),
        (State::Conflict, Some(new)) => fs_err::write(format!("{path}.new"), new)?,
        (State::Gone, _) => {
            fs_err::remove_file(&path)?;
            record.remove(&file.path);
        }
        _ => {}
    }
    Ok(())
}
