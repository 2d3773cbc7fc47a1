//! Formats untrusted names and sizes for messages.

use std::fmt::{self, Write as _};

use unicode_width::UnicodeWidthStr as _;

/// Maximum length of a printed name, in characters. Paths in real wheels have at most about 200.
const MAX_NAME: usize = 400;

/// Formats a name with escaped control characters, but without escaped quotes. Truncates a long name before escaping,
/// which can make it ten times as long.
pub fn shown(name: &str) -> impl fmt::Display {
    Shown(name)
}

/// The first three names in back-ticks, and the number of the others.
pub(crate) fn listing<S: AsRef<str>>(names: &[S]) -> String {
    let (first, rest) = names.split_at(names.len().min(3));
    let first: Vec<String> =
        first.iter().map(|name| format!("`{}`", shown(name.as_ref()))).collect();
    let others = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("{}{others}", first.join(", "))
}

struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(MAX_NAME).map(|(at, _)| at);
        let start = end.and_then(|end| self.0.get(..end));
        for part in start.unwrap_or(self.0).split_inclusive(['\'', '"']) {
            let text = part.trim_end_matches(['\'', '"']);
            let quote = part.get(text.len()..).unwrap_or_default();
            write!(f, "{}{quote}", text.escape_debug())?;
        }
        if start.is_some() { f.write_char('…') } else { Ok(()) }
    }
}

/// The columns that `text`, one line, takes in a terminal.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The size of a file for messages, with one decimal.
#[expect(clippy::cast_precision_loss, reason = "a size for people, to one decimal")]
pub fn file_size(bytes: u64) -> String {
    if bytes < 100_000 {
        format!("{:.1} kB", bytes as f64 / 1e3)
    } else if bytes < 1_000_000_000 {
        format!("{:.1} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_of_their_magnitude() {
        assert_eq!(file_size(99_999), "100.0 kB");
        assert_eq!(file_size(100_000), "0.1 MB");
        assert_eq!(file_size(40_017_600_000), "40.0 GB");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listing(&["a", "b"]), "`a`, `b`");
        assert_eq!(listing(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
    }

    #[test]
    fn names_are_cut_before_they_are_escaped() {
        assert_eq!(shown("a\u{202e}b").to_string(), "a\\u{202e}b");
        assert_eq!(shown("a == 'b' \"\n").to_string(), "a == 'b' \"\\n");
        assert_eq!(shown(&"é".repeat(MAX_NAME)).to_string(), "é".repeat(MAX_NAME));
        let long = shown(&"\u{1}".repeat(1 << 16)).to_string();
        assert_eq!(long, format!("{}…", "\\u{1}".repeat(MAX_NAME)));
    }
}
