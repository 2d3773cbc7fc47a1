//! Hosted workflows, generated from wheels.toml by a template for each service.

pub(crate) mod github;
pub(crate) mod gitlab;
mod tool;

pub(crate) use self::tool::Tool;

/// Version of Rust that compiles the tool and that this repository's checks use.
const RUST: &str = include_str!("rust.txt");

/// `word` as a YAML string. The configuration allows letters, digits, `.`, `_`, `-` and `/`.
fn yaml(word: &str) -> String {
    const OTHER: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && !OTHER.contains(&word.to_ascii_lowercase().as_str());
    if is_plain { word.to_owned() } else { format!("\"{word}\"") }
}
