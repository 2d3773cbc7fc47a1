//! Output for people and programs: the only module that writes to stdout and stderr.
//!
//! Data (tables, JSON, printed commands) goes to stdout, all else (progress, notes, errors) to
//! stderr, so that `cargo xtask ... --json | jq` always works. Only [`text`] and what goes to stderr have colours.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one module that prints")]

mod annotate;
mod count;
mod html;
mod markdown;
mod paint;
mod plain;
mod rules;
mod rules_page;
mod sarif;
mod summary;
mod table;
mod verdict;
mod wrap;

pub use annotate::{Annotation, annotate, annotations};
pub use count::Count;
pub use html::html;
pub use markdown::{code as markdown_code, cut as markdown_cut, markdown, plain as markdown_text};
pub use paint::HELP_STYLES;
pub use rules::{rule_details, rules_table};
pub use rules_page::rules_page;
pub use sarif::sarif;
pub use summary::count as counted;
pub use table::table;
pub use verdict::{glibc_text, verify_text};
pub use wrap::{fold, wrap};

use std::io::{IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::UserError;

/// Columns of a report that goes to a file or a pipe.
pub const WIDTH: usize = 80;
/// Minimum number of columns that a terminal is taken to have.
const NARROWEST: usize = 40;

/// Columns of a report on stdout: those of the terminal, or [`WIDTH`].
pub fn width() -> usize {
    columns(terminal_size::terminal_size_of(std::io::stdout())).unwrap_or(WIDTH)
}

fn columns(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0).max(NARROWEST))
}

/// Decides for the process whether stdout and stderr have colours; `auto` depends on each of them, and on
/// `NO_COLOR`, `CLICOLOR_FORCE` and `TERM`.
pub fn set_color(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Prints a report for people and a newline on stdout, in colour where stdout has it. Otherwise as [`data`].
pub fn text(text: &str) {
    let text = plain::printable(text);
    let stdout = std::io::stdout();
    let is_colored = AutoStream::choice(&stdout) != ColorChoice::Never;
    let text = if is_colored { paint::paint(&text) } else { text };
    let _ = writeln!(stdout.lock(), "{text}");
}

/// Prints sentences for people on stdout as [`text`], in lines that fit.
pub fn prose(lines: &str) {
    text(&fold(lines, width()));
}

/// Prints `text` and a newline on stdout; a reader that has gone away (`| head`) is no error. Control
/// characters but for line breaks and tabs are written out.
pub fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", plain::printable(text));
}

/// Prints `value` as indented JSON on stdout.
///
/// # Errors
/// When `value` cannot be expressed as JSON (a map whose keys are no strings).
pub fn json<T: Serialize>(value: &T) -> serde_json::Result<()> {
    data(&json_text(value)?);
    Ok(())
}

/// `value` as indented JSON in which every control character is escaped, those too that JSON would
/// allow.
///
/// # Errors
/// When `value` cannot be expressed as JSON.
pub fn json_text<T: Serialize>(value: &T) -> serde_json::Result<String> {
    Ok(plain::json(&serde_json::to_string_pretty(value)?))
}

/// Prints a message on stderr. Control characters but for line breaks and tabs are written out.
///
/// A terminal has the message in lines that fit. Elsewhere it stays one line, which a search finds whole.
pub fn note(text: &str) {
    let text = plain::printable(text);
    let stderr = std::io::stderr();
    let width = columns(terminal_size::terminal_size_of(&stderr));
    let text = match width.filter(|_| stderr.is_terminal()) {
        Some(width) => wrap::fold_message(&text, width),
        None => text,
    };
    let is_colored = AutoStream::choice(&stderr) != ColorChoice::Never;
    let text = if is_colored { paint::paint(&text) } else { text };
    let _ = writeln!(stderr.lock(), "{text}");
}

/// Prints a line of another tool as it is, with its colors, on the stream of the tool. Commands to CI runners are
/// disabled in it.
pub fn relay(line: &str, is_error: bool) {
    let line = plain::without_commands(line);
    let _ = if is_error {
        writeln!(std::io::stderr().lock(), "{line}")
    } else {
        writeln!(std::io::stdout().lock(), "{line}")
    };
}

/// Prints an error and its causes on stderr, for a command that could not run.
pub fn error(error: &(dyn std::error::Error + 'static)) {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut causes = chain.map(|cause| {
        let text = cause.to_string();
        // Errors of the system have one line, unless a path in it has more. Our own have several.
        let systems = cause.downcast_ref().is_some_and(is_system_error);
        if systems { summary::visible(&text) } else { text }
    });
    let mut text = format!("error: {}", causes.next().unwrap_or_default());
    for cause in causes {
        // The text of a wrapped error often repeats its cause.
        if !text.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
    note(&text);
    if let Some(text) = UserError::hint_of(error) {
        hint(text);
    }
}

/// Prints an error that fails the command, with its hint, on stderr.
pub fn failed(error: &UserError) {
    labelled("error", error);
}

/// Prints a warning with its hint on stderr.
pub fn warning(warning: &UserError) {
    labelled("warning", warning);
}

fn labelled(label: &str, error: &UserError) {
    note(&format!("{label}: {}", error.message));
    if let Some(text) = &error.hint {
        hint(text);
    }
}

/// Prints the hint for the errors above it, after an empty line.
pub fn hint(text: &str) {
    note(&format!("\nhint: {text}"));
}

/// Returns whether an error comes from the system, with or without the path that `fs_err` adds. The system has no errors of
/// the kind `Other` (std, `io::ErrorKind`).
fn is_system_error(error: &std::io::Error) -> bool {
    error.kind() != std::io::ErrorKind::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_operating_system_are_escaped() {
        assert!(fs_err::read("/no/such\nfile").is_err_and(|error| is_system_error(&error)));
        assert!(is_system_error(&std::io::Error::from_raw_os_error(2)));
        assert!(!is_system_error(&std::io::Error::other("what happened")));
    }
}
