//! Converts texts of help and docstrings to Markdown. Pure.

/// `text` in one line, with markup outside of code escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        is_code ^= c == '`';
        if !is_code && matches!(c, '<' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Like [`escaped`], with a full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut text = escaped(text);
    if !text.is_empty() && !text.ends_with(['.', ']', ':']) {
        text.push('.');
    }
    text
}
