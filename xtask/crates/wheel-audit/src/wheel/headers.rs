//! The header lines of `WHEEL` and `METADATA`, read as Python reads them.

use super::MetadataError;

/// The header lines of an e-mail-like file, in order. Replaces bytes that are not UTF-8: old metadata has various
/// encodings, and the checks need only ASCII.
///
/// Installers read these files with Python's `email.parser` (policy `compat32`): lines end at `\n`, `\r` or both.
/// The first line that is neither a header nor a continuation ends the headers, and the description follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    lines: Vec<(String, String)>,
    cut: Option<Cut>,
    has_odd_breaks: bool,
    has_more: bool,
}

/// Headers that end at a line that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The line, possibly truncated.
    pub line: String,
    /// The distinct names of headers between this line and the next empty line.
    pub lost: Vec<String>,
}

/// Maximum length of a quoted line, in characters.
const SHOWN: usize = 60;
/// Maximum number of lost names.
const MAX_LOST: usize = 16;
/// Maximum number of headers. Packages with many extras have a few thousand.
const MAX_HEADERS: usize = 1 << 14;

impl Headers {
    /// Reads headers up to the first other line. Takes time and memory linear in the input.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut headers = Self::default();
        let mut rest: &str = &text;
        let mut is_open = false;
        while !rest.is_empty() {
            let (line, after, is_odd) = split_line(rest);
            if line.is_empty() {
                headers.has_odd_breaks |= is_odd;
                break;
            }
            if !headers.take(line, &mut is_open) {
                headers.cut = Some(Cut::of(rest));
                break;
            }
            headers.has_odd_breaks |= is_odd || hides_header(line);
            rest = after;
        }
        headers
    }

    /// Adds a line. Returns whether it belongs to the headers. `is_open`: whether a header can be continued.
    fn take(&mut self, line: &str, is_open: &mut bool) -> bool {
        if line.starts_with([' ', '\t']) {
            // Skip a continuation before the first header.
            if let Some((_, value)) = self.lines.last_mut().filter(|_| *is_open) {
                value.push('\n');
                value.push_str(line.trim());
            }
            return true;
        }
        *is_open = false;
        // The separator line of mailboxes.
        if line.starts_with("From ") {
            return true;
        }
        match header(line) {
            // Skip a header without a name.
            Some(("", _)) => true,
            Some(_) if self.lines.len() == MAX_HEADERS => {
                self.has_more = true;
                true
            }
            Some((name, value)) => {
                self.lines.push((name.to_owned(), value.trim().to_owned()));
                *is_open = true;
                true
            }
            None => false,
        }
    }

    /// The end of the headers, if they end at a line that is not empty.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Returns whether the headers contain ambiguous line breaks: a single `\r`, or a Unicode line break before a header.
    pub(crate) fn has_odd_breaks(&self) -> bool {
        self.has_odd_breaks
    }

    /// Returns whether headers exceed the limit, so that checks of all headers are impossible.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Every value of a header (case-insensitive).
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.lines.iter().filter(move |(each, _)| each.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str())
    }

    /// The names of all headers, in order, with their case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|(name, _)| name.as_str())
    }

    /// The value of a header that occurs once.
    pub fn one(&self, name: &'static str) -> Result<&str, MetadataError> {
        let mut all = self.all(name);
        match (all.next().filter(|value| !value.is_empty()), all.next()) {
            (None, _) => Err(MetadataError::Missing(name)),
            (Some(first), Some(second)) => {
                let values = [first.to_owned(), second.to_owned()];
                Err(MetadataError::Repeated { header: name, values })
            }
            (Some(value), None) => Ok(value),
        }
    }
}

impl Cut {
    fn of(text: &str) -> Self {
        let (line, ..) = split_line(text);
        let line = line.chars().take(SHOWN).collect();
        let (mut lost, mut rest) = (Vec::new(), text);
        while !rest.is_empty() && lost.len() < MAX_LOST {
            let (line, after, _) = split_line(rest);
            if line.is_empty() {
                break;
            }
            // Often, a space before the colon makes a line invalid.
            let name = line.split_once(':').map_or("", |(name, _)| name.trim());
            let is_new = |name: &str| !lost.iter().any(|known: &String| known == name);
            if header(&format!("{name}:")).is_some_and(|(name, _)| !name.is_empty()) && is_new(name)
            {
                lost.push(name.to_owned());
            }
            rest = after;
        }
        Self { line, lost }
    }
}

/// Line breaks at which only older versions of Python split (`str.splitlines`).
const OTHER_BREAKS: [char; 8] =
    ['\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Returns whether a header follows these line breaks. Page breaks in licence texts hide nothing.
fn hides_header(line: &str) -> bool {
    let mut parts = line.split(OTHER_BREAKS).skip(1);
    parts.any(|part| header(part).is_some_and(|(name, _)| !name.is_empty()))
}

/// Splits off the first line: the line, the rest, and whether it ended in a single `\r`.
fn split_line(text: &str) -> (&str, &str, bool) {
    let Some(at) = memchr::memchr2(b'\n', b'\r', text.as_bytes()) else {
        return (text, "", false);
    };
    let (line, rest) = text.split_at(at);
    match rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
        Some(after) => (line, after, false),
        None => (line, rest.get(1..).unwrap_or(""), true),
    }
}

/// The name and value of a header line: visible ASCII characters before a colon (RFC 5322, 2.2; `headerRE` of
/// Python's `email.feedparser`).
fn header(line: &str) -> Option<(&str, &str)> {
    line.split_once(':').filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        Headers::parse(text.as_bytes()).names().map(str::to_owned).collect()
    }

    #[test]
    fn headers_above_the_limit_are_dropped() {
        let many = "A: 1\n".repeat(MAX_HEADERS);
        assert!(!Headers::parse(many.as_bytes()).has_more());
        let more = Headers::parse(format!("{many}B: 2\n C: 3\n").as_bytes());
        assert!(more.has_more() && more.names().count() == MAX_HEADERS);
    }

    /// The expected values are those of `email.message_from_string` of Python 3.13.
    #[test]
    fn lines_are_read_as_in_python() {
        assert_eq!(names("A: 1\nB: 2\n\nC: 3"), ["A", "B"]);
        assert_eq!(names("A: 1\nno colon\nB: 2\n"), ["A"]);
        assert_eq!(names("A: 1\nB : 2\nC: 3\n"), ["A"]);
        assert_eq!(names("A: 1\rB: 2\r\nC: 3\r\rD: 4"), ["A", "B", "C"]);
        assert_eq!(names("A: 1\u{b}B: 2\u{2028}C: 3\n"), ["A"]);
        assert_eq!(names("\u{feff}A: 1\nB: 2\n"), Vec::<String>::new());
        assert_eq!(names(" x\nA: 1\n: 2\nFrom x\nB: 3\n"), ["A", "B"]);
        assert_eq!(names("A\u{e4}: 1\nB: 2\n"), Vec::<String>::new());
        assert_eq!(names("A: 1\n \nB: 2\n"), ["A", "B"], "a blank line that is not empty");
    }

    #[test]
    fn lost_headers_are_reported() {
        let cut = |text: &str| Headers::parse(text.as_bytes()).cut().cloned();
        assert_eq!(cut("A: 1\n\nB: 2\n"), None);
        assert_eq!(cut("A: 1\n"), None);
        let lost = |line: &str, lost: &[&str]| {
            let lost = lost.iter().map(|&name| name.to_owned()).collect();
            Some(Cut { line: line.to_owned(), lost })
        };
        assert_eq!(cut("A: 1\nB : 2\nC: 3\nC: 4\n\nD: 5\n"), lost("B : 2", &["B", "C"]));
        assert_eq!(cut("A: 1\nThe description.\n"), lost("The description.", &[]));
    }

    #[test]
    fn ambiguous_line_breaks_are_reported() {
        let odd = |text: &str| Headers::parse(text.as_bytes()).has_odd_breaks();
        assert!(!odd("A: 1\r\nB: 2\n\r\nx\ry\u{c}") && !odd("A: 1\n  \u{c}\n  x: y\n"));
        assert!(odd("A: 1\rB: 2\n") && odd("A: 1\u{c}B: 2\n") && odd("A: 1\n\rB: 2\n"));
    }
}
