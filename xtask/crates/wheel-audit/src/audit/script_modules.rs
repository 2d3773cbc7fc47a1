//! Reads the Python modules of scripts and their parent packages.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use super::library;
use crate::wheel::{MemberError, Piece, PythonSource, SharedFile, WheelArchive, entry_points};

/// Maximum number of modules that are read for a wheel.
const MAX_MODULES: usize = 64;
/// Maximum size of a module that is read, in bytes.
const MAX_SOURCE: usize = 1 << 20;

/// Facts from the source of a module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ScriptModule {
    /// The objects of scripts that the module certainly does not define.
    pub(super) lacks: BTreeSet<String>,
    /// The package loads modules only from its own folder.
    pub(super) is_plain: bool,
}

/// Reads the modules of a wheel's scripts and their packages. `texts` are the small files of its `.dist-info`
/// folders. Skips extension modules, modules with several files, and damaged or very large files.
pub(super) fn find(
    archive: &WheelArchive<SharedFile>,
    texts: &BTreeMap<String, Vec<u8>>,
) -> std::io::Result<BTreeMap<String, ScriptModule>> {
    let wanted = wanted(texts);
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    for (index, entry) in archive.entries().iter().enumerate() {
        if let Some(name) = library::module(&entry.name).filter(|name| wanted.contains_key(name)) {
            members.entry(name).or_default().push(index);
        }
    }
    let mut own = archive.share();
    let mut modules = BTreeMap::new();
    for (name, indices) in members.into_iter().take(MAX_MODULES) {
        let [index] = *indices.as_slice() else { continue };
        let Some(text) = source(&mut own, index)? else { continue };
        let source = PythonSource(&text);
        let objects = wanted.get(&name).into_iter().flatten();
        let lacks = objects.filter(|object| source.lacks(object)).cloned().collect();
        modules.insert(name, ScriptModule { lacks, is_plain: !source.changes_imports() });
    }
    Ok(modules)
}

/// The modules of scripts with their objects, and their parent packages.
fn wanted(texts: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let texts = texts.iter().filter(|(path, _)| path.ends_with("/entry_points.txt"));
    for point in texts.filter_map(|(_, text)| entry_points(text).ok()).flatten() {
        let Some((module, Some(object))) = point.reference().filter(|_| point.is_script()) else {
            continue;
        };
        let first = object.split('.').next().unwrap_or(object);
        wanted.entry(module.to_owned()).or_default().insert(first.to_owned());
        for (at, _) in module.match_indices('.') {
            wanted.entry(module.get(..at).unwrap_or_default().to_owned()).or_default();
        }
    }
    wanted
}

fn source(
    archive: &mut WheelArchive<SharedFile>,
    index: usize,
) -> std::io::Result<Option<Vec<u8>>> {
    let is_python = |name: &str| name.strip_suffix(".py").is_some();
    let entry = archive.entries().get(index);
    if entry.is_none_or(|entry| !is_python(&entry.name) || entry.size > MAX_SOURCE as u64) {
        return Ok(None);
    }
    let mut text = Vec::new();
    let result = archive.stream_until(index, &mut |piece: Piece<'_>| {
        text.extend_from_slice(&piece);
        if text.len() > MAX_SOURCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match result {
        Ok(()) => Ok(Some(text).filter(|text| text.len() <= MAX_SOURCE)),
        Err(MemberError::Io(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
