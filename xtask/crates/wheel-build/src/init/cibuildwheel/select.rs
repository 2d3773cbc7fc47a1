//! Options of cibuildwheel that select builds. Pure.

use glob::Pattern;
use toml::Value;
use wheel_audit::wheel::Interpreter;

use super::values::strings;
use crate::config::parse_interpreter;
use crate::init::project::{FREE_THREADED, Project, SERIES};

/// Options and reasons.
type Left = Vec<(&'static str, String)>;
/// Architectures in build identifiers, and the platforms of the default targets.
const PLATFORMS: [(&str, &str); 2] = [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64")];

/// The words of a string or a list, without braces.
///
/// # Errors
/// If a word is not a pattern.
pub(super) fn patterns(value: &Value) -> Result<Vec<Pattern>, String> {
    let parse = |word: String| match Pattern::new(&word) {
        Ok(pattern) if !word.contains(['{', '}']) => Ok(pattern),
        _ => Err(format!("the pattern `{word}` is not supported")),
    };
    let text = strings(value)?.join(" ");
    text.split_whitespace().flat_map(expand).map(parse).collect()
}

/// The alternatives of braces: `cp{312,313}-*` becomes `cp312-*` and `cp313-*`.
fn expand(word: &str) -> Vec<String> {
    match word.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (alternatives, tail))) if alternatives.contains(',') => {
            alternatives.split(',').map(|each| format!("{head}{each}{tail}")).collect()
        }
        _ => vec![word.to_owned()],
    }
}

/// The architectures and platforms that `archs` names; all if it names none.
pub(super) fn platforms(archs: &[Pattern], left: &mut Left) -> (Vec<&'static str>, Vec<String>) {
    let words: Vec<_> = archs.iter().flat_map(|it| it.as_str().split(',')).collect();
    let is_other =
        |word: &&str| !word.is_empty() && !PLATFORMS.iter().any(|(arch, _)| arch == word);
    let others = quoted(words.iter().copied().filter(is_other));
    if !others.is_empty() {
        let why = format!("name the platforms for {others} in `platforms` of a `[[target]]`");
        left.push(("archs", why));
    }
    let has_any = PLATFORMS.iter().any(|(arch, _)| words.contains(arch));
    let chosen = PLATFORMS.iter().filter(|(arch, _)| !has_any || words.contains(arch));
    chosen.map(|(arch, platform)| (*arch, (*platform).to_owned())).unzip()
}

/// Returns the words in one line.
fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Build identifiers of an interpreter.
fn builds(python: &str, system: &str, arches: &[&str]) -> Vec<String> {
    arches.iter().map(|arch| format!("{python}-{system}_{arch}")).collect()
}

/// The interpreters that `build` and `skip` select. Empty if there are none.
pub(super) fn pythons(
    build: &[Pattern],
    skip: &[Pattern],
    arches: &[&str],
    project: &Project,
    left: &mut Left,
) -> Vec<String> {
    // Other interpreters only if a pattern names them.
    let named = build.iter().filter_map(|it| it.as_str().split('-').next());
    let named = named.filter(|word| word.starts_with("cp")).map(str::to_owned);
    let series = SERIES.map(|minor| format!("cp3{minor}"));
    let free_threaded = FREE_THREADED.map(|minor| format!("cp3{minor}t"));
    let all = series.chain(free_threaded).chain(named);
    let mut all: Vec<Interpreter> = all.filter_map(|word| parse_interpreter(&word).ok()).collect();
    all.retain(|it| project.allows(it.python_version().1));
    all.sort();
    all.dedup();
    let count = |pattern: &Pattern, python: &Interpreter| {
        let builds = builds(&python.to_string(), "manylinux", arches);
        builds.iter().filter(|build| pattern.matches(build)).count()
    };
    for (option, pattern) in
        build.iter().map(|it| ("build", it)).chain(skip.iter().map(|it| ("skip", it)))
    {
        let counts: Vec<_> = all.iter().map(|it| count(pattern, it)).collect();
        if counts.iter().any(|&count| 0 < count && count < arches.len()) {
            left.push((option, format!("no key selects single builds, as `{pattern}` does")));
        } else if option == "build" && counts.iter().all(|&count| count == 0) {
            left.push((option, format!("`{pattern}` selects no build of this file")));
        }
    }
    all.retain(|it| {
        let is_built = build.is_empty() || build.iter().any(|pattern| count(pattern, it) > 0);
        is_built && !skip.iter().any(|pattern| count(pattern, it) == arches.len())
    });
    all.iter().map(ToString::to_string).collect()
}

/// The patterns of `test-skip` that select the same builds here.
pub(super) fn untested(
    patterns: &[Pattern],
    pythons: &[String],
    arches: &[&str],
    left: &mut Left,
) -> Vec<String> {
    let selected = |pattern: &Pattern, system: &str| -> Vec<bool> {
        let all = pythons.iter().flat_map(|python| builds(python, system, arches));
        all.map(|build| pattern.matches(&build)).collect()
    };
    let is_same = |pattern: &&Pattern| {
        let ours = selected(pattern, "debian12");
        ours.contains(&true) && ours == selected(pattern, "manylinux")
    };
    let (same, other): (Vec<_>, Vec<_>) = patterns.iter().partition(is_same);
    let selects = |it: &&&Pattern| selected(it, "manylinux").contains(&true);
    let (partly, none): (Vec<_>, Vec<_>) = other.into_iter().partition(|it| selects(&it));
    for (patterns, why) in [(none, "this file has none"), (partly, "no key selects them")] {
        if !patterns.is_empty() {
            let patterns = quoted(patterns.iter().map(|it| it.as_str()));
            left.push(("test-skip", format!("builds that match {patterns}: {why}")));
        }
    }
    same.into_iter().map(ToString::to_string).collect()
}
