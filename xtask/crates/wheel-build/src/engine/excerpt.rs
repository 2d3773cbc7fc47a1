//! Finds the error in the output of a failed step: the lines of the compiler, the linker, the loader or
//! Python that explain the failure, anywhere in the output.

use std::collections::HashSet;
use std::ops::Range;

/// Maximum number of lines in an excerpt that has an error.
const MAX_LINES: usize = 24;
/// Number of last lines in an excerpt if no error is recognised.
const LAST_LINES: usize = 40;
/// Maximum number of lines of context before an error.
const MAX_LEAD: usize = 6;

/// The lines that show the error in a step's `output`; the last lines if no error is recognised.
///
/// Candidates are the errors of compilers, linkers and build systems, and the last traceback of Python, unless it
/// reports that another program failed. The last candidate ended the step; earlier ones fill the remaining lines.
pub(crate) fn excerpt(output: &[String]) -> Vec<String> {
    let output: Vec<String> = output.iter().map(|line| untagged(line).to_owned()).collect();
    let groups = groups(&output);
    let end = output.iter().rposition(|line| !is_noise(line)).map_or(0, |last| last + 1);
    let mut shown = Vec::new();
    let limit = if groups.len() > 1 { MAX_LINES / 2 } else { MAX_LINES };
    let mut left = MAX_LINES;
    for group in groups.iter().rev() {
        let lines = group.first(limit.min(left));
        left -= lines.len();
        shown.push(lines);
    }
    shown.reverse();
    let mut lines: Vec<usize> = shown.into_iter().flatten().collect();
    // If the only error is the last line, it often summarises the lines before it.
    if lines.is_empty() || matches!(&*lines, [only] if only + 1 == end) {
        lines = (end.saturating_sub(LAST_LINES)..end).collect();
    }
    let lines = lines.into_iter().filter_map(|at| output.get(at).cloned());
    dedent(&lines.collect::<Vec<_>>())
}

/// The last lines of a step's `output`.
pub(super) fn last(output: &[String]) -> Vec<String> {
    let end = output.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    output.get(end.saturating_sub(LAST_LINES)..end).unwrap_or_default().to_vec()
}

/// A line without the interpreter prefix of `build-all.sh`, such as `[cp311] `.
pub(crate) fn untagged(line: &str) -> &str {
    let rest = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let is_id = |name: &str| {
        let digits = name.strip_prefix("cp").or(name.strip_prefix("pp")).unwrap_or_default();
        let digits = digits.strip_suffix('t').unwrap_or(digits);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match rest {
        Some((name, text)) if is_id(name) => text.strip_prefix(' ').unwrap_or(text),
        _ => line,
    }
}

/// The lines about one failure of one tool.
struct Group {
    /// Their numbers, in ascending order.
    lines: Vec<usize>,
    /// How many of the first ones to show; the rest of the excerpt shows the end.
    head: usize,
}

impl Group {
    /// The numbers of `count` lines: the first errors of a compiler, which cause the others. For a traceback, the
    /// head, and the exception at its end.
    fn first(&self, count: usize) -> Vec<usize> {
        let (head, rest) = self.lines.split_at(self.head.min(count).min(self.lines.len()));
        let end = rest.len().saturating_sub(count - head.len());
        head.iter().chain(&rest[end..]).copied().collect()
    }
}

/// Possible causes of the failure, in the order of the output.
fn groups(output: &[String]) -> Vec<Group> {
    let survived = output.iter().rposition(|line| is_optional_failure(line)).map_or(0, |at| at + 1);
    let (reports, causes): (Vec<_>, Vec<_>) = tracebacks(output)
        .into_iter()
        .filter(|block| block.start >= survived)
        .partition(|block| is_report(output.get(block.clone()).unwrap_or_default()));
    let mut groups = errors(output, survived, &causes);
    let group = |block: &Range<usize>| Group { lines: block.clone().collect(), head: 1 };
    groups.extend(causes.last().map(group));
    if let (true, Some(last)) = (groups.is_empty(), reports.last()) {
        // The program that failed printed its error before the reports.
        let adjacent = reports.windows(2).rev().take_while(|pair| pair[0].end == pair[1].start);
        let first = adjacent.last().map_or(last, |pair| &pair[0]);
        let start = first.start.saturating_sub(MAX_LEAD).max(survived);
        groups.push(Group { lines: (start..last.end).collect(), head: first.start + 1 - start });
    }
    groups.sort_by_key(|group| group.lines.first().copied());
    groups
}

/// The errors from line `start` on that are outside the `tracebacks`. Errors with only diagnostics between them
/// form one group.
fn errors(output: &[String], start: usize, tracebacks: &[Range<usize>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let inside: HashSet<usize> = tracebacks.iter().cloned().flatten().collect();
    let (mut at, mut joined) = (start, false);
    while let Some(line) = output.get(at) {
        if is_error(line) && !inside.contains(&at) {
            let end = block_end(output, at);
            let lead = lead(output, at).max(start);
            match groups.last_mut().filter(|_| joined) {
                Some(group) => group.lines.extend(lead..end),
                None => groups.push(Group { lines: (lead..end).collect(), head: usize::MAX }),
            }
            (at, joined) = (end, true);
        } else {
            joined = joined && is_diagnostic(line);
            at += 1;
        }
    }
    groups
}

/// Returns whether a line can be between two errors of one run of a compiler.
fn is_diagnostic(line: &str) -> bool {
    let text = line.trim_start();
    let words = [": warning: ", ": note: ", ": At top level:"];
    text.is_empty()
        || indent(line) > 0
        || is_lead(text)
        || is_quote(text)
        || text.starts_with('|')
        || words.iter().any(|words| text.contains(words))
}

/// Returns whether setuptools continues after a failure, because the extension is optional.
fn is_optional_failure(line: &str) -> bool {
    line.split_once("building extension \"").is_some_and(|(_, rest)| rest.contains("\" failed: "))
}

/// The first line of an error of Cython.
pub(super) const CYTHON: &str = "Error compiling Cython file:";

/// Text that only errors of compilers, linkers, loaders and build systems contain, and text with hints in
/// `failure.rs`.
const ERRORS: [&str; 28] = [
    ": error: ",
    ": Error: ",
    ": fatal error: ",
    ": internal compiler error: ",
    ": ERROR: ",
    "undefined reference to `",
    ": multiple definition of `",
    "ld: cannot find ",
    "mold: fatal: ",
    "error: linking with `",
    "error while loading shared libraries: ",
    ": symbol lookup error: ",
    "Error loading shared library ",
    "Error relocating ",
    CYTHON,
    "*** No rule to make target ",
    ": command not found",
    " panicked at ",
    "error occurred in cc-rs: ",
    "signal: 9, SIGKILL",
    "No space left on device",
    "no space left on device",
    "Illegal instruction",
    "certificate verify failed",
    "the compiler unexpectedly panicked",
    "E: Unable to locate package ",
    "No match for argument: ",
    " (no such package):",
];

/// Reports that another program failed. They are not causes.
const CONSEQUENCES: [&str; 13] = [
    "collect2: error: ld returned",
    "linker command failed",
    "error: command '",
    "error: Command '",
    "error: Failed to build ",
    "error: recipe `",
    "error: no wheel was built for:",
    "  cause: The build backend returned an error",
    "  cause: Call to `",
    "error: subprocess-exited-with-error",
    "error: could not compile ",
    "error: aborting due to ",
    "error: metadata-generation-failed",
];

pub(super) fn is_error(line: &str) -> bool {
    // A warning can quote an error.
    let reported = [": warning: ", ": note: "].iter().filter_map(|words| line.find(words)).min();
    let line = &line[..reported.unwrap_or(line.len())];
    let text = line.trim_start();
    let rustc = text.starts_with("error[E") || (text.starts_with("error: ") && line == text);
    let cmake = text.starts_with("CMake Error at ") || text.starts_with("CMake Error: ");
    let killed = text.trim_end() == "Killed";
    // `sh: 1: swig: not found`, `make: swig: No such file or directory`
    let absent = text.contains("sh: ") && text.ends_with(": not found")
        || text.starts_with("make") && text.ends_with(": No such file or directory");
    let known =
        rustc || cmake || killed || absent || ERRORS.iter().any(|words| text.contains(words));
    // The compiler quotes the line of the source.
    known && !is_quote(text) && !is_consequence(line)
}

/// Except for a command that could not be started or was killed, which printed nothing itself.
fn is_consequence(line: &str) -> bool {
    let is_cause = line.contains("' failed: ") || line.contains("' died with <Signals.");
    !is_cause && CONSEQUENCES.iter().any(|words| line.contains(words))
}

/// The end of the block of the error at `at`. Its lines are indented deeper, quote the source, or continue the
/// report of the same tool. `CMake` and cargo separate their paragraphs by empty lines. The output of cargo's
/// build scripts is separate.
fn block_end(output: &[String], at: usize) -> usize {
    let Some(first) = output.get(at) else { return at };
    let base = indent(first);
    let start = first.trim_start();
    if start == CYTHON {
        // The code is between two rules, and the error is below them.
        let rest = output.iter().enumerate().skip(at + 1);
        let rules = rest.filter(|(_, line)| line.trim_start().starts_with("-----"));
        return rules.take(2).last().map_or(at + 1, |(rule, _)| output.len().min(rule + 2));
    }
    let paragraphs = start.starts_with("CMake Error") || start.starts_with("error: failed to ");
    let panic = start.contains(" panicked at ");
    let mut end = at + 1;
    for (index, line) in output.iter().enumerate().skip(at + 1) {
        let text = line.trim_start();
        let belongs = indent(line) > base
            || panic && !text.starts_with("note: ")
            || text.starts_with('|')
            || text.starts_with("= note: ")
            || text.contains(": note: ")
            || paragraphs && (text.starts_with("Call Stack (") || text == "Caused by:")
            || is_quote(text);
        if text.is_empty() && paragraphs {
            continue;
        }
        if text.is_empty() || !belongs || text == "--- stdout" || text == "--- stderr" {
            break;
        }
        end = index + 1;
    }
    end
}

/// The first of the lines before the error at `at` that lead to it: `In file included from`, `In function`, and the
/// place where the package uses a template.
fn lead(output: &[String], at: usize) -> usize {
    let before = output.get(..at).unwrap_or_default();
    at - before.iter().rev().take(MAX_LEAD).take_while(|line| is_lead(line.trim_start())).count()
}

fn is_lead(text: &str) -> bool {
    text.starts_with("In file included from ")
        || text.starts_with("from ")
        || text.contains(": In ")
        || text.contains(": in function `")
        || text.contains(":   required ")
        || text.contains(":   recursively required ")
        || text.contains(":   [ skipping ")
        || text.ends_with(": Assembler messages:")
}

/// `   12 | code`, which is how gcc, clang and rustc quote a line.
fn is_quote(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.len() < text.len() && digits.trim_start().starts_with('|')
}

/// The ranges of Python's tracebacks. That of an exception group ends with its first innermost exception.
pub(super) fn tracebacks(output: &[String]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut group_end = 0;
    for (start, first) in output.iter().enumerate() {
        let rest = output.get(start + 1..).unwrap_or_default();
        let is_group = first.trim_start().starts_with("+ Exception Group Traceback");
        let length = if is_group && start < group_end {
            continue;
        } else if is_group {
            let is_inner = |line: &&String| line.trim_start().starts_with(['|', '+']);
            let is_end = |line: &&String| line.trim_start().starts_with("+--");
            rest.iter().take_while(|line| is_inner(line) && !is_end(line)).count()
        } else if is_traceback(first) {
            traceback_length(indent(first), rest)
        } else {
            continue;
        };
        let end = start + 1 + length;
        if is_group {
            group_end = end;
        }
        blocks.push(start..end);
    }
    blocks
}

pub(super) fn is_traceback(line: &str) -> bool {
    line.trim_start().starts_with("Traceback (most recent call last):")
}

/// The number of lines of a traceback after its first one, which `base` indents.
fn traceback_length(base: usize, rest: &[String]) -> usize {
    let frames = rest.iter().take_while(|line| indent(line) > base).count();
    let message = rest.get(frames..).unwrap_or_default();
    // The exception may have several lines, and the first one may have no text.
    let blank = match message {
        [name, below @ ..] if name.trim_end().ends_with(':') => {
            below.iter().take_while(|line| line.trim().is_empty()).count()
        }
        _ => 0,
    };
    let is_message = |(at, line): &(usize, &String)| {
        let is_text = !line.trim().is_empty() || (1..=blank).contains(at);
        is_text && !is_consequence(line) && !is_traceback(line)
    };
    frames + message.iter().enumerate().take_while(is_message).take(MAX_LINES / 2).count()
}

/// Returns whether a traceback reports that another program failed, which explained the failure itself.
pub(super) fn is_report(traceback: &[String]) -> bool {
    let names = ["CalledProcessError", "CompileError", "LinkError", "DistutilsExecError"];
    let has = |word: &str| traceback.iter().any(|line| line.contains(word));
    names.into_iter().any(has) && !has("died with <Signals.")
}

/// Last lines without information: general advice, and programs whose part failed.
const NOISE: [&str; 12] = [
    "[stdout]",
    "[stderr]",
    "hint: This usually indicates a problem",
    "hint: Build failures usually indicate",
    "Building wheel...",
    "ninja: build stopped: ",
    "*** CMake build failed",
    "*** CMake configuration failed",
    "Error: command [",
    "TIP pass --",
    "ERROR Backend subprocess exited",
    "\u{1f4a5} maturin failed",
];

/// Returns whether a last line is useless: empty, a report of another program's failure, or general advice.
pub(super) fn is_noise(line: &str) -> bool {
    let text = line.trim();
    let is_make = text.starts_with("make") && text.contains(": *** [");
    text.is_empty()
        || is_make
        || is_consequence(line)
        || NOISE.iter().any(|start| text.starts_with(start))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// `lines` without their common indentation.
fn dedent(lines: &[String]) -> Vec<String> {
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let common = full.map(|line| indent(line)).min().unwrap_or_default();
    lines.iter().map(|line| line.get(common..).unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
#[path = "excerpt_tests.rs"]
mod tests;
