//! Annotations of a GitHub Actions run, which its page and pull requests show.
//!
//! Annotations are commands to the runner (its documentation, "Workflow commands"). Only this module prints them, and
//! it escapes untrusted text.

use super::plain::printable;
use super::summary::{groups, visible};
use crate::audit::{Report, Severity};

/// Maximum number of annotations of each severity per step.
const MAX_ANNOTATIONS: usize = 10;
/// Maximum length of a title and of a message, in characters.
const MAX_LENGTHS: (usize, usize) = (120, 3000);
/// Maximum number of places in an annotation.
const MAX_PLACES: usize = 3;

/// An error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// True if it is an error.
    pub is_error: bool,
    /// The title.
    pub title: String,
    /// The fault and its help, on several lines.
    pub message: String,
}

impl Annotation {
    /// An error.
    pub fn error(title: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_error: true, title: title.into(), message: message.into() }
    }

    /// A warning.
    pub fn warning(title: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(title, message) }
    }

    fn command(&self) -> String {
        let level = if self.is_error { "error" } else { "warning" };
        let title = cut(&visible(&self.title), MAX_LENGTHS.0);
        let title = data(&title).replace(':', "%3A").replace(',', "%2C");
        format!("::{level} title={title}::{}", data(&cut(&self.message, MAX_LENGTHS.1)))
    }
}

/// Prints the first ten errors and warnings as annotations on stderr, because stdout contains the report. Prints nothing
/// outside of GitHub Actions.
pub fn annotate(annotations: &[Annotation]) {
    use std::io::Write as _;
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        for command in commands(annotations) {
            let _ = writeln!(std::io::stderr().lock(), "{command}");
        }
    }
}

fn commands(annotations: &[Annotation]) -> Vec<String> {
    let of = |is_error| {
        annotations.iter().filter(move |it| it.is_error == is_error).take(MAX_ANNOTATIONS)
    };
    of(true).chain(of(false)).map(Annotation::command).collect()
}

/// The errors and warnings of `report`, with each message of a rule once.
pub fn annotations(report: &Report) -> Vec<Annotation> {
    let mut all = Vec::new();
    for unread in &report.unread {
        let message = format!("{} cannot be read: {}", unread.path, unread.message);
        all.push(Annotation::error("unreadable file", visible(&message)));
    }
    for group in groups(report) {
        let is_error = match group.severity {
            Severity::Error => true,
            Severity::Warning => false,
            Severity::Note | Severity::Ignored => continue,
        };
        for item in &group.items {
            let place = |it: &super::summary::Place<'_>| match it.path {
                Some(path) => format!("{}: {}", visible(it.file), visible(path)),
                None => visible(it.file),
            };
            let places: Vec<_> = item.places.iter().take(MAX_PLACES).map(place).collect();
            let left = item.places.len().saturating_sub(MAX_PLACES);
            let left = if left > 0 { format!(" and {left} more") } else { String::new() };
            let message = format!(
                "{}\n{}{left}\nhelp: {}",
                item.messages().join("\n"),
                places.join("\n"),
                visible(item.help)
            );
            all.push(Annotation {
                is_error,
                title: format!("{} {}", group.code, group.rule),
                message,
            });
        }
    }
    all
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Escapes a text for the runner: one line, without characters that end a command.
fn data(text: &str) -> String {
    printable(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{self, Depth};

    #[test]
    fn an_annotation_with_any_text_is_one_command() {
        let evil = "a: b, c%\r\n::error::x\u{1b}[31m";
        let [command] = commands(&[Annotation::error(evil, evil)]).try_into().unwrap_or_default();
        assert_eq!(command.lines().count(), 1, "{command}");
        // The runner reads properties up to the next `::`, and each of them up to a comma.
        let rest = command.strip_prefix("::error ").unwrap_or_default();
        let (properties, message) = rest.split_once("::").unwrap_or_default();
        assert!(properties.starts_with("title=a%3A b%2C c%25"), "{command}");
        assert!(!properties.contains([',', ':']), "{command}");
        assert!(message.contains("c%25") && message.contains("%0A"), "{command}");
        assert!(!command.contains('\u{1b}'), "{command}");
    }

    #[test]
    fn ten_of_each_severity_are_printed_and_long_ones_are_truncated() {
        let long = "x".repeat(9000);
        let mut all = vec![Annotation::warning("w", &long); 30];
        all.extend(vec![Annotation::error("e", "m"); 30]);
        let commands = commands(&all);
        let errors = commands.iter().filter(|it| it.starts_with("::error ")).count();
        assert_eq!((errors, commands.len()), (MAX_ANNOTATIONS, 2 * MAX_ANNOTATIONS));
        assert!(commands.iter().all(|it| it.len() < 4000));
    }

    #[test]
    fn annotations_contain_code_and_help() {
        let (_folder, report) = audit::tests::report::report(Depth::Code);
        let all = annotations(&report);
        assert!(all.iter().any(|it| it.is_error && it.title.starts_with("ELF003 ")), "{all:?}");
        assert!(all.iter().any(|it| it.message.contains("gone.whl")), "{all:?}");
        assert!(all.iter().all(|it| it.title != "unreadable file" || it.is_error));
        assert!(!all.iter().any(|it| it.title.starts_with("ELF009")), "ignored");
    }
}
