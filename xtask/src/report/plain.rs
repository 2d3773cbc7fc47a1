//! Text without anything that a terminal, or whoever reads it, could be misled by.

use std::fmt::Write as _;

/// Characters that show nothing and change what is shown around them: control characters (C0, C1, DEL),
/// marks of direction (Unicode UAX 9), invisible ones, and separators of lines.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with each such character written out as `\u{202e}`; line breaks and tabs stay, since
/// messages are made of them. Names in messages are escaped where the message is made; this is for
/// those that nobody thought of.
pub(super) fn printable(text: &str) -> String {
    let shown = |character: char| -> String {
        if is_hidden(character) && !matches!(character, '\n' | '\t') {
            character.escape_unicode().to_string()
        } else {
            character.to_string()
        }
    };
    if text.chars().any(is_hidden) { text.chars().map(shown).collect() } else { text.to_owned() }
}

/// The same content with each such character as `\u202e`: outside of strings JSON has none but line
/// breaks, and those in strings are escaped already.
pub(super) fn json(text: String) -> String {
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
    fn json_shows_what_it_holds_and_holds_the_same() {
        let value = serde_json::json!({ NAME: [NAME, 1] });
        let text = json(serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.chars().all(|each| each == '\n' || !is_hidden(each)), "{text}");
        assert!(
            text.contains("\\u009b") && text.contains("\\u202e") && text.contains("é"),
            "{text}"
        );
    }

    #[test]
    fn messages_show_what_they_hold() {
        let want = "a\\u{1b}[31m\\u{7f}\\u{9b}\\u{202e}\\u{2066}\\u{e0041}\n\té\u{301}漢\"\\";
        assert_eq!(printable(NAME), want);
        assert_eq!(printable(want), want);
    }
}
