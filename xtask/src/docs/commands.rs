//! Generates `docs/commands.md` from the command line. Pure.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::text::{escaped, sentence};

const HEAD: &str = "\
# Commands

`cargo xtask COMMAND --help` prints the same text. A word in angle brackets is required, a word in square brackets is \
optional, and `...` means that you can repeat the word.

The program `wheel-audit` has the commands `verify`, `check-glibc` and `rules`. It needs no `wheels.toml` and no \
engine.

";

/// The meaning of an exit status, unless a command has its own.
const STATUS: &str = "0 success, 2 could not run.";

/// The page for `tool`. Its `developer` commands exist only in this repository.
pub(super) fn page(mut tool: Command, developer: &[&str]) -> String {
    tool.build();
    let visible =
        || tool.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    let is_own = |it: &&Command| developer.contains(&it.get_name());
    let mut page = HEAD.to_owned();
    for (title, own) in [("For packages", false), ("For developers of this repository", true)] {
        // Writing to a text cannot fail.
        let _ = writeln!(page, "{title}:\n");
        for command in visible().filter(|it| is_own(it) == own) {
            let name = command.get_name();
            let about = about(command);
            let _ = writeln!(page, "- [`{name}`](#cargo-xtask-{name}): {about}");
        }
        page.push('\n');
    }
    page.push_str("## Options of every command\n\n");
    let global = |arg: &&Arg| arg.is_global_set() || arg.get_id() == "version";
    tool.get_arguments().filter(global).for_each(|arg| argument(arg, &mut page));
    for own in [false, true] {
        for command in visible().filter(|it| is_own(it) == own) {
            section(command, 2, &mut page);
        }
    }
    page
}

/// The description of a command, for a list.
fn about(command: &Command) -> String {
    escaped(&command.get_about().map(ToString::to_string).unwrap_or_default())
}

fn section(command: &Command, level: usize, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let about: Vec<_> = about.split("\n\n").map(sentence).collect();
    let _ = writeln!(page, "\n{} {name}\n\n{}\n", "#".repeat(level), about.join("\n\n"));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(page, "```text\n{usage}\n```");
    let is_shown = |arg: &&Arg| {
        !arg.is_hide_set()
            && !arg.is_global_set()
            && !matches!(arg.get_id().as_str(), "help" | "version")
    };
    let (positional, options): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(is_shown).partition(|arg| arg.is_positional());
    for (title, list) in [("Arguments", positional), ("Options", options)] {
        if !list.is_empty() {
            let _ = writeln!(page, "\n{title}:\n");
            for arg in list {
                argument(arg, page);
            }
        }
    }
    let below = command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    let below: Vec<_> = below.collect();
    if below.is_empty() {
        notes(command, page);
    }
    for command in below {
        section(command, level + 1, page);
    }
}

/// An argument as an item of a list, its values below it.
fn argument(arg: &Arg, page: &mut String) {
    let short = arg.get_short().filter(|_| arg.get_long().is_some());
    let short = short.map(|c| format!("`-{c}`, ")).unwrap_or_default();
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string);
    let _ = write!(page, "- {short}`{arg}`: {}", sentence(&help.unwrap_or_default()));
    let defaults: Vec<_> = arg.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if !defaults.is_empty() && takes_value {
        let _ = write!(page, " [default: `{}`]", defaults.join(","));
    }
    page.push('\n');
    let values = arg.get_possible_values().into_iter().filter(|it| !it.is_hide_set());
    for value in values.filter(|_| takes_value) {
        let help = value.get_help().map(|help| format!(": {}", sentence(&help.to_string())));
        let _ = writeln!(page, "  - `{}`{}", value.get_name(), help.unwrap_or_default());
    }
}

/// The exit status, and the examples.
fn notes(command: &Command, page: &mut String) {
    let notes = Notes::of(command);
    let _ = writeln!(page, "\nExit status: {}", escaped(notes.status.as_deref().unwrap_or(STATUS)));
    if !notes.examples.is_empty() {
        let examples = notes.examples.join("\n");
        let _ = writeln!(page, "\n```sh\n{examples}\n```");
    }
}

/// The text below a command's options.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The lines of the examples: comments and commands.
    pub(super) examples: Vec<String>,
    /// The meaning of each exit status.
    pub(super) status: Option<String>,
}

impl Notes {
    pub(super) fn of(command: &Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut notes = Self::default();
        for line in text.lines() {
            if let Some(status) = line.strip_prefix("Exit status: ") {
                notes.status = Some(status.to_owned());
            } else if let Some(example) = line.strip_prefix("  ") {
                notes.examples.push(example.to_owned());
            }
        }
        notes
    }
}

/// The commands without subcommands that have no description, or no example.
pub(super) fn lacking(tool: &Command) -> Vec<String> {
    let mut found = Vec::new();
    lacks(tool, &mut found);
    found
}

fn lacks(command: &Command, found: &mut Vec<String>) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        if arg.get_help().is_none() {
            found.push(format!("`{arg}` of `{name}` has no help text"));
        }
    }
    let below = command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    let below: Vec<_> = below.collect();
    if below.is_empty() && Notes::of(command).examples.is_empty() {
        found.push(format!("`{name}` has no example"));
    }
    for command in below {
        if command.get_about().is_none() {
            found.push(format!("`{}` has no description", command.get_name()));
        }
        lacks(command, found);
    }
}
