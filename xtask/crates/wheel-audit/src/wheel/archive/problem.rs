//! Problems of readable archives.

use std::collections::BTreeMap;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use super::Entry;
use crate::text::shown;

/// A problem that makes an archive dangerous, ambiguous or invalid for other readers. `name` is a member's name,
/// escaped for printing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages explain the fields")]
pub enum ArchiveProblem {
    /// A name outside of the installation folder, or one that means another path on other systems.
    #[error("`{name}` is an unsafe name: {reason}")]
    UnsafeName { name: String, reason: &'static str },
    /// A name that is too long for a path on any system.
    #[error("`{name}` is a name of {length} bytes, which no system accepts")]
    LongName { name: String, length: usize },
    /// A symbolic link, device or other special file.
    #[error("`{name}` is not a regular file: its mode is {mode:o}")]
    SpecialFile { name: String, mode: u32 },
    /// A file with the set-user-ID, set-group-ID or sticky bit.
    #[error("`{name}` has the mode {mode:o}, with set-user-ID, set-group-ID or sticky bit")]
    SpecialMode { name: String, mode: u32 },
    /// A file whose mode does not allow its owner to read it.
    #[error("`{name}` has the mode {mode:o}, which does not allow its owner to read it")]
    UnreadableMode { name: String, mode: u32 },
    /// Two members with the same name: readers disagree about which is valid.
    #[error("`{name}` is in the archive more than once")]
    Duplicate { name: String },
    /// Two names that denote the same file on systems that ignore case, Unicode normalization, or trailing dots and
    /// spaces (macOS, Windows).
    #[error("`{name}` and `{other}` differ only in {difference}")]
    Collision { name: String, other: String, difference: &'static str },
    /// A file with the path of another member's folder.
    #[error("`{name}` is both a file and a folder")]
    FileAndFolder { name: String },
    /// The local header differs from the central directory.
    #[error("`{name}` has two headers that differ in {field}")]
    HeaderMismatch { name: String, field: &'static str },
    /// An extra field that renames the member, or a malformed one.
    #[error("`{name}` has an extra field that {reason}")]
    ExtraField { name: String, reason: &'static str },
    /// Bytes that belong to no member, and may hide data.
    #[error("{count} bytes at offset {offset} belong to no member")]
    StrayBytes { offset: u64, count: u64 },
    /// Two members share bytes.
    #[error("`{name}` overlaps with the bytes before it")]
    Overlap { name: String },
    /// A compression method that the Python index rejects.
    #[error("`{name}` is compressed with the unsupported method {method}")]
    Method { name: String, method: u16 },
    /// An encrypted member.
    #[error("`{name}` is encrypted")]
    Encrypted { name: String },
    /// It unpacks to more than 50 times its size and more than 64 MiB.
    #[error("it unpacks from {packed} to {unpacked} bytes")]
    Bomb { packed: u64, unpacked: u64 },
    /// Members with data descriptors: valid in zip files, but rejected on upload.
    #[error("`{name}` and {others} others store their sizes after their data")]
    DataDescriptors { name: String, others: usize },
    /// Problems above the limit.
    #[error("{count} more problems of its members are not listed")]
    More { count: usize },
}

/// Maximum length of a path on Linux (`PATH_MAX`). Other systems allow less.
pub(super) const MAX_PATH: usize = 4096;

/// Maximum number of problems per archive.
pub(super) const MAX_PROBLEMS: usize = 1_000;

/// The problems of an archive, up to the limit.
#[derive(Default)]
pub(super) struct Problems {
    kept: Vec<ArchiveProblem>,
    omitted: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: ArchiveProblem) {
        // Always keep problems that other checks depend on. There is one of each kind.
        let is_new = |kept: &[ArchiveProblem]| !kept.iter().any(ArchiveProblem::forbids_reading);
        if self.kept.len() < MAX_PROBLEMS || problem.forbids_reading() && is_new(&self.kept) {
            self.kept.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = ArchiveProblem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// All reported problems.
    pub(super) fn finish(mut self) -> Vec<ArchiveProblem> {
        if self.omitted > 0 {
            self.kept.push(ArchiveProblem::More { count: self.omitted });
        }
        self.kept
    }
}

impl ArchiveProblem {
    /// Returns whether only the index rejects it, without harm for users.
    pub(crate) fn is_note(&self) -> bool {
        matches!(self, Self::DataDescriptors { .. })
    }

    /// Returns whether reading the members would cost more than the archive's size suggests.
    pub fn forbids_reading(&self) -> bool {
        matches!(self, Self::Bomb { .. } | Self::Overlap { .. } | Self::LongName { .. })
    }
}

/// A name for printing: escaped and truncated.
pub(super) fn printable(name: &str) -> String {
    shown(name).to_string()
}

/// The reason why a name is unsafe.
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

/// Returns whether it is a control or direction character, which can make a name look like another.
fn is_invisible(each: char) -> bool {
    each.is_control()
        || matches!(each, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

/// Reports names that are equal, that are equal on some systems, or that are both file and folder.
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

/// The name without differences that some systems ignore: case, Unicode normalization, trailing dots and spaces
/// (Unicode UAX 15; Microsoft, "Naming Files, Paths, and Namespaces").
fn fold(path: &str) -> String {
    let lower = path.to_lowercase();
    let part = |part: &str| -> String {
        let part = part.trim_end_matches(['.', ' ']);
        if part.is_ascii() { part.to_owned() } else { part.nfc().collect() }
    };
    lower.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The difference of two names with the same folded name.
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

/// Returns whether it is a decompression bomb, by the limits of the Python index.
pub(super) fn bomb(packed: u64, unpacked: u64) -> Option<ArchiveProblem> {
    let is_bomb = unpacked > 64 << 20 && unpacked / 50 > packed;
    is_bomb.then_some(ArchiveProblem::Bomb { packed, unpacked })
}
