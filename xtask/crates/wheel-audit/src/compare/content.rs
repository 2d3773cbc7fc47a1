//! Compares the content of a member: by line for text, by section for ELF files, otherwise by the first byte.

use std::collections::BTreeMap;

use super::cause::{Builds, Cause, quoted};
use super::sections::sections;
use super::strings::{Strings, strings};

/// A difference in a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The section of an ELF file.
    pub(super) section: Option<String>,
    pub(super) cause: Cause,
    pub(super) detail: String,
    /// True if it follows from the member's other differences.
    pub(super) follows: bool,
}

const BUILD_ID: &str = ".note.gnu.build-id";
/// Maximum number of reported sections per member.
const MAX_SECTIONS: usize = 20;
/// Maximum size of a part that is searched for strings, in bytes.
const MAX_SEARCHED: usize = 8 << 20;

/// The differences of two unequal members.
pub(super) fn differences(first: &[u8], second: &[u8], builds: Builds<'_>) -> Vec<Found> {
    if let (Some(first), Some(second)) = (text(first), text(second)) {
        return vec![of_texts(first, second, builds)];
    }
    if let (Some(first), Some(second)) = (sections(first), sections(second)) {
        let found = of_sections(&first, &second, builds);
        if !found.is_empty() {
            return found;
        }
    }
    vec![of_bytes(None, first, second, builds)]
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn found(cause: Cause, detail: String) -> Found {
    Found { section: None, cause, detail, follows: false }
}

fn of_texts(first: &str, second: &str, builds: Builds<'_>) -> Found {
    let mut lines = (1..).zip(first.lines().zip(second.lines()));
    let Some((number, (left, right))) = lines.find(|(_, (left, right))| left != right) else {
        let counts = [first, second].map(|text| text.lines().count());
        let detail = format!("{} / {} lines, or other line endings", counts[0], counts[1]);
        return found(Cause::Content, detail);
    };
    let detail = format!("line {number}: {}", quoted(left, right));
    if let Some(cause) = builds.cause(left, right) {
        return found(cause, detail);
    }
    let is_same = |parts: fn(&str) -> Vec<&str>| sorted(parts(first)) == sorted(parts(second));
    if is_same(|text| text.lines().collect()) {
        return found(Cause::Order, detail);
    }
    let is_separator = |c: char| !c.is_alphanumeric() && c != '_';
    let words = |text: &str| {
        let parts = text.split(is_separator).map(str::to_owned);
        sorted(parts.collect::<Vec<_>>())
    };
    let is_small = first.len().max(second.len()) <= MAX_SEARCHED;
    let cause =
        if is_small && words(first) == words(second) { Cause::HashOrder } else { Cause::Content };
    found(cause, detail)
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list
}

fn of_sections(
    first: &BTreeMap<String, &[u8]>,
    second: &BTreeMap<String, &[u8]>,
    builds: Builds<'_>,
) -> Vec<Found> {
    let mut all = Vec::new();
    for (name, left) in first {
        match second.get(name) {
            Some(right) if left == right => {}
            Some(right) => all.push(of_bytes(Some(name), left, right, builds)),
            None => all.push(only(name, "second")),
        }
    }
    all.extend(
        second.keys().filter(|name| !first.contains_key(*name)).map(|name| only(name, "first")),
    );
    let is_debug =
        |it: &Found| it.section.as_deref().is_some_and(|name| is_debug(name) || name == BUILD_ID);
    let debug_only = all.iter().all(is_debug);
    let alone = all.len() == 1;
    for each in &mut all {
        match each.section.as_deref() {
            Some(BUILD_ID) => {
                // It is a hash of the content, so it follows from other differences.
                each.cause = Cause::BuildId;
                each.follows = !alone;
            }
            // The names of the sections.
            Some(".shstrtab") => each.follows = !alone,
            Some(".comment") => each.cause = Cause::Compiler,
            _ if debug_only && each.cause == Cause::Content => each.cause = Cause::DebugInfo,
            _ => {}
        }
    }
    // Specific causes come first: code moves if a string is longer.
    all.sort_by_key(|each| (each.follows, each.cause == Cause::Content));
    all.truncate(MAX_SECTIONS);
    all
}

fn is_debug(name: &str) -> bool {
    name.starts_with(".debug_") || name.starts_with(".zdebug_")
}

fn only(name: &str, side: &str) -> Found {
    let detail = format!("the {side} lacks the section");
    Found { section: Some(name.to_owned()), ..found(Cause::Content, detail) }
}

/// The difference of two byte sequences, by the strings in them.
fn of_bytes(section: Option<&str>, first: &[u8], second: &[u8], builds: Builds<'_>) -> Found {
    let section = section.map(str::to_owned);
    let named = |cause, detail| Found { section: section.clone(), cause, detail, follows: false };
    if first.len().max(second.len()) <= MAX_SEARCHED {
        match strings(first, second) {
            Strings::Other(pairs) => {
                for (left, right) in &pairs {
                    if let Some(cause) = builds.cause(left, right) {
                        return named(cause, quoted(left, right));
                    }
                }
                if let Some((left, right)) = pairs.first() {
                    return named(Cause::Content, quoted(left, right));
                }
            }
            Strings::Moved(left, right) => return named(Cause::Order, quoted(&left, &right)),
            Strings::Same => {}
        }
    }
    let at = first.iter().zip(second).position(|(left, right)| left != right);
    let at = at.unwrap_or(first.len().min(second.len()));
    let sizes = format!("{} / {} bytes", first.len(), second.len());
    named(Cause::Content, format!("from offset {at:#x}; {sizes}"))
}
