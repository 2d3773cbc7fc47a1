//! Parses the words of the command line into a request.

use std::collections::BTreeSet;

use crate::config::{
    Config, Platform, Select, Target, build_identifier, find_target, image_name, parse_interpreter,
    suggested_interpreter,
};
use wheel_audit::UserError;
use wheel_audit::wheel::Interpreter;

/// The jobs that a run should execute.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Targets in the order of the command line, each with its platforms.
    pub targets: Vec<(Target, Vec<Platform>)>,
    /// Selected interpreters; empty for each target's own.
    pub pythons: Vec<Interpreter>,
    /// Patterns of build identifiers to include.
    pub only: Option<Select>,
    /// Patterns of build identifiers to exclude.
    pub skip: Option<Select>,
    /// True if each wheel needs a smoke test.
    pub smoke: bool,
}

/// Parses `words`: each is a platform (`linux/…`) or a target. Without a platform, a target of wheels.toml has its
/// own platforms, and any other image the `native` one. Empty `pythons` select each target's own.
///
/// # Errors
/// If a word is not valid. The error names it, with a hint.
pub(crate) fn parse_words(
    config: &Config,
    words: &[String],
    all: bool,
    pythons: &[String],
    native: &Platform,
) -> Result<Request, UserError> {
    let mut platforms: Vec<Platform> = Vec::new();
    let mut targets: Vec<Target> = if all { config.targets.clone() } else { Vec::new() };
    if let Some(word) = words.iter().find(|word| all && !word.starts_with("linux/")) {
        return Err(UserError::new(format!(
            "`--all` already selects every target, including `{word}`"
        ))
        .hint(format!("remove `--all` to build only `{word}`, or remove `{word}`")));
    }
    for word in words {
        if word.starts_with("linux/") {
            let near = || Platform::suggestion(word.trim_start_matches("linux/"));
            let platform = word.parse().map_err(|error: String| {
                meant(&error, near().map(|near| near.to_string()), "name a supported platform")
            })?;
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        } else {
            let target = find_target(config, word)?;
            if !targets.iter().any(|t| t.name == target.name) {
                targets.push(target);
            }
        }
    }
    if targets.is_empty() {
        let known: Vec<_> = config.targets.iter().map(|t| image_name(&t.image).known).collect();
        let first = known.first().map_or("debian:12", String::as_str);
        let message = format!("no target was selected (wheels.toml has {})", known.join(", "));
        return Err(UserError::new(message)
            .hint(format!("name a target and a platform, for example `{first} linux/amd64`")));
    }
    let with_platforms = |target: Target| {
        let own = || match target.platforms.as_slice() {
            [] => vec![native.clone()],
            listed => listed.to_vec(),
        };
        let chosen = if platforms.is_empty() { own() } else { platforms.clone() };
        (target, chosen)
    };
    Ok(Request {
        targets: targets.into_iter().map(with_platforms).collect(),
        pythons: parse_pythons(pythons)?,
        only: None,
        skip: None,
        smoke: true,
    })
}

impl Request {
    /// Build identifiers of all jobs before [`Self::only`] and [`Self::skip`].
    pub(crate) fn identifiers(&self) -> Vec<String> {
        let all = self
            .places()
            .map(|(target, platform, python)| build_identifier(python, target, platform));
        all.collect()
    }

    /// The interpreters of the jobs, each once.
    pub(crate) fn interpreters(&self) -> BTreeSet<Interpreter> {
        let is_selected = |(target, platform, python): &(&Target, &Platform, Interpreter)| {
            self.selects(&build_identifier(*python, target, platform))
        };
        self.places().filter(is_selected).map(|(.., python)| python).collect()
    }

    /// Each target, platform and interpreter, in the order of the jobs.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Target, &Platform, Interpreter)> {
        self.targets.iter().flat_map(move |(target, platforms)| {
            let pythons = if self.pythons.is_empty() { &target.pythons } else { &self.pythons };
            platforms.iter().flat_map(move |platform| {
                pythons.iter().map(move |&python| (target, platform, python))
            })
        })
    }

    /// Returns whether the request includes the job with this build identifier.
    pub(crate) fn selects(&self, identifier: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.matches(identifier))
            && !self.skip.as_ref().is_some_and(|skip| skip.matches(identifier))
    }
}

/// Hint: the interpreters that `--python` accepts.
const PYTHONS: &str = "write interpreters like `cp311`, `cp314t` or `pp311`";

/// `error` of a wrong word, with its likely meaning `near` as the hint, otherwise with `hint`.
fn meant(error: &str, near: Option<String>, hint: &str) -> UserError {
    let message = error.split(": did you mean").next().unwrap_or(error);
    let near = near.map(|near| format!("did you mean `{near}`?"));
    UserError::new(message).hint(near.as_deref().unwrap_or(hint))
}

/// Interpreters of the command line, comma-separated or repeated.
fn parse_pythons(words: &[String]) -> Result<Vec<Interpreter>, UserError> {
    let mut pythons = Vec::new();
    for word in words.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty()) {
        let python = parse_interpreter(word)
            .map_err(|error| meant(&error, suggested_interpreter(word), PYTHONS))?;
        if !pythons.contains(&python) {
            pythons.push(python);
        }
    }
    if pythons.is_empty() && !words.is_empty() {
        return Err(UserError::new("`--python` is empty").hint(PYTHONS));
    }
    Ok(pythons)
}
