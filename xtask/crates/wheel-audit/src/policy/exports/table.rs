//! Searches sorted lines of text in place, without parsing or allocation.

use std::cmp::Ordering;

/// The rest of the line with the first word `key`. Lines are sorted by the bytes of their first word.
pub(super) fn find<'a>(table: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = table;
    while !rest.is_empty() {
        let (before, line, after) = middle_line(rest)?;
        let (word, values) = line.split_once(' ').unwrap_or((line, ""));
        rest = match key.as_bytes().cmp(word.as_bytes()) {
            Ordering::Equal => return Some(values),
            Ordering::Less => before,
            Ordering::Greater => after,
        };
    }
    None
}

/// The line with the middle byte, and the text before and after it.
fn middle_line(text: &str) -> Option<(&str, &str, &str)> {
    let bytes = text.as_bytes();
    let (head, tail) = bytes.split_at_checked(bytes.len() / 2)?;
    let start = memchr::memrchr(b'\n', head).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', tail).map_or(bytes.len(), |at| head.len() + at);
    let after = text.get(end + 1..).unwrap_or_default();
    Some((text.get(..start)?, text.get(start..end)?, after))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exactly_the_existing_lines_are_found(
            rows in prop::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_.@$]{0,6}", "[A-Z0-9=. ]{0,8}", 0..40),
            others in prop::collection::vec("[a-zA-Z_]{0,3}", 0..20),
        ) {
            let rows: BTreeMap<String, String> = rows;
            let lines = rows.iter().map(|(key, value)| format!("{key} {value}\n"));
            let table: String = lines.collect();
            for (key, value) in &rows {
                prop_assert_eq!(find(&table, key), Some(value.as_str()));
            }
            for other in others {
                prop_assert_eq!(find(&table, &other), rows.get(&other).map(String::as_str));
            }
        }

        #[test]
        fn the_search_ends_for_any_table(table in "[ -~\n]{0,200}", key in "[ -~]{0,10}") {
            let _ = find(&table, &key);
        }
    }
}
