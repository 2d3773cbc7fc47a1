//! `entry_points.txt` (`PyPA`, "Entry points specification"): sections for groups, with lines
//! `name = module:object`.

use thiserror::Error;

/// The reason why an `entry_points.txt` is unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryPointsError {
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// A line outside of sections.
    #[error("line {0} is not in a section")]
    NoSection(usize),
    /// A line that is neither a section nor an entry point.
    #[error("line {0} is not of the form `name = module:object`")]
    NoValue(usize),
    /// More entry points than the limit.
    #[error("it has more than {MAX_POINTS} entry points")]
    TooMany,
}

/// Maximum number of entry points. Wheels with hundreds are rare.
const MAX_POINTS: usize = 1 << 12;

/// One entry point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint<'a> {
    /// The section: `console_scripts`.
    pub group: &'a str,
    /// Its name. For a script, the name of the installed file.
    pub name: &'a str,
    /// The text after the `=`.
    pub value: &'a str,
}

impl<'a> EntryPoint<'a> {
    /// Returns whether installers create a script for it.
    pub fn is_script(&self) -> bool {
        ["console_scripts", "gui_scripts"].contains(&self.group)
    }

    /// The module and object of the value: `("pkg.cli", Some("main"))`. `None` if it is not an object reference.
    /// Ignores extras in brackets.
    pub fn reference(&self) -> Option<(&'a str, Option<&'a str>)> {
        let value = self.value.split('[').next().unwrap_or_default();
        let dotted = |text: &str| text.split('.').all(is_identifier);
        let (module, object) = match value.split_once(':') {
            Some((module, object)) => (module.trim(), Some(object.trim())),
            None => (value.trim(), None),
        };
        (dotted(module) && object.is_none_or(dotted)).then_some((module, object))
    }
}

/// Returns whether it may be a Python identifier, approximately: letters of any script, digits except at the start, `_`.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next().is_some_and(|first| first == '_' || first.is_alphabetic());
    first && letters.all(|each| each == '_' || each.is_alphanumeric())
}

/// Reads the file as `importlib.metadata` does: trims lines, and ignores those that start with `#` or `;`.
///
/// # Errors
/// [`EntryPointsError`] with the number of the line, counted from 1.
pub fn entry_points(bytes: &[u8]) -> Result<Vec<EntryPoint<'_>>, EntryPointsError> {
    let text = std::str::from_utf8(bytes).map_err(|_| EntryPointsError::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut group: Option<&str> = None;
    let mut points = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            group = Some(name.trim());
            continue;
        }
        let group = group.ok_or(EntryPointsError::NoSection(number))?;
        let (name, value) = line.split_once('=').ok_or(EntryPointsError::NoValue(number))?;
        if points.len() == MAX_POINTS {
            return Err(EntryPointsError::TooMany);
        }
        points.push(EntryPoint { group, name: name.trim(), value: value.trim() });
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_names_and_references_are_read() {
        let text = "# a comment\n[console_scripts]\nrun = pkg.cli:main\n  fmt=pkg:a.b [extra]\r\n\n[pkg.plugins]\nx = pkg\ny = no module\n";
        let points = entry_points(text.as_bytes()).unwrap();
        let found: Vec<_> =
            points.iter().map(|each| (each.name, each.is_script(), each.reference())).collect();
        assert_eq!(
            found,
            [
                ("run", true, Some(("pkg.cli", Some("main")))),
                ("fmt", true, Some(("pkg", Some("a.b")))),
                ("x", false, Some(("pkg", None))),
                ("y", false, None),
            ]
        );
    }

    #[test]
    fn malformed_lines_are_errors_with_their_number() {
        assert_eq!(entry_points(b"a = b"), Err(EntryPointsError::NoSection(1)));
        assert_eq!(entry_points(b"[a]\n\nb"), Err(EntryPointsError::NoValue(3)));
        assert_eq!(entry_points(b"\xff"), Err(EntryPointsError::Encoding));
        let many = format!("[a]\n{}", "b = c\n".repeat(MAX_POINTS));
        assert_eq!(entry_points(many.as_bytes()).unwrap().len(), MAX_POINTS);
        let more = format!("{many}b = c\n");
        assert_eq!(entry_points(more.as_bytes()), Err(EntryPointsError::TooMany));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(points) = entry_points(&bytes) {
                prop_assert!(points.iter().all(|point| point.reference().is_none_or(|(module, _)| !module.is_empty())));
            }
        }
    }
}
