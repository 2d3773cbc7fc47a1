//! Platform tags for other systems than Linux (`data/other-systems.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    system: Vec<System>,
}

/// A format of tags: a prefix, numbers and a suffix.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    name: String,
    prefix: String,
    /// The number of numbers after the prefix, each after a `_`.
    numbers: usize,
    ends: Vec<String>,
}

/// The system of a platform tag, if it is not Linux: `Windows` for `win_amd64`.
pub(crate) fn other_system(tag: &str) -> Option<&'static str> {
    static BUILTIN: LazyLock<File> = LazyLock::new(load);
    let file: &'static File = &BUILTIN;
    file.system.iter().find(|system| system.has(tag)).map(|system| system.name.as_str())
}

impl System {
    fn has(&self, tag: &str) -> bool {
        let Some(mut rest) = tag.strip_prefix(self.prefix.as_str()) else { return false };
        for _ in 0..self.numbers {
            let Some(number) = rest.strip_prefix('_') else { return false };
            rest = number.trim_start_matches(|each: char| each.is_ascii_digit());
            if rest.len() == number.len() {
                return false;
            }
        }
        self.ends.iter().any(|end| end == rest)
    }
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/other-systems.toml")).expect("the file is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_other_systems_are_recognized_by_format() {
        for (tag, system) in [
            ("win32", Some("Windows")),
            ("win_amd64", Some("Windows")),
            ("macosx_11_0_arm64", Some("macOS")),
            ("macosx_10_13_universal2", Some("macOS")),
            ("ios_13_0_arm64_iphoneos", Some("iOS")),
            ("android_24_arm64_v8a", Some("Android")),
            ("pyodide_2024_0_wasm32", Some("Emscripten")),
            ("pyemscripten_2026_0_wasm32", Some("Emscripten")),
            ("emscripten_3_1_58_wasm32", Some("Emscripten")),
            ("win_x86_64", None),
            ("macosx_arm64", None),
            ("macosx_11_arm64", None),
            ("macosx_11_0_", None),
            ("linux_x86_64", None),
            ("any", None),
        ] {
            assert_eq!(other_system(tag), system, "{tag}");
        }
    }
}
