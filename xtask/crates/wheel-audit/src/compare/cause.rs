//! The likely cause of a difference between two builds of a file, from the strings on both sides.

use serde::{Deserialize, Serialize};

use crate::text::shown;

/// Maximum length of a quoted string, in characters.
const MAX_QUOTED: usize = 120;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The likely cause of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// One wheel has a file that the other lacks.
    Files,
    /// A date or time of the build: `__DATE__`, `__TIME__`, a generator's timestamp.
    Date,
    /// The name of the machine.
    Host,
    /// A path that differs between the builds.
    Path,
    /// Only the build id, which does not depend on the content.
    BuildId,
    /// The same parts in another order: link order, directory entries, parallel jobs.
    Order,
    /// The same words in another order within a line: a generator's set or dictionary.
    HashOrder,
    /// Only debug information differs.
    DebugInfo,
    /// Another compiler.
    Compiler,
    /// Other content, for an unknown reason.
    Content,
    /// Times of the archive's members.
    ArchiveTime,
    /// Modes of the archive's members.
    ArchiveMode,
    /// The order of the archive's members.
    ArchiveOrder,
    /// The format of the archive: compression, extra fields, folders, comments.
    ArchiveForm,
}

impl Cause {
    /// The cause for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "other files",
            Self::Date => "date or time of the build",
            Self::Host => "host name",
            Self::Path => "build path",
            Self::BuildId => "only the build id",
            Self::Order => "order of parts",
            Self::HashOrder => "hash order in generated code",
            Self::DebugInfo => "debug information",
            Self::Compiler => "another compiler",
            Self::Content => "other content",
            Self::ArchiveTime => "times in the archive",
            Self::ArchiveMode => "modes in the archive",
            Self::ArchiveOrder => "order in the archive",
            Self::ArchiveForm => "format of the archive",
        }
    }
}

/// Facts about both builds from the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Builds<'a> {
    /// The host name of each build. Empty if unknown.
    pub hosts: [&'a str; 2],
}

impl Builds<'_> {
    /// The likely cause of two texts that occur in only one of the builds each.
    pub(super) fn cause(self, first: &str, second: &str) -> Option<Cause> {
        let texts = [first, second];
        let has_host = |at: usize| !self.hosts[at].is_empty() && texts[at].contains(self.hosts[at]);
        if has_host(0) || has_host(1) {
            Some(Cause::Host)
        } else if texts.iter().all(|text| has_date(text)) {
            Some(Cause::Date)
        } else if texts.iter().all(|text| has_path(text)) {
            Some(Cause::Path)
        } else {
            None
        }
    }
}

/// `a` and `b` for a message.
pub(super) fn quoted(first: &str, second: &str) -> String {
    let cut = |text: &str| text.chars().take(MAX_QUOTED).collect::<String>();
    format!("`{}` / `{}`", shown(&cut(first)), shown(&cut(second)))
}

/// Returns whether a text contains a date (`Nov 30 2026`, `2026-11-30`), a time (`12:34:56`) or seconds since 1970.
fn has_date(text: &str) -> bool {
    let shape: Vec<u8> =
        text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect();
    let has = |pattern: &[u8]| shape.windows(pattern.len()).any(|window| window == pattern);
    let has_month = || {
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        words.any(|word| MONTHS.iter().any(|month| word.starts_with(month)))
            && (has(b"0000") || has(b"00"))
    };
    let is_epoch = |word: &str| word.len() == 10 && matches!(word.as_bytes()[0], b'1'..=b'3');
    let has_epoch = || text.split(|c: char| !c.is_ascii_digit()).any(is_epoch);
    has(b"00:00:00") || has(b"0000-00-00") || has(b"0000/00/00") || has_month() || has_epoch()
}

/// Returns whether a text contains a path with at least two folders.
fn has_path(text: &str) -> bool {
    text.split(char::is_whitespace).any(|word| word.matches('/').count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_recognized_by_their_form() {
        let builds = Builds { hosts: ["alpha", ""] };
        for (first, second, cause) in [
            ("built on alpha", "built on beta", Some(Cause::Host)),
            ("Nov 30 2026", "Jan  3 2028", Some(Cause::Date)),
            ("12:34:56", "01:02:03", Some(Cause::Date)),
            ("d20261130 2026-11-30", "2028-01-03", Some(Cause::Date)),
            ("stamp=1764460800", "stamp=1799999999", Some(Cause::Date)),
            ("-I/tmp/a/include", "-I/tmp/b/include", Some(Cause::Path)),
            ("x \"/tmp/a/b\"", "x \"/tmp/c/b\"", Some(Cause::Path)),
            ("12:34", "Marble", None),
            ("", "", None),
        ] {
            assert_eq!(builds.cause(first, second), cause, "{first} {second}");
        }
    }
}
