//! Text that can mislead neither a terminal nor its reader.

use std::fmt::Write as _;

/// Invisible characters, and those that change the text around them: control characters (C0, C1, DEL),
/// marks of direction (Unicode UAX 9), invisible ones, and separators of lines.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Escapes each hidden character as `\u{202e}`, apart from line breaks and tabs. Messages escape the names in them;
/// this is the last line of defence.
pub(super) fn printable(text: &str) -> String {
    let shown = |character: char| -> String {
        if is_hidden(character) && !matches!(character, '\n' | '\t') {
            character.escape_unicode().to_string()
        } else {
            character.to_string()
        }
    };
    let text = without_commands(text);
    if text.chars().any(is_hidden) { text.chars().map(shown).collect() } else { text }
}

/// Disables commands to CI runners with a space: `::` at the start of a line, and `##[`, `##vso[` and `##teamcity[`
/// anywhere (actions/runner, `ActionCommand.cs`).
pub(super) fn without_commands(text: &str) -> String {
    let inert = |line: &str| {
        let line = with_separated_hashes(line, "# #");
        let rest = line.trim_start();
        let blank = line.len() - rest.len();
        if rest.starts_with("::") {
            format!(
                "{}: :{}",
                line.get(..blank).unwrap_or_default(),
                rest.get(2..).unwrap_or_default()
            )
        } else {
            line
        }
    };
    text.split('\n')
        .map(|line| line.split('\r').map(inert).collect::<Vec<_>>().join("\r"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Replaces each `##` before a bracket, or before a word and a bracket, with `apart`.
fn with_separated_hashes(text: &str, apart: &str) -> String {
    let (mut output, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("##") {
        output.push_str(before);
        if after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('[') {
            output.push_str(apart);
            rest = after;
        } else {
            // The second one may be the first of another pair.
            output.push('#');
            rest = rest.get(before.len() + 1..).unwrap_or_default();
        }
    }
    output.push_str(rest);
    output
}

/// Escapes hidden characters in JSON as `\u202e`, and commands to CI runners. Outside of strings JSON has no hidden
/// characters but line breaks.
pub(super) fn json(text: &str) -> String {
    let text = with_separated_hashes(text, "#\\u0023");
    let is_layout = |character: char| character.is_ascii_control() && character != '\u{7f}';
    if !text.chars().any(|character| is_hidden(character) && !is_layout(character)) {
        return text;
    }
    let mut output = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) && !is_layout(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(output, "\\u{unit:04x}");
            }
        } else {
            output.push(character);
        }
    }
    output
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    const NAME: &str = "a\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{2066}\u{e0041}\n\té\u{301}漢\"\\";

    #[test]
    fn json_escapes_control_characters_and_keeps_its_values() {
        let value = serde_json::json!({ NAME: [NAME, 1] });
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.chars().all(|each| each == '\n' || !is_hidden(each)), "{text}");
        assert!(
            text.contains("\\u009b") && text.contains("\\u202e") && text.contains("é"),
            "{text}"
        );
    }

    #[test]
    fn no_line_is_a_command_to_a_ci_runner() {
        for (text, want) in [
            ("::error::x\n  ::set-env name=a::b", ": :error::x\n  : :set-env name=a::b"),
            ("a ##[error]x ##vso[task]y", "a # #[error]x # #vso[task]y"),
            ("###[x] ##teamcity[y ##a b[ ##", "## #[x] # #teamcity[y ##a b[ ##"),
            ("a\r::warning::x", "a\\u{d}: :warning::x"),
            ("std::io ## [a]\n", "std::io ## [a]\n"),
        ] {
            assert_eq!(printable(text), want);
        }
        let value = serde_json::json!(["::x", "##[error]y", "###teamcity[z"]);
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains("##[") && !text.contains("##t"), "{text}");
        assert_eq!(printable(&text), text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn messages_escape_control_characters() {
        let want = "a\\u{1b}[31m\\u{7f}\\u{9b}\\u{202e}\\u{2066}\\u{e0041}\n\té\u{301}漢\"\\";
        assert_eq!(printable(NAME), want);
        assert_eq!(printable(want), want);
    }
}
