//! Steps as commands for a POSIX shell, ready to paste and without secrets.

use std::fmt;

use wheel_audit::text;

use super::{EnvValue, Stdin, Step};

/// The replacement for a secret.
const HIDDEN: &str = "****";

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&[self.before(), self.command()].concat().join(" "))
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({self})")
    }
}

impl Step {
    /// The command, continued over lines of at most `width` columns. An option and its value stay on one line, and so
    /// does a longer word.
    pub(crate) fn folded(&self, width: usize) -> String {
        const END: &str = " \\";
        const INDENT: &str = "    ";
        let mut lines: Vec<String> = Vec::new();
        for part in self.parts() {
            match lines.last_mut() {
                Some(line) if columns(line) + 1 + columns(&part) + columns(END) <= width => {
                    line.push(' ');
                    line.push_str(&part);
                }
                Some(_) => lines.push(format!("{INDENT}{part}")),
                None => lines.push(part),
            }
        }
        lines.join(&format!("{END}\n"))
    }

    /// The words that stay on one line: the program and its subcommand, an option and its value.
    fn parts(&self) -> Vec<String> {
        const SUBCOMMAND: usize = 2;
        let is_option = |word: &str| word.starts_with("--") && !word.contains('=') && word != "--";
        let mut parts = self.before();
        let command = self.command();
        let plain = command.iter().skip(1).take_while(|word| !word.starts_with('-'));
        let (start, rest) = command.split_at(1 + plain.take(SUBCOMMAND).count());
        parts.push(start.join(" "));
        let mut takes_value = false;
        for word in rest {
            let option = parts.last_mut().filter(|_| takes_value && !word.starts_with('-'));
            if let Some(option) = option {
                option.push(' ');
                option.push_str(word);
                takes_value = false;
            } else {
                takes_value = is_option(word);
                parts.push(word.clone());
            }
        }
        parts
    }

    /// The working directory and the environment.
    fn before(&self) -> Vec<String> {
        let cwd = self.cwd.iter().map(|cwd| format!("cd {} &&", quote(cwd.as_str())));
        let env = self.env.iter().map(|(name, value)| match value {
            EnvValue::Plain(value) => format!("{name}={}", quote(value)),
            EnvValue::Secret { shown, .. } => format!("{name}=\"{shown}\""),
        });
        cwd.chain(env).collect()
    }

    /// The program, its arguments and its input.
    fn command(&self) -> Vec<String> {
        let args = self.args.iter().map(|arg| quote(&without_secrets(arg)));
        let input = self.stdin.iter().map(|stdin| match stdin {
            Stdin::File(path) => format!("< {}", quote(path.as_str())),
            Stdin::Secret(_) => "< (secret)".to_owned(),
        });
        std::iter::once(quote(&self.program)).chain(args).chain(input).collect()
    }
}

/// `arg` without the passwords of URLs (a mirror) and the tokens of a cache (`type=gha,token=...`).
fn without_secrets(arg: &str) -> String {
    let mut parts = arg.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['/', '?', ',', ' ', '\n', '"']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        let user = authority.rsplit_once('@').and_then(|(info, host)| {
            info.split_once(':').map(|(user, _)| format!("{user}:{HIDDEN}@{host}"))
        });
        clean = format!("{clean}://{}{rest}", user.as_deref().unwrap_or(authority));
    }
    if !clean.contains("type=gha") {
        return clean;
    }
    let field = |field: &str| match field.split_once('=') {
        Some((key, _)) if key.ends_with("token") => format!("{key}={HIDDEN}"),
        _ => field.to_owned(),
    };
    clean.split(',').map(field).collect::<Vec<_>>().join(",")
}

fn columns(text: &str) -> usize {
    text::columns(text.lines().last().unwrap_or_default())
}

/// Quotes `word` for a POSIX shell, if necessary.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
