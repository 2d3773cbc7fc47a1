//! The change of one target's folder after a merge: its wheels, and metadata about all of them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::merge::{Conflict, Folder, Source, State};
use crate::pipeline::BuildInfo;
use crate::store::Change;
use wheel_audit::audit::Audit;
use wheel_audit::digest;
use wheel_audit::dist::{Entry, documents_of};
use wheel_audit::files;
use wheel_audit::report;
use wheel_audit::text::shown;

const AUDIT: &str = "audit.json";
pub(super) const INFO: &str = "build-info.json";
const INFO_TEXT: &str = "build-info.txt";
const ENVIRONMENTS: &str = "build all interpreters of a target in the same image and from the same \
                            source: pin the image's digest in wheels.toml";

/// Audits of this run, by the path of their wheel below `dist/`.
pub(super) type Audits = BTreeMap<String, Audit>;

/// The change for the folder `name`. `own` is the index of this machine's source, `fresh` the audits of new wheels.
/// With `replace`, a conflicting environment report of the own source is ignored.
///
/// # Errors
/// If metadata cannot be read or is contradictory.
pub(super) fn change(
    name: &str,
    folder: &Folder,
    sources: &[Source<'_>],
    own: usize,
    replace: bool,
    fresh: &Audits,
) -> Result<Change, Vec<Conflict>> {
    let replaced = replace.then_some(own);
    let read = |file: &str| -> Result<Vec<(usize, Vec<u8>)>, Vec<Conflict>> {
        let all = folder.metadata.get(file).map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|(source, entry)| Ok((*source, bytes(sources, *source, entry)?))).collect()
    };
    let info = read(INFO)?;
    let mut metadata = Vec::new();
    match info.as_slice() {
        // A single report is copied unchanged. Its text form is regenerated, so that both agree.
        [(_, only)] => {
            let info = BuildInfo::parse(only).map_err(|wrong| {
                vec![Conflict::new(&format!("{name}/{INFO}"), wrong, ENVIRONMENTS)]
            })?;
            metadata.push((INFO.to_owned(), only.clone()));
            metadata.push((INFO_TEXT.to_owned(), info.text().into_bytes()));
        }
        several => {
            let joined = joined_info(name, several, replaced)?;
            let json = report::json_text(&joined).unwrap_or_default() + "\n";
            metadata.push((INFO.to_owned(), json.into_bytes()));
            metadata.push((INFO_TEXT.to_owned(), joined.text().into_bytes()));
        }
    }
    let audits = read(AUDIT)?;
    let own: Vec<&[u8]> =
        audits.iter().filter(|(source, _)| *source == own).map(|(_, own)| own.as_slice()).collect();
    metadata.push((AUDIT.to_owned(), joined_audits(name, folder, &own, fresh)?));
    let new = || folder.wheels.iter().filter(|(_, wheel)| wheel.state != State::Same);
    // Documents come from the same machine as the wheel: another machine may build the same bytes from other
    // materials.
    for (file, wheel) in new() {
        for document in documents_of(file) {
            let of_it = folder.metadata.get(&document).into_iter().flatten();
            for (source, entry) in of_it.filter(|(source, _)| *source == wheel.source) {
                metadata.push((document.clone(), bytes(sources, *source, entry)?));
            }
        }
    }
    let audited = new().map(|(file, wheel)| (file.clone(), wheel.entry.sha256.clone())).collect();
    let place = |source: usize| sources.get(source).map(|source| source.folder.to_owned());
    let files: Vec<(Utf8PathBuf, _)> = new()
        .filter_map(|(_, wheel)| {
            Some((place(wheel.source)?.join(&wheel.entry.path), wheel.entry.kind.clone()))
        })
        .collect();
    Ok(Change { files, metadata, audited, replaced: folder.replaced.iter().cloned().collect() })
}

fn bytes(sources: &[Source<'_>], source: usize, entry: &Entry) -> Result<Vec<u8>, Vec<Conflict>> {
    let root = sources.get(source).map(|source| source.folder.to_owned()).unwrap_or_default();
    let wrong = |message: String| vec![Conflict::new(&entry.path, message, "download it again")];
    let bytes = files::list(&root, &entry.path);
    let bytes = bytes.unwrap_or_else(|| Err("it is missing".to_owned())).map_err(wrong)?;
    if digest::of_bytes(&bytes) != entry.sha256 {
        return Err(wrong("it changed during the check".to_owned()));
    }
    Ok(bytes)
}

/// Merges the reports of several machines about one environment.
fn joined_info(
    name: &str,
    all: &[(usize, Vec<u8>)],
    replaced: Option<usize>,
) -> Result<BuildInfo, Vec<Conflict>> {
    let path = format!("{name}/{INFO}");
    let conflict = |message| vec![Conflict::new(&path, message, ENVIRONMENTS)];
    let mut joined: Option<(usize, BuildInfo)> = None;
    for (source, bytes) in all {
        let info = BuildInfo::parse(bytes).map_err(conflict)?;
        let other = joined.as_ref().and_then(|(_, earlier)| info.other_environment(earlier));
        let counts = joined.as_ref().is_some_and(|(earlier, _)| Some(*earlier) != replaced);
        if let Some((what, this, earlier)) = other.filter(|_| counts) {
            let (earlier, this) = (shown(&earlier), shown(&this));
            let message = format!("builds with different {what}s: {earlier} and {this}");
            return Err(conflict(message));
        }
        let earlier = joined.as_ref().map(|(_, earlier)| earlier);
        joined = Some((*source, info.joined(earlier)));
    }
    joined.map(|(_, info)| info).ok_or_else(|| conflict("no collected folder has it".to_owned()))
}

/// The audits of the folder's wheels: those of this run, and this machine's earlier ones for kept wheels. Audits of
/// other machines are ignored.
fn joined_audits(
    name: &str,
    folder: &Folder,
    own: &[&[u8]],
    fresh: &Audits,
) -> Result<Vec<u8>, Vec<Conflict>> {
    let wrong = |error: serde_json::Error| {
        vec![Conflict::new(&format!("{name}/{AUDIT}"), error.to_string(), "build its wheels again")]
    };
    let mut wheels: BTreeMap<String, Value> = BTreeMap::new();
    let hash = |file: &str| {
        let stays = folder.wheels.get(file).map(|wheel| &wheel.entry);
        stays.or_else(|| folder.kept.get(file)).map(|entry| entry.sha256.as_str())
    };
    for bytes in own {
        let value: Value = serde_json::from_slice(bytes).map_err(wrong)?;
        for wheel in value["wheels"].as_array().into_iter().flatten() {
            let file = wheel["file"].as_str().unwrap_or_default();
            if hash(file).is_some_and(|hash| wheel["sha256"].as_str() == Some(hash)) {
                wheels.insert(file.to_owned(), wheel.clone());
            }
        }
    }
    for (file, wheel) in &folder.wheels {
        if let Some(audit) = fresh.get(&wheel.entry.path) {
            wheels.insert(file.clone(), serde_json::to_value(audit).map_err(wrong)?);
        }
    }
    let all: Vec<_> = wheels.into_values().collect();
    let value = json!({ "schema_version": 1, "wheels": all });
    Ok((report::json_text(&value).unwrap_or_default() + "\n").into_bytes())
}
