//! Names of interpreters in `wheels.toml` and on the command line.

use serde::{Deserialize, Deserializer};
use wheel_audit::wheel::Interpreter;

/// Minor versions of Python 3 that are accepted, including those of the next years.
const SERIES: std::ops::RangeInclusive<u8> = 6..=20;

/// Parses the name of an interpreter, such as `cp313`, that exists or may exist soon.
///
/// # Errors
/// If the name is invalid, with the nearest valid one.
pub(crate) fn parse_interpreter(word: &str) -> Result<Interpreter, String> {
    let interpreter: Interpreter = word.parse().map_err(|error| match word.split_once('.') {
        Some(("3", minor)) if minor.parse::<u8>().is_ok() => {
            format!("{error}: did you mean `cp3{minor}`?")
        }
        _ => format!("{error}"),
    })?;
    let (major, minor) = interpreter.python_version();
    if major == 3 && SERIES.contains(&minor) {
        Ok(interpreter)
    } else {
        Err(format!("`{word}` is Python {major}.{minor}, which does not exist"))
    }
}

/// The likely meaning of `word`: `3.11`, `python3.11`, `py311`, `cp3.13t`, or a misspelt name.
pub(crate) fn suggestion(word: &str) -> Option<String> {
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    let lower = word.to_lowercase();
    let kinds = [("pypy", "pp"), ("graalpy", "gp")];
    let kind =
        kinds.iter().find(|(name, _)| lower.starts_with(name)).map_or("cp", |(_, kind)| kind);
    let end = if word.ends_with('t') { "t" } else { "" };
    let spelt = [format!("{kind}{digits}{end}"), format!("{kind}{digits}")];
    if !word.starts_with("pp")
        && !word.starts_with("gp")
        && let Some(text) = spelt.iter().find(|text| parse_interpreter(text).is_ok())
    {
        return Some(text.clone());
    }
    let all = SERIES.flat_map(|minor| ["cp", "pp", "gp"].map(|kind| format!("{kind}3{minor}")));
    let distance = |text: &String| strsim::damerau_levenshtein(text, word);
    all.min_by_key(distance).filter(|text| distance(text) == 1)
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Known(Interpreter);

impl TryFrom<String> for Known {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        parse_interpreter(&word).map(Self)
    }
}

/// Reads a list of interpreters.
pub(super) fn list<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Interpreter>, D::Error> {
    let known = Vec::<Known>::deserialize(input)?;
    Ok(known.into_iter().map(|known| known.0).collect())
}

/// Like [`list`], for an optional key.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<Vec<Interpreter>>, D::Error> {
    list(input).map(Some)
}
