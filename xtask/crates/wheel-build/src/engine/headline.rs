//! The one line of a failed step's output that names the error, for the head of its message.

use camino::Utf8Path;

use super::excerpt::{is_error, tracebacks};

/// A line of the excerpt of a failed step, and how to quote it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Headline {
    /// The error in one line, with its file and line if the tool names them.
    pub text: String,
    /// Index of its line.
    pub at: usize,
}

/// The first failed test of pytest in `lines`, or the first error of a compiler, linker or build system, or the
/// exception of a Python traceback.
pub(crate) fn headline(lines: &[String]) -> Option<Headline> {
    let blocks = tracebacks(lines);
    let is_outside = |at: usize| !blocks.iter().any(|block| block.contains(&at));
    // The output of a test can look like an error.
    if let Some(at) = lines.iter().position(|line| is_failed_test(line)) {
        return Some(Headline { text: lines[at].trim().to_owned(), at });
    }
    let error = (0..lines.len()).find(|&at| is_error(&lines[at]) && is_outside(at));
    if let Some(at) = error {
        return Some(Headline { text: located(lines, at), at });
    }
    let block = blocks.last()?;
    let mut frames = lines[block.clone()].iter().filter_map(|line| frame(line));
    let base = indent(&lines[block.start]);
    let mut ends = block.clone().skip(1).filter(|&at| indent(&lines[at]) <= base);
    // Another process may print between the frames.
    let at = ends.clone().find(|&at| is_exception(&lines[at])).or_else(|| ends.next())?;
    let exception = lines[at].trim();
    // setuptools runs the text of setup.py.
    let is_setup = lines[block.clone()].iter().any(|line| line.contains("/setuptools/"));
    let text = match frames.next_back() {
        Some(place) if is_setup => {
            format!("{}: {exception}", place.replacen("<string>:", "setup.py:", 1))
        }
        Some(place) => format!("{place}: {exception}"),
        None => exception.to_owned(),
    };
    Some(Headline { text, at })
}

/// `FAILED a.py::test - assert 0`, `ERROR a.py - ImportError: b`
fn is_failed_test(line: &str) -> bool {
    let rest = ["FAILED ", "ERROR "].iter().find_map(|word| line.strip_prefix(word));
    let name = rest.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    name.contains("::") || Utf8Path::new(name).extension() == Some("py")
}

/// The error at line `at`; rustc and `CMake` have the rest of it in the lines below.
fn located(lines: &[String], at: usize) -> String {
    let text = lines[at].trim();
    let mut below = lines.iter().skip(at + 1).map(|line| line.trim());
    if text.starts_with("CMake Error at ") {
        let message = below.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
        let words = std::iter::once(text.trim_start_matches("CMake Error at ")).chain(message);
        return words.collect::<Vec<_>>().join(" ");
    }
    let place = below.next().and_then(|line| line.strip_prefix("--> "));
    place.map_or_else(|| text.to_owned(), |place| format!("{place}: {text}"))
}

/// `ValueError: a`, `package.Error`
fn is_exception(line: &str) -> bool {
    let name = line.trim().split(':').next().unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c))
}

/// `setup.py:3` of `File "setup.py", line 3, in f`
fn frame(line: &str) -> Option<String> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("{file}:{number}"))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `text` without the version of the interpreter in paths, so that several jobs have the same error.
pub(crate) fn without_interpreter(text: &str) -> String {
    let mut result = text.to_owned();
    for mark in ["cpython-", "python3.", "/cp3", "pypy"] {
        let parts: Vec<&str> = result.split(mark).collect();
        let cut = |(index, part): (usize, &&str)| match index {
            0 => (*part).to_owned(),
            _ => part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned(),
        };
        result = parts.iter().enumerate().map(cut).collect::<Vec<_>>().join(mark);
    }
    result
}

#[cfg(test)]
#[path = "headline_tests.rs"]
mod tests;
