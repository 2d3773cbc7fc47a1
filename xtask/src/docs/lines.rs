//! Checks the command lines of the documentation with clap.

use camino::Utf8Path;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Problem;
use super::markdown::{Fence, Page};
use super::shell::{self, Simple};

/// Errors that are allowed for a command in a sentence, which may omit arguments.
const INCOMPLETE: [ErrorKind; 3] = [
    ErrorKind::MissingRequiredArgument,
    ErrorKind::MissingSubcommand,
    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
];

/// The value of each placeholder in a sentence.
const PLACEHOLDERS: [(&str, &str); 15] = [
    ("PLATFORM", "linux/amd64"),
    ("TARGET", "debian:12"),
    ("ARCH", "arm64"),
    ("CODE", "TAG005"),
    ("SHELL", "bash"),
    ("TAG", "cp311"),
    ("GROUP", "lint"),
    ("ENGINE", "docker"),
    ("N", "2"),
    ("REF", "refs/tags/v1.0"),
    ("SHA", "0123456789abcdef0123456789abcdef01234567"),
    ("COMMAND", "plan"),
    ("TOOL", "vendor"),
    ("FILE", "wheels-demo.toml"),
    ("WHEEL", "demo-1.0-py3-none-any.whl"),
];

/// The command lines of `page` that clap does not accept.
pub(super) fn problems(tool: &Command, path: &Utf8Path, page: &Page) -> Vec<Problem> {
    let mut problems = Vec::new();
    for fence in &page.fences {
        for command in shell::commands(&script(fence)) {
            if let Some(Err(error)) = parsed(tool, &command) {
                problems.push(problem(path, fence.line + command.line, &command, &error));
            }
        }
    }
    for (line, code) in &page.code {
        for command in shell::commands(&plausible(code)) {
            match parsed(tool, &command) {
                Some(Err(error)) if !is_incomplete(&error) => {
                    problems.push(problem(path, *line, &command, &error));
                }
                _ => {}
            }
        }
    }
    problems
}

/// The commands of a block: all of `sh`, the lines behind a prompt of `console`.
fn script(fence: &Fence) -> String {
    let typed = |line: &str| line.strip_prefix("$ ").unwrap_or_default().to_owned() + "\n";
    match fence.language() {
        "sh" => fence.text.clone(),
        "console" => fence.text.lines().map(typed).collect(),
        _ => String::new(),
    }
}

fn is_incomplete(error: &clap::Error) -> bool {
    let lacks_value = matches!(
        error.get(ContextKind::InvalidValue),
        Some(ContextValue::String(value)) if value.is_empty()
    );
    lacks_value || INCOMPLETE.contains(&error.kind())
}

/// Returns whether the shell expands the rejected value, which is then unknown.
fn is_expanded(error: &clap::Error) -> bool {
    let value = error.get(ContextKind::InvalidValue);
    matches!(value, Some(ContextValue::String(value)) if value.contains('$'))
}

fn problem(path: &Utf8Path, line: usize, command: &Simple, error: &clap::Error) -> Problem {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    Problem::new(path, line, format!("`{}`: {first}", command.words.join(" ")))
}

/// clap's result for `command`, if it runs a program of this repository.
fn parsed(tool: &Command, command: &Simple) -> Option<Result<(), clap::Error>> {
    let (command, words) = match command.arguments(&["cargo", "xtask"]) {
        Some(words) => (tool.clone(), words),
        None => (wheel_audit::cli::command_line(), command.arguments(&["wheel-audit"])?),
    };
    let words = [String::from("program")].into_iter().chain(words.iter().cloned());
    match command.try_get_matches_from(words) {
        Err(error) if error.use_stderr() && !is_expanded(&error) => Some(Err(error)),
        _ => Some(Ok(())),
    }
}

/// A command line of a sentence with a value for each placeholder, and without the brackets and dots of a usage line.
fn plausible(code: &str) -> String {
    let words = code.split_whitespace().filter(|word| !matches!(*word, "..." | "…" | "|"));
    let words = words.map(|word| {
        let bare = word.trim_end_matches("...").trim_end_matches('…');
        let bare = bare.trim_start_matches(['[', '<']).trim_end_matches([']', '>', ',']);
        let bare = bare.trim_end_matches("...");
        let (start, name) = bare.rsplit_once('=').map_or(("", bare), |(start, name)| (start, name));
        let value = PLACEHOLDERS.iter().find(|(placeholder, _)| *placeholder == name);
        match (value, start) {
            (Some((_, value)), "") => (*value).to_owned(),
            (Some((_, value)), start) => format!("{start}={value}"),
            (None, _) => bare.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
