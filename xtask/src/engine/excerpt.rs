//! Finds the error in the output of a failed step: the lines of the compiler, the linker, the loader or
//! Python that say what went wrong, wherever they are.

/// Maximum number of lines in an excerpt that has an error.
const MAX_LINES: usize = 24;
/// Number of last lines in an excerpt where no error is recognized.
const LAST_LINES: usize = 40;
/// Maximum number of lines of context before an error.
const MAX_LEAD: usize = 6;

/// The lines that show the error in a step's `output`; the last lines where none is recognized.
///
/// The first errors of compilers, linkers and build systems come before tracebacks of Python, which mostly
/// report that a compiler failed. Of several tracebacks the last counts that is no such report.
pub(super) fn excerpt(output: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < output.len() && found.len() < MAX_LINES {
        if output.get(at).is_some_and(|line| is_error(line)) {
            let end = block_end(output, at);
            let lead = lead(output, at).max(at.saturating_sub(MAX_LEAD));
            found.extend(output.get(lead..end).unwrap_or_default().iter().cloned());
            at = end;
        } else {
            at += 1;
        }
    }
    found.truncate(MAX_LINES);
    let end = output.iter().rposition(|line| !is_noise(line)).map_or(0, |last| last + 1);
    // An error that is the last line, and the only one, often sums up what the lines before it report.
    let last = output.get(..end).and_then(<[_]>::last);
    if found.is_empty() {
        found = traceback(output);
    } else if matches!(&*found, [only] if Some(only) == last) {
        found.clear();
    }
    if found.is_empty() {
        let start = end.saturating_sub(LAST_LINES);
        found = output.get(start..end).unwrap_or_default().to_vec();
    }
    dedent(&found)
}

/// What only errors of compilers, linkers, loaders and build systems have.
const ERRORS: [&str; 17] = [
    ": error: ",
    ": fatal error: ",
    ": internal compiler error: ",
    ": ERROR: ",
    "undefined reference to `",
    ": multiple definition of `",
    "ld: cannot find ",
    "ld: error: ",
    "ld.lld: error: ",
    "rust-lld: error: ",
    "mold: fatal: ",
    "error: linking with `",
    "error while loading shared libraries: ",
    ": symbol lookup error: ",
    "Error loading shared library ",
    "Error relocating ",
    "Error compiling Cython file:",
];

/// Reports that another program failed, which are no cause by themselves.
const CONSEQUENCES: [&str; 7] = [
    "collect2: error: ld returned",
    "linker command failed",
    "error: command '",
    "error: subprocess-exited-with-error",
    "error: could not compile ",
    "error: aborting due to ",
    "error: metadata-generation-failed",
];

fn is_error(line: &str) -> bool {
    let text = line.trim_start();
    let rustc = text.starts_with("error[E") || (text.starts_with("error: ") && line == text);
    let cmake = text.starts_with("CMake Error at ") || text.starts_with("CMake Error: ");
    let known = rustc || cmake || ERRORS.iter().any(|words| text.contains(words));
    known && !CONSEQUENCES.iter().any(|words| text.contains(words))
}

/// Where the lines end that belong to the error at `at`: they are indented deeper, quote the source, or
/// continue the report of the same tool. `CMake` separates its paragraphs by empty lines.
fn block_end(output: &[String], at: usize) -> usize {
    let Some(first) = output.get(at) else { return at };
    let base = indent(first);
    let paragraphs = first.trim_start().starts_with("CMake Error");
    let mut end = at + 1;
    for (index, line) in output.iter().enumerate().skip(at + 1) {
        let text = line.trim_start();
        let belongs = indent(line) > base
            || text.starts_with('|')
            || text.starts_with("= note: ")
            || text.contains(": note: ")
            || is_quote(text);
        if text.is_empty() && paragraphs {
            continue;
        }
        if text.is_empty() || !belongs {
            break;
        }
        end = index + 1;
    }
    end
}

/// Where the lines begin that lead to the error at `at`: `In file included from`, `In function`.
fn lead(output: &[String], at: usize) -> usize {
    let leads = |line: &&String| {
        let text = line.trim_start();
        text.starts_with("In file included from ")
            || text.starts_with("from ")
            || text.contains(": In ")
            || text.contains(": in function `")
    };
    let before = output.get(..at).unwrap_or_default();
    at - before.iter().rev().take_while(leads).count()
}

/// `   12 | code`, as gcc, clang and rustc quote a line.
fn is_quote(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.len() < text.len() && digits.trim_start().starts_with('|')
}

/// The last traceback of Python that is no report of another program's failure, or else the last.
fn traceback(output: &[String]) -> Vec<String> {
    let starts = output
        .iter()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("Traceback (most recent call last):"));
    let blocks: Vec<&[String]> = starts
        .map(|(start, first)| {
            let base = indent(first);
            let rest = output.get(start + 1..).unwrap_or_default();
            let frames = rest.iter().take_while(|line| indent(line) > base).count();
            // The exception itself may have several lines.
            let message = rest.iter().skip(frames).take_while(|line| !line.trim().is_empty());
            let end = start + 1 + frames + message.take(MAX_LINES / 2).count();
            output.get(start..end).unwrap_or_default()
        })
        .collect();
    let reports_another =
        |block: &&[String]| block.iter().any(|line| line.contains("CalledProcessError"));
    let cause = blocks.iter().rev().find(|block| !reports_another(block)).or(blocks.last());
    let cause = cause.copied().unwrap_or_default();
    cause.get(cause.len().saturating_sub(MAX_LINES)..).unwrap_or_default().to_vec()
}

/// Whether a line at the end says nothing: empty, or uv's advice for every failure.
fn is_noise(line: &str) -> bool {
    let text = line.trim();
    let advice =
        ["hint: This usually indicates a problem", "hint: Build failures usually indicate"];
    text.is_empty() || advice.iter().any(|start| text.starts_with(start))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// `lines` without the indentation that all of them have.
fn dedent(lines: &[String]) -> Vec<String> {
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let common = full.map(|line| indent(line)).min().unwrap_or_default();
    lines.iter().map(|line| line.get(common..).unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
#[path = "excerpt_tests.rs"]
mod tests;
