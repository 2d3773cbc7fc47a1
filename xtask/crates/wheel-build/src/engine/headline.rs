//! The one line of a failed step's output that names the error, for the head of its message.

use std::ops::Range;

use camino::Utf8Path;

use super::excerpt::{CYTHON, is_error, is_noise, is_report, is_traceback, tracebacks};

/// A line of the excerpt of a failed step, and how to quote it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Headline {
    /// The error in one line, with its file and line if the tool names them.
    pub text: String,
    /// Index of its line.
    pub at: usize,
    /// Whether the line is an error, not just the last line.
    pub is_error: bool,
}

/// Errors that an error below explains.
const OUTER: [&str; 2] = ["error: failed to run custom build command", "error: linking with `"];

/// The first failed test of pytest in `lines`, or the first error of a compiler, linker or build system, or the
/// exception of a Python traceback, or the last line.
pub(crate) fn headline(lines: &[String]) -> Option<Headline> {
    let blocks = tracebacks(lines);
    let is_outside = |at: usize| !blocks.iter().any(|block| block.contains(&at));
    // The output of a test can look like an error.
    if let Some(at) = lines.iter().position(|line| is_failed_test(line)) {
        return Some(Headline { text: lines[at].trim().to_owned(), at, is_error: true });
    }
    let mut errors = (0..lines.len()).filter(|&at| is_error(&lines[at]) && is_outside(at));
    let is_outer = |at: &usize| OUTER.iter().any(|start| lines[*at].trim().starts_with(start));
    let error = errors.clone().find(|at| !is_outer(at)).or_else(|| errors.next());
    if let Some(at) = error {
        return Some(Headline { text: located(lines, at), at, is_error: true });
    }
    let Some(block) = blocks.last() else { return last_line(lines) };
    let found = exception(lines, block)?;
    // A report names the command that failed. The command printed the reason before.
    let before = lines.get(..block.start)?.iter().rev().find(|line| !is_noise(line));
    match before.filter(|_| is_report(&lines[block.clone()])) {
        Some(line) => Some(Headline { text: format!("{}; {}", line.trim(), found.text), ..found }),
        None => Some(found),
    }
}

/// The last line of a program that printed no known error.
fn last_line(lines: &[String]) -> Option<Headline> {
    let at = lines.iter().rposition(|line| !is_noise(line))?;
    Some(Headline { text: format!("last line: {}", lines[at].trim()), at, is_error: false })
}

/// The exception of the traceback `block`, with the last line of the package's code.
fn exception(lines: &[String], block: &Range<usize>) -> Option<Headline> {
    let inner = innermost(lines, block);
    let base = indent(inner.first()?.1);
    let is_end = |(_, line): &&(usize, &str)| indent(line) <= base && !is_traceback(line);
    let mut ends = inner.iter().filter(is_end);
    // Another process may print between the frames.
    let (at, line) = ends.clone().find(|(_, line)| is_exception(line)).or_else(|| ends.next())?;
    let text = with_next(lines, *at, line.trim());
    let place = place(&lines[block.clone()]);
    let text = place.map_or_else(|| text.clone(), |place| format!("{place}: {text}"));
    Some(Headline { text, at: *at, is_error: true })
}

/// The lines of `block`, or of the last exception in its exception group, without the margin.
fn innermost<'a>(lines: &'a [String], block: &Range<usize>) -> Vec<(usize, &'a str)> {
    let margin = |at: usize| lines[at].split_once('|').map(|(margin, _)| margin);
    let width = margin(block.end - 1).filter(|_| !is_traceback(&lines[block.start]));
    let inner = block.clone().filter_map(|at| match width {
        None => Some((at, lines[at].as_str())),
        Some(width) => {
            let rest = lines[at].strip_prefix(width)?.strip_prefix('|')?;
            Some((at, rest.strip_prefix(' ').unwrap_or(rest)))
        }
    });
    let inner: Vec<_> = inner.collect();
    let start = inner.iter().rposition(|(_, line)| is_traceback(line)).unwrap_or_default();
    inner[start..].to_vec()
}

/// Where the package's code called what failed, else where it failed.
fn place(lines: &[String]) -> Option<String> {
    let frames: Vec<String> = lines.iter().filter_map(|line| frame(line)).collect();
    // setuptools runs the text of setup.py. uv runs the text of the first frame.
    let is_setup = frames.iter().any(|place| place.contains("/setuptools/"));
    let is_own = |(index, place): &(usize, &String)| match place.split_once(':') {
        Some(("<string>", _)) => is_setup && *index > 0,
        _ if place.contains("-packages/") => !is_setup,
        _ => !["<frozen ", "/lib/python3.", "/lib64/python3."].iter().any(|it| place.contains(it)),
    };
    let own = frames.iter().enumerate().rfind(is_own).map(|(_, place)| place);
    let any = frames.iter().rfind(|place| !place.starts_with('<'));
    own.or(any).map(|place| place.replacen("<string>:", "setup.py:", 1))
}

/// `FAILED a.py::test - assert 0`, `ERROR a.py - ImportError: b`
fn is_failed_test(line: &str) -> bool {
    let rest = ["FAILED ", "ERROR "].iter().find_map(|word| line.strip_prefix(word));
    let name = rest.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    name.contains("::") || Utf8Path::new(name).extension() == Some("py")
}

/// The error at line `at`; several tools have the rest of it in the lines below.
fn located(lines: &[String], at: usize) -> String {
    let text = lines[at].trim().trim_start_matches("= note: ");
    let below = || lines.iter().skip(at + 1).map(|line| line.trim());
    if let Some(text) = text.strip_prefix("CMake Error at ") {
        let message = below().skip_while(|line| line.is_empty());
        let message = message.take_while(|line| !line.is_empty());
        let words: Vec<_> = std::iter::once(text).chain(message).collect();
        return with_next(lines, at + words.len() - 1, &words.join(" "));
    }
    if text == CYTHON {
        let is_rule = |line: &&str| line.starts_with("-----");
        let code = below().skip_while(is_rule).skip_while(|line| !is_rule(line));
        return code.skip(1).find(|line| !line.is_empty()).unwrap_or(text).to_owned();
    }
    if let Some((_, place)) = text.split_once(" panicked at ") {
        return with_next(lines, at, place);
    }
    if let Some(place) = below().next().and_then(|line| line.strip_prefix("--> ")) {
        return format!("{place}: {text}");
    }
    let own = at + 1 + lines[at + 1..].iter().take_while(|line| !is_error(line)).count();
    let causes = lines[at + 1..own].windows(2).filter(|pair| pair[0].trim() == "Caused by:");
    let cause = causes.map(|pair| pair[1].trim()).next_back();
    match cause.filter(|cause| !cause.starts_with("process didn't exit successfully")) {
        Some(cause) => format!("{text}: {cause}"),
        None => with_next(lines, at, text),
    }
}

/// `text` of line `at`. If it ends with a colon, the next line continues it.
fn with_next(lines: &[String], at: usize, text: &str) -> String {
    let next = lines.iter().skip(at + 1).map(|line| line.trim()).find(|line| !line.is_empty());
    match next.filter(|_| text.ends_with(':')) {
        Some(next) => format!("{text} {next}"),
        None => text.to_owned(),
    }
}

/// `ValueError: a`, `package.Error`
fn is_exception(line: &str) -> bool {
    let name = line.trim().split(':').next().unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c))
}

/// `setup.py:3` of `File "setup.py", line 3, in f`
fn frame(line: &str) -> Option<String> {
    let (file, rest) =
        line.trim_start_matches([' ', '|']).strip_prefix("File \"")?.split_once("\", line ")?;
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
