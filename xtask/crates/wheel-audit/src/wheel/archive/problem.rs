//! What can be wrong with an archive that can be read.

use std::collections::BTreeMap;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use super::Entry;
use crate::text::shown;

/// A way in which an archive is dangerous, ambiguous or refused by others. `name` is always a
/// member's name, escaped for printing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what each field is")]
pub enum ArchiveProblem {
    /// A name that leads out of the folder it is unpacked to, or differs between systems.
    #[error("`{name}` is an unsafe name: {reason}")]
    UnsafeName { name: String, reason: &'static str },
    /// A name that no system takes for a path, and that costs memory wherever it is named.
    #[error("`{name}` is a name of {length} bytes, which no system takes")]
    LongName { name: String, length: usize },
    /// A symbolic link, device or the like.
    #[error("`{name}` is not a regular file: its mode is {mode:o}")]
    SpecialFile { name: String, mode: u32 },
    /// A file that runs with the rights of its owner or group, or stays in memory.
    #[error("`{name}` has the mode {mode:o}, with set-user-ID, set-group-ID or sticky bit")]
    SpecialMode { name: String, mode: u32 },
    /// A file that its owner cannot read once it is unpacked with its mode.
    #[error("`{name}` has the mode {mode:o}, with which its owner cannot read it")]
    UnreadableMode { name: String, mode: u32 },
    /// Two members with one name: readers differ on which counts.
    #[error("`{name}` is in the archive more than once")]
    Duplicate { name: String },
    /// Two names that are one file where case, the composition of letters or an end in dots or blanks
    /// do not count (macOS, Windows).
    #[error("`{name}` and `{other}` differ only in {difference}")]
    Collision { name: String, other: String, difference: &'static str },
    /// A file that is a folder of another.
    #[error("`{name}` is both a file and a folder")]
    FileAndFolder { name: String },
    /// The header before the data and the one in the directory say different things.
    #[error("`{name}` has two headers that differ in {field}")]
    HeaderMismatch { name: String, field: &'static str },
    /// An extra field that gives the member another name, or one that is broken.
    #[error("`{name}` has an extra field that {reason}")]
    ExtraField { name: String, reason: &'static str },
    /// Bytes that belong to no member, where something can be hidden.
    #[error("{count} bytes at offset {offset} belong to nothing")]
    StrayBytes { offset: u64, count: u64 },
    /// Two members share bytes.
    #[error("`{name}` overlaps with what lies before it")]
    Overlap { name: String },
    /// A compression that the index of Python packages refuses.
    #[error("`{name}` is compressed with the unsupported method {method}")]
    Method { name: String, method: u16 },
    /// A member that nobody can read.
    #[error("`{name}` is encrypted")]
    Encrypted { name: String },
    /// More than 50 times and 64 MiB larger when unpacked.
    #[error("it unpacks from {packed} to {unpacked} bytes")]
    Bomb { packed: u64, unpacked: u64 },
    /// Members whose sizes stand behind their data: legal in a zip file, refused on upload.
    #[error("`{name}` and {others} others have their sizes behind their data")]
    DataDescriptors { name: String, others: usize },
    /// More than a thousand, so that the others are not told one by one.
    #[error("{count} more problems of its members are not listed")]
    More { count: usize },
}

/// Linux takes no longer path (`PATH_MAX`); other systems less.
pub(super) const MAX_PATH: usize = 4096;

/// So many problems of an archive are told. One is enough for a verdict.
pub(super) const MAX_PROBLEMS: usize = 1_000;

/// The problems of an archive, in bounds.
#[derive(Default)]
pub(super) struct Problems {
    told: Vec<ArchiveProblem>,
    untold: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: ArchiveProblem) {
        // What others depend on is kept in any case: there is one for each sort of them.
        let is_new = |told: &[ArchiveProblem]| !told.iter().any(ArchiveProblem::forbids_reading);
        if self.told.len() < MAX_PROBLEMS || problem.forbids_reading() && is_new(&self.told) {
            self.told.push(problem);
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = ArchiveProblem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// All that is to be told.
    pub(super) fn finish(mut self) -> Vec<ArchiveProblem> {
        if self.untold > 0 {
            self.told.push(ArchiveProblem::More { count: self.untold });
        }
        self.told
    }
}

impl ArchiveProblem {
    /// Is it harmless for who installs the wheel, and only a matter of taste of the index?
    pub(crate) fn is_note(&self) -> bool {
        matches!(self, Self::DataDescriptors { .. })
    }

    /// Would reading the members' content, or telling of it, cost more than the archive's size lets one
    /// expect?
    pub fn forbids_reading(&self) -> bool {
        matches!(self, Self::Bomb { .. } | Self::Overlap { .. } | Self::LongName { .. })
    }
}

/// A name as it can be printed: control characters escaped, of a long one its start.
pub(super) fn printable(name: &str) -> String {
    shown(name).to_string()
}

/// Why a name must not be unpacked.
pub(super) fn unsafe_name(name: &str) -> Option<&'static str> {
    let path = name.strip_suffix('/').unwrap_or(name);
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.is_empty() {
        Some("it is empty")
    } else if name.contains('\\') {
        Some("it has a backslash")
    } else if path.starts_with('/') || drive {
        Some("it is absolute")
    } else if path.split('/').any(|part| part == "..") {
        Some("it leads upwards")
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        Some("it has an empty part")
    } else if name.chars().any(is_invisible) {
        Some("it has invisible characters")
    } else {
        None
    }
}

/// Control and direction characters, with which a name looks like another.
fn is_invisible(each: char) -> bool {
    each.is_control()
        || matches!(each, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

/// Names that are equal, or equal on a system where case does not count, or that are in each
/// other's way.
pub(super) fn colliding_names(entries: &[Entry], problems: &mut Problems) {
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for entry in entries {
        let path = entry.name.trim_end_matches('/');
        let Some(other) = folded.insert(fold(path), path) else { continue };
        let name = printable(&entry.name);
        problems.push(if other == path {
            ArchiveProblem::Duplicate { name }
        } else {
            let difference = difference(path, other);
            ArchiveProblem::Collision { name, other: printable(other), difference }
        });
    }
    for entry in entries.iter().filter(|entry| !entry.is_folder()) {
        let below = format!("{}/", fold(&entry.name));
        if folded.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below)) {
            problems.push(ArchiveProblem::FileAndFolder { name: printable(&entry.name) });
        }
    }
}

/// The name as systems see it on which case does not count, nor the form of a letter with an accent,
/// nor dots and blanks at the end (Unicode UAX 15; Microsoft, "Naming Files, Paths, and Namespaces").
fn fold(path: &str) -> String {
    let lower = path.to_lowercase();
    let part = |part: &str| -> String {
        let part = part.trim_end_matches(['.', ' ']);
        if part.is_ascii() { part.to_owned() } else { part.nfc().collect() }
    };
    lower.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// In what two names that fold alike differ.
fn difference(left: &str, right: &str) -> &'static str {
    let composed = |path: &str| -> String { path.nfc().collect() };
    if left.to_lowercase() == right.to_lowercase() {
        "case"
    } else if composed(left) == composed(right) {
        "how their letters are composed"
    } else {
        "case, in how letters are composed, or in dots and blanks at an end"
    }
}

/// Is this more than a real wheel ever packs? The figures are those of the index of Python
/// packages.
pub(super) fn bomb(packed: u64, unpacked: u64) -> Option<ArchiveProblem> {
    let is_bomb = unpacked > 64 << 20 && unpacked / 50 > packed;
    is_bomb.then_some(ArchiveProblem::Bomb { packed, unpacked })
}
