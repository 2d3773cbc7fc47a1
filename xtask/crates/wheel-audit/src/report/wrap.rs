//! Lines that fit a terminal. Words and text between back-ticks are never broken.

use crate::text::columns;

/// The words of `text` in lines of at most `width` columns; `first` starts the first line, `next` the others.
///
/// A longer word, and a longer command between back-ticks, has a line to itself.
pub fn wrap(text: &str, width: usize, first: &str, next: &str) -> String {
    let mut lines = vec![first.to_owned()];
    let mut is_empty = true;
    for word in words(text) {
        let Some(line) = lines.last_mut() else { break };
        let needed = columns(line) + usize::from(!is_empty) + columns(&word);
        if is_empty || needed <= width {
            line.push_str(if is_empty { "" } else { " " });
            line.push_str(&word);
        } else {
            lines.push(format!("{next}{word}"));
        }
        is_empty = false;
    }
    lines.join("\n")
}

/// Each line of `text` that is too long, wrapped below its own indentation.
pub fn fold(text: &str, width: usize) -> String {
    let fold_line = |line: &str| {
        if columns(line) <= width {
            return line.to_owned();
        }
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        wrap(rest, width, indent, &format!("{indent}  "))
    };
    text.split('\n').map(fold_line).collect::<Vec<_>>().join("\n")
}

/// As [`fold`], but for the quoted output of other tools, which align their lines.
pub(super) fn fold_message(text: &str, width: usize) -> String {
    let is_quoted = |line: &str| line.trim_start().starts_with("| ");
    let line = |line: &str| if is_quoted(line) { line.to_owned() } else { fold(line, width) };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The words of `text`; text between back-ticks is one word.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // Index of the word in which a back-tick is open.
    let mut open: Option<usize> = None;
    for piece in text.split([' ', '\n']).filter(|piece| !piece.is_empty()) {
        let is_odd = piece.matches('`').count() % 2 == 1;
        words.push(piece.to_owned());
        open = match (open, is_odd) {
            (None, true) => Some(words.len() - 1),
            (Some(start), true) => {
                let joined = words.split_off(start).join(" ");
                words.push(joined);
                None
            }
            (open, false) => open,
        };
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_commands_are_not_split() {
        let text = "run `cargo xtask wheels debian:12` or /a/path/that/is/long, then look";
        let wrapped = wrap(text, 24, "hint: ", "  ");
        assert_eq!(
            wrapped,
            "hint: run\n  `cargo xtask wheels debian:12`\n  or\n  /a/path/that/is/long,\n  then look"
        );
        assert_eq!(words("a `b c").len(), 3, "an open back-tick joins nothing");
        assert_eq!(words("a ```b c").len(), 3);
    }

    #[test]
    fn a_line_has_columns_and_not_characters() {
        assert_eq!(wrap("轮子 轮子 轮子", 9, "", ""), "轮子 轮子\n轮子");
        assert_eq!(fold("e\u{301}e e", 4), "e\u{301}e e", "an accent takes no column");
        assert_eq!(fold("轮子 轮子", 8), "轮子\n  轮子");
    }

    #[test]
    fn lines_of_other_tools_stay_unchanged() {
        let long = "a b c d e f g h i j k l m n";
        let text = format!("error: {long}\n  | {long}\n\nhint: {long}");
        let folded = fold_message(&text, 20);
        assert!(folded.contains(&format!("\n  | {long}\n")), "{folded}");
        assert!(
            folded.lines().all(|line| line.len() <= 20 || line.starts_with("  | ")),
            "{folded}"
        );
    }
}
