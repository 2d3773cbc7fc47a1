//! What people and programs read: the only room that writes to stdout and stderr.
//!
//! Data (tables, JSON, printed commands) goes to stdout, all else (progress, notes, errors) to
//! stderr, so that `cargo xtask ... --json | jq` always works.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one room that prints")]

mod count;
mod html;
mod live;
mod markdown;
mod sarif;
mod summary;
mod table;
mod verdict;

pub use count::Count;
pub use html::html;
pub use live::{Detail, Live, Stage, Watch};
pub use markdown::markdown;
pub use sarif::sarif;
pub use table::table;
pub use verdict::{glibc_text, verify_text};

use std::io::Write as _;

use serde::Serialize;

/// Prints `text` and a newline on stdout; a reader that has gone away (`| head`) is no error.
pub fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints `value` as indented JSON on stdout.
///
/// # Errors
/// When `value` cannot be expressed as JSON (a map whose keys are no strings).
pub fn json<T: Serialize>(value: &T) -> serde_json::Result<()> {
    data(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints one line about what happens on stderr.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a failure and its causes on stderr, the way every command ends that could not run.
pub fn error(error: &anyhow::Error) {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        // `{error}` of a wrapped error often repeats its cause; say each thing once.
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
    note(&text);
}
