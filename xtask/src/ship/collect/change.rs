//! The change that makes one target's folder what the merge says: its wheels, and metadata that speaks
//! of all of them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::merge::{Clash, Folder, Side, State};
use crate::pipeline::BuildInfo;
use crate::report;
use crate::store::{Change, Entry};

const AUDIT: &str = "audit.json";
const INFO: &str = "build-info.json";
/// What the store or this module writes anew.
const WRITTEN: [&str; 4] = [AUDIT, INFO, "build-info.txt", "SHA256SUMS"];
const ENVIRONMENTS: &str = "build all interpreters of a target in the same image and from the same \
                            source: pin the image's digest in wheels.toml";

/// The change for `folder`, whose name is `name`. What `gives_way` says of an environment counts for
/// nothing where another of `sides` says something else.
///
/// # Errors
/// Metadata that cannot be read, or that contradicts itself.
pub(super) fn change(
    name: &str,
    folder: &Folder,
    sides: &[Side<'_>],
    gives_way: Option<usize>,
) -> Result<Change, Vec<Clash>> {
    let read = |file: &str| -> Result<Vec<(usize, Vec<u8>)>, Vec<Clash>> {
        let all = folder.metadata.get(file).map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|(side, entry)| Ok((*side, bytes(sides, *side, entry)?))).collect()
    };
    let (info, audits) = (read(INFO)?, read(AUDIT)?);
    let mut metadata = Vec::new();
    match info.as_slice() {
        // One machine's report stays as it is, to the byte.
        [(_, only)] => {
            metadata.push((INFO.to_owned(), only.clone()));
            let text = read("build-info.txt")?;
            metadata.extend(text.into_iter().map(|(_, text)| ("build-info.txt".to_owned(), text)));
        }
        several => {
            let joined = joined_info(name, several, gives_way)?;
            let json = report::json_text(&joined).unwrap_or_default() + "\n";
            metadata.push((INFO.to_owned(), json.into_bytes()));
            metadata.push(("build-info.txt".to_owned(), joined.text().into_bytes()));
        }
    }
    let audit = match audits.as_slice() {
        [(_, only)] => only.clone(),
        several => joined_audits(name, folder, several)?,
    };
    metadata.push((AUDIT.to_owned(), audit));
    for (file, entries) in folder.metadata.iter().filter(|(f, _)| !WRITTEN.contains(&f.as_str())) {
        metadata.push((file.clone(), other(name, file, entries, sides)?));
    }
    let new = folder.wheels.values().filter(|wheel| wheel.state != State::Same);
    let place = |side: usize| sides.get(side).map(|side| side.folder.to_owned());
    let files: Vec<(Utf8PathBuf, _)> = new
        .filter_map(|wheel| {
            Some((place(wheel.side)?.join(&wheel.entry.path), wheel.entry.kind.clone()))
        })
        .collect();
    Ok(Change { files, metadata, replaced: folder.replaced.clone() })
}

fn bytes(sides: &[Side<'_>], side: usize, entry: &Entry) -> Result<Vec<u8>, Vec<Clash>> {
    let root = sides.get(side).map(|side| side.folder.to_owned()).unwrap_or_default();
    fs_err::read(root.join(&entry.path))
        .map_err(|error| vec![Clash::new(&entry.path, error.to_string(), "bring it again")])
}

/// The reports of several machines about one environment.
fn joined_info(
    name: &str,
    all: &[(usize, Vec<u8>)],
    gives_way: Option<usize>,
) -> Result<BuildInfo, Vec<Clash>> {
    let path = format!("{name}/{INFO}");
    let clash = |message| vec![Clash::new(&path, message, ENVIRONMENTS)];
    let mut joined: Option<(usize, BuildInfo)> = None;
    for (side, bytes) in all {
        let info = BuildInfo::parse(bytes).map_err(clash)?;
        let other = joined.as_ref().and_then(|(_, earlier)| info.other_environment(earlier));
        let counts = joined.as_ref().is_some_and(|(earlier, _)| Some(*earlier) != gives_way);
        if let Some((what, this, earlier)) = other.filter(|_| counts) {
            let message = format!("builds with different {what}s: {earlier} and {this}");
            return Err(clash(message));
        }
        let earlier = joined.as_ref().map(|(_, earlier)| earlier);
        joined = Some((*side, info.joined(earlier)));
    }
    joined
        .map(|(_, info)| info)
        .ok_or_else(|| clash("it is in no folder that was brought".to_owned()))
}

/// The audits of the folder's wheels, whoever made them.
fn joined_audits(
    name: &str,
    folder: &Folder,
    all: &[(usize, Vec<u8>)],
) -> Result<Vec<u8>, Vec<Clash>> {
    let mut wheels: BTreeMap<String, Value> = BTreeMap::new();
    let hash = |file: &str| {
        let brought = folder.wheels.get(file).map(|wheel| &wheel.entry);
        brought.or_else(|| folder.kept.get(file)).map(|entry| entry.sha256.as_str())
    };
    for (_, bytes) in all {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            vec![Clash::new(&format!("{name}/{AUDIT}"), error.to_string(), "bring it again")]
        })?;
        for wheel in value["wheels"].as_array().into_iter().flatten() {
            let file = wheel["file"].as_str().unwrap_or_default();
            if hash(file).is_some_and(|hash| wheel["sha256"].as_str() == Some(hash)) {
                wheels.insert(file.to_owned(), wheel.clone());
            }
        }
    }
    let all: Vec<_> = wheels.into_values().collect();
    let value = json!({ "schema_version": 1, "wheels": all });
    Ok((report::json_text(&value).unwrap_or_default() + "\n").into_bytes())
}

/// A file of metadata that this version does not know: one for the folder, or none.
fn other(
    name: &str,
    file: &str,
    entries: &[(usize, Entry)],
    sides: &[Side<'_>],
) -> Result<Vec<u8>, Vec<Clash>> {
    let path = format!("{name}/{file}");
    let Some((side, first)) = entries.first() else { return Ok(Vec::new()) };
    if entries.iter().any(|(_, entry)| entry.sha256 != first.sha256) {
        let message = "several machines have it, with other bytes".to_owned();
        return Err(vec![Clash::new(&path, message, "bring the folder of one machine")]);
    }
    bytes(sides, *side, first)
}
