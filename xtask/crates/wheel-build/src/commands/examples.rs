//! The examples and exit statuses below the options of a command in `--help`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Command;
use serde::Deserialize;

/// The data, by command: `wheels`, `binfmt install`.
const TEXT: &str = include_str!("examples.toml");

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    /// The meaning of each status, if it differs from the common one.
    status: Option<String>,
    /// A comment and the words after `cargo xtask`.
    examples: Vec<[String; 2]>,
}

impl Notes {
    fn text(&self) -> String {
        let mut text = String::from("Examples:\n");
        for [comment, words] in &self.examples {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "  # {comment}\n  cargo xtask {words}");
        }
        if let Some(status) = &self.status {
            let _ = write!(text, "\nExit status: {status}");
        }
        text
    }
}

/// `command` with the examples of each of its subcommands.
pub(crate) fn added_to(command: Command) -> Command {
    // The data is part of the program; a test reads it.
    let notes: BTreeMap<String, Notes> = toml::from_str(TEXT).unwrap_or_default();
    below(command, "", &notes)
}

fn below(mut command: Command, path: &str, notes: &BTreeMap<String, Notes>) -> Command {
    if let Some(notes) = notes.get(path) {
        command = command.after_help(notes.text());
    }
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for name in names {
        let path = format!("{path} {name}");
        command = command.mut_subcommand(name, |it| below(it, path.trim_start(), notes));
    }
    command
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::cli;

    /// The visible commands that have no subcommands, by their words.
    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for each in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            let path = format!("{path} {}", each.get_name()).trim_start().to_owned();
            if each.has_subcommands() {
                leaves(each, &path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn each_command_has_examples_and_each_example_is_a_command_line() {
        let notes: BTreeMap<String, Notes> = toml::from_str(TEXT).unwrap();
        let mut commands = Vec::new();
        leaves(&cli::command_line::<cli::None>(), "", &mut commands);
        commands.sort();
        assert_eq!(notes.keys().cloned().collect::<Vec<_>>(), commands);
        for (name, Notes { examples, .. }) in &notes {
            assert!(!examples.is_empty(), "{name}");
            for [_, words] in examples {
                let words = ["cargo xtask"].into_iter().chain(words.split_whitespace());
                let parsed = cli::command_line::<cli::None>().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{name}: {}", parsed.unwrap_err());
            }
        }
    }
}
