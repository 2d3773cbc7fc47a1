//! Checks requirements in `Requires-Dist` (`PyPA`, "Dependency specifiers", PEP 508) with the grammar of
//! `packaging`, which pip uses.
//!
//! `pep508_rs` would add 35 crates, such as regular expressions and Unicode tables for URLs.

use pep440_rs::VersionSpecifier;

use crate::text::shown;

/// The variables of a marker (`packaging`, `_tokenizer.py`), in both spellings.
const VARIABLES: [&str; 20] = [
    "python_version",
    "python_full_version",
    "os_name",
    "os.name",
    "sys_platform",
    "sys.platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform.version",
    "platform_machine",
    "platform.machine",
    "platform_python_implementation",
    "platform.python_implementation",
    "python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
    "extras",
    "dependency_groups",
];
const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
/// Maximum depth of parentheses in a marker.
const MAX_DEPTH: usize = 32;

/// The reason why pip cannot parse a requirement, as a clause for messages. `None` if it can.
pub(crate) fn requirement_fault(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text.trim() };
    requirement(&mut reader).err()
}

/// Returns whether it is a valid name of a project or extra (PEP 508, `Names`).
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |each: char| each.is_ascii_alphanumeric();
    name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|each| plain(each) || "._-".contains(each))
}

type Parsed = Result<(), String>;

fn requirement(reader: &mut Reader<'_>) -> Parsed {
    reader.name().ok_or("no project name at its start")?;
    if reader.take("[") {
        extras(reader)?;
    }
    if reader.take("@") {
        reader.blank();
        let url = reader.until(char::is_whitespace);
        if url.is_empty() {
            return Err("no URL after `@`".to_owned());
        }
    } else {
        specifiers(reader)?;
    }
    reader.blank();
    if reader.rest.is_empty() {
        return Ok(());
    }
    if !reader.take(";") {
        return Err(format!("unexpected `{}`", shown(reader.rest)));
    }
    marker(reader, 0)?;
    reader.blank();
    let rest = reader.rest;
    if rest.is_empty() { Ok(()) } else { Err(format!("unexpected `{}`", shown(rest))) }
}

fn extras(reader: &mut Reader<'_>) -> Parsed {
    let mut is_wanted = false;
    loop {
        let name = reader.name();
        if name.is_none() && is_wanted {
            return Err("no extra after `,`".to_owned());
        }
        is_wanted = name.is_some() && reader.take(",");
        if !is_wanted {
            return if reader.take("]") { Ok(()) } else { Err("`]` is missing".to_owned()) };
        }
    }
}

fn specifiers(reader: &mut Reader<'_>) -> Parsed {
    let is_inside = reader.take("(");
    let list = reader.until(|each| each == ';' || is_inside && each == ')');
    let parts: Vec<&str> = list.split(',').map(str::trim).collect();
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate() {
        // A trailing comma is valid.
        let is_end = part.is_empty() && index == last;
        if !is_end && !is_specifier(part) {
            return Err(format!("`{}` is not a version specifier", shown(part)));
        }
    }
    if is_inside && !reader.take(")") {
        return Err("`)` is missing".to_owned());
    }
    Ok(())
}

fn is_specifier(text: &str) -> bool {
    match text.strip_prefix("===") {
        // `===` compares arbitrary text.
        Some(version) => {
            let version = version.trim();
            !version.is_empty() && !version.contains([' ', '\t', ')'])
        }
        None => text.parse::<VersionSpecifier>().is_ok(),
    }
}

/// Parses comparisons joined by `and` and `or`, with parentheses.
fn marker(reader: &mut Reader<'_>, depth: usize) -> Parsed {
    loop {
        if reader.take("(") {
            if depth == MAX_DEPTH {
                return Err("too many parentheses".to_owned());
            }
            marker(reader, depth + 1)?;
            if !reader.take(")") {
                return Err("`)` is missing".to_owned());
            }
        } else {
            operand(reader)?;
            operator(reader)?;
            operand(reader)?;
        }
        if !reader.word("and") && !reader.word("or") {
            return Ok(());
        }
    }
}

fn operand(reader: &mut Reader<'_>) -> Parsed {
    for quote in ["'", "\""] {
        if reader.take(quote) {
            let _ =
                reader.until(|each| each == '\'' && quote == "'" || each == '"' && quote == "\"");
            let is_closed = reader.take_adjacent(quote);
            return if is_closed { Ok(()) } else { Err(format!("`{quote}` is missing")) };
        }
    }
    let is_of_word = |each: char| each.is_ascii_alphanumeric() || "._".contains(each);
    reader.blank();
    let word = reader.until(|each| !is_of_word(each));
    if VARIABLES.contains(&word) {
        Ok(())
    } else {
        Err(format!("`{}` is not a marker variable", shown(word)))
    }
}

fn operator(reader: &mut Reader<'_>) -> Parsed {
    if OPERATORS.iter().any(|operator| reader.take(operator))
        || reader.word("in")
        || reader.word("not") && reader.word("in")
    {
        return Ok(());
    }
    Err("a marker without a comparison".to_owned())
}

/// The rest of the text.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Skips whitespace. Folded headers contain line breaks.
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Reads this token after whitespace.
    fn take(&mut self, token: &str) -> bool {
        self.blank();
        self.take_adjacent(token)
    }

    fn take_adjacent(&mut self, token: &str) -> bool {
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Reads this word after whitespace, if no letter follows.
    fn word(&mut self, word: &str) -> bool {
        self.blank();
        let is_of_word = |each: char| each.is_alphanumeric() || each == '_';
        match self.rest.strip_prefix(word).filter(|after| !after.starts_with(is_of_word)) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (text, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        text
    }

    /// Reads a name, which ends in a letter, a digit or `_`.
    fn name(&mut self) -> Option<&'a str> {
        self.blank();
        let rest = self.rest;
        let is_of_name = |each: char| each.is_ascii_alphanumeric() || "._-".contains(each);
        let longest = rest.split(|each| !is_of_name(each)).next().unwrap_or_default();
        let name = longest.trim_end_matches(['.', '-']);
        if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return None;
        }
        self.rest = rest.get(name.len()..).unwrap_or_default();
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `packaging` 26.4 accepts all of them.
    #[test]
    fn valid_requirements_have_no_fault() {
        for text in [
            "a",
            "A.b-c_d ",
            "a>=1.0",
            "a (>=1.0)",
            "a(>=1.0,<2)",
            "a ( >= 1.0, != 1.5.* ) ; extra == 'x'",
            "a[x,y]>=1,",
            "a[]",
            "a ()",
            "a===as-it-is",
            "a~=1.4.2;python_version<'3' and (os_name=='nt'or sys.platform != \"linux\")",
            "a; 'x' in extras and python_version not in '2.7, 3.0'",
            "a @ https://example.org/a.whl",
            "a@ file:///a.whl ; extra == 'x'",
            "a==1.0+local",
        ] {
            assert_eq!(requirement_fault(text), None, "{text}");
        }
    }

    #[test]
    fn invalid_requirements_have_a_fault() {
        for text in [
            "",
            "-a",
            "a b",
            "a (>=5.1.*)",
            "a (>=7.0<=8.0)",
            "a (>=0.045b>=0.5.0); extra == 'all')",
            "a (>dev)",
            "a >= 1.0, , <2",
            "a,",
            "a>=1,,",
            "a===as it-is",
            "a (>=1.0",
            "a[x",
            "a[x,]",
            "a @",
            "a~=1",
            "a>=1.0+local",
            "a;",
            "a; python == '3'",
            "a; python_version",
            "a; python_version >= '3",
            "a; python_version >= '3' or",
            "a; (python_version >= '3'",
            "a; python_version >= '3' extra == 'x'",
            "a @ https://example.org/a.whl; extra == 'x'extra",
        ] {
            assert!(requirement_fault(text).is_some(), "{text}");
        }
        let deep = format!("a; {}os_name == 'x'{}", "(".repeat(99), ")".repeat(99));
        assert!(requirement_fault(&deep).is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "[a-z0-9 ();,@<>=!~'\"._\\[\\]é-]{0,60}") {
            let _ = requirement_fault(&text);
        }
    }
}
