//! Checks that hints name only options that the command has.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;

use super::PROGRAM;

/// The characters that end a command in a message.
const MARKS: [char; 6] = ['`', '"', '(', ';', ':', '\n'];

/// The `--help` of each command that was looked up.
static HELPS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The `--help` of the command `words`; empty if there is no such command.
fn help(words: &[&str]) -> String {
    let mut helps = HELPS.lock().unwrap();
    let printed = || {
        let output = Command::new(PROGRAM).args(words).arg("--help").output().unwrap();
        if output.status.success() {
            String::from_utf8(output.stdout).unwrap()
        } else {
            String::new()
        }
    };
    helps.entry(words.join(" ")).or_insert_with(printed).clone()
}

/// Returns whether the help of a command lists `word` at the start of a line: an option or a subcommand.
fn lists(help: &str, word: &str) -> bool {
    help.lines().any(|line| {
        let words: Vec<&str> = line.split([' ', ',', '=']).filter(|it| !it.is_empty()).collect();
        let is_short = words.first().is_some_and(|it| it.len() == 2 && it.starts_with('-'));
        line.starts_with(' ') && words.get(usize::from(is_short)) == Some(&word)
    })
}

/// The subcommands at the start of `words`, e.g. `binfmt install`.
fn command<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut command = Vec::new();
    for word in words.iter().filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
        let above = help(&command);
        let commands = above.split("Commands:\n").nth(1).and_then(|it| it.split("\n\n").next());
        if commands.is_none_or(|commands| !lists(commands, word)) {
            break;
        }
        command.push(*word);
    }
    command
}

/// The options in code marks in `text` that do not exist. Options alone belong to the command line `own`.
pub(crate) fn wrong_options(text: &str, own: &[&str]) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    // Commands to paste have no code marks.
    let plain = text.split("cargo xtask ").skip(1).filter_map(|it| it.split(MARKS).next());
    for line in text.split('`').skip(1).step_by(2).chain(plain) {
        let line = line.strip_prefix("cargo xtask ").unwrap_or(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = match words.first() {
            Some(first) if first.starts_with("--") => command(own),
            _ => command(&words),
        };
        if command.is_empty() {
            continue;
        }
        let options: Vec<&str> = words
            .iter()
            .filter(|word| word.starts_with("--") && word.len() > 2)
            .filter_map(|word| word.split(['=', '{', ',', '.', ')']).next())
            .collect();
        let mut missing = options.clone();
        while !command.is_empty() {
            missing.retain(|option| !lists(&help(&command), option));
            command.pop();
        }
        wrong.extend(missing.iter().map(|option| format!("{option} in `{line}`")));
    }
    wrong
}

/// Panics if a hint in `text`, printed by the command line `own`, names an option that does not exist.
#[track_caller]
pub(crate) fn check(text: &str, own: &[&str]) {
    let hints = text.split("hint: ").skip(1).filter_map(|rest| rest.split("\n\n").next());
    for hint in hints {
        let wrong = wrong_options(hint, own);
        assert!(wrong.is_empty(), "`{}` has a wrong hint: {wrong:?}\n{hint}", own.join(" "));
    }
}
