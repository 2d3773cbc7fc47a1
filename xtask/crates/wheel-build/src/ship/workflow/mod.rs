//! Hosted workflows, written from wheels.toml: the same plan for each service, as a template with its places filled in.

pub(crate) mod github;
pub(crate) mod gitlab;
mod tool;

pub(crate) use self::tool::Tool;

/// The Rust that compiles the tool, and that this repository's own checks use.
const RUST: &str = include_str!("rust.txt");

/// `word` as YAML takes it for a string: the configuration allows letters, digits, `.`, `_`, `-` and `/`.
fn yaml(word: &str) -> String {
    const OTHER: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && !OTHER.contains(&word.to_ascii_lowercase().as_str());
    if is_plain { word.to_owned() } else { format!("\"{word}\"") }
}
