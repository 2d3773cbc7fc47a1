//! The report for a job summary: GitHub-flavoured Markdown (its specification 0.29).

use std::fmt::Write as _;

use super::summary::{
    Group, Item, Numbers, Tally, broken, code_spans, count, floor, groups, is_plain, mark,
    releases, visible, word,
};
use crate::audit::{Audit, Cell, FileAudit, Report, State, Verdict};
use crate::policy::{Distribution, distributions};

/// Maximum size in bytes. GitHub allows 1 MiB for a step; other commands of the step need some of it
/// (GitHub's documentation of workflow commands, "Adding a job summary").
const LIMIT: usize = 900 << 10;
/// Maximum number of rows of a table.
const ROWS: usize = 200;
/// Maximum number of messages of a rule.
const ITEMS: usize = 12;
/// Maximum number of files with one message.
const FILES: usize = 4;
/// Maximum number of paths in one file.
const PATHS: usize = 3;
/// Maximum number of characters of a name or message.
const LONGEST: usize = 400;

/// The verdict, a table of the wheels, the distributions that limit them, and the findings, worst first.
pub fn markdown(report: &Report) -> String {
    let mut page = Page::default();
    let mark = if report.verdict == Verdict::Pass { "✓" } else { "✗" };
    page.line(&format!("### {mark} {}", Tally::of(report).line()));
    wheels(report, &mut page);
    matrix(report, &mut page);
    findings(report, &mut page);
    page.text
}

/// The text so far, at most [`LIMIT`] bytes and a last line.
#[derive(Default)]
struct Page {
    text: String,
    is_full: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        if self.is_full {
            return;
        }
        self.is_full = self.text.len() + line.len() > LIMIT;
        let line = if self.is_full { "\nThe rest is omitted; `--json` lists all." } else { line };
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn wheels(report: &Report, page: &mut Page) {
    page.line("\n| | file | floor | built on | promises | isa |\n|---|---|---|---|---|---|");
    let mut wheels: Vec<&Audit> = report.wheels.iter().collect();
    wheels.sort_by_key(|wheel| wheel.verdict() == Verdict::Pass);
    for audit in wheels.iter().take(ROWS) {
        let Numbers { floor, built, claim, isa } = Numbers::of(audit);
        let cells = [floor, built, claim, isa].map(|cell| plain(&cell)).join(" | ");
        page.line(&format!(
            "| {} | {} | {cells} |",
            badge(audit.verdict()),
            code(&audit.facts.file)
        ));
    }
    for audit in report.files.iter().take(ROWS) {
        page.line(&file(audit));
    }
    let left = wheels.len().saturating_sub(ROWS) + report.files.len().saturating_sub(ROWS);
    if left > 0 {
        page.line(&format!("\nand {}", count(left, "more file")));
    }
}

fn file(audit: &FileAudit) -> String {
    let facts = audit.facts.as_ref();
    let need = facts.map_or_else(|| "unknown".to_owned(), |facts| floor(&facts.floor));
    let isa = facts.and_then(|facts| facts.isa.clone()).unwrap_or_else(|| "not read".to_owned());
    let name = code(audit.file.as_str());
    format!("| {} | {name} | {} | | | {} |", badge(audit.verdict), plain(&need), plain(&isa))
}

fn badge(verdict: Verdict) -> String {
    let mark = if verdict == Verdict::Pass { "✓" } else { "✗" };
    format!("{mark} {}", word(verdict))
}

/// The wheels with a limitation, and the distributions that limit them.
fn matrix(report: &Report, page: &mut Page) {
    let rows = report.wheels.iter().map(|wheel| (wheel.facts.file.as_str(), wheel.systems()));
    let rows: Vec<(&str, Vec<Cell>)> =
        rows.filter(|(_, row)| row.iter().any(|cell| !is_plain(cell.state))).collect();
    let is_wanted = |column: &usize| {
        rows.iter().filter_map(|(_, row)| row.get(*column)).any(|cell| !is_plain(cell.state))
    };
    let columns: Vec<(usize, &Distribution)> =
        distributions().iter().enumerate().filter(|(column, _)| is_wanted(column)).collect();
    if columns.is_empty() {
        return;
    }
    let heads: Vec<String> = columns.iter().map(|(_, system)| plain(&system.to_string())).collect();
    page.line(&format!("\n#### Wheels with a limitation\n\n| | {} |", heads.join(" | ")));
    page.line(&format!("|---|{}", "---|".repeat(columns.len())));
    for (file, row) in rows.iter().take(ROWS) {
        let cells = columns.iter().filter_map(|(column, _)| row.get(*column));
        let marks: Vec<&str> = cells.map(|cell| mark(cell.state)).collect();
        page.line(&format!("| {} | {} |", code(file), marks.join(" | ")));
    }
    let left = rows.len().saturating_sub(ROWS);
    if left > 0 {
        page.line(&format!("\nand {}", count(left, "more wheel")));
    }
    let legend = [State::Breaks, State::Unknown, State::LoadsOnSome, State::Withheld];
    let legend = legend.into_iter().chain([State::Refused, State::Loads, State::Absent]);
    let legend: Vec<_> = legend.map(|it| format!("{} {}", mark(it), it.as_str())).collect();
    page.line(&format!("\n{}", legend.join(" · ")));
    for (file, row) in rows.iter().take(ROWS) {
        for (systems, reason) in broken(row) {
            let (file, systems, reason) = (code(file), plain(&releases(&systems)), prose(reason));
            page.line(&format!("\n**✗ {file} installs but does not load on {systems}**: {reason}"));
        }
    }
}

fn findings(report: &Report, page: &mut Page) {
    let groups = groups(report);
    if groups.is_empty() && report.unread.is_empty() {
        return;
    }
    page.line("\n#### Findings\n");
    for unread in &report.unread {
        let (path, message) = (code(unread.path.as_str()), prose(&unread.message));
        page.line(&format!("- **error**: {path} cannot be read: {message}"));
    }
    for group in &groups {
        rule(group, page);
    }
}

fn rule(group: &Group<'_>, page: &mut Page) {
    let (severity, code) = (group.severity.as_str(), group.code);
    let (all, files) = (count(group.findings(), "finding"), count(group.files(), "file"));
    page.line(&format!("- **{severity} {code}** {}: {all} in {files}", plain(group.rule)));
    if let Some(help) = group.help() {
        page.line(&format!("  - *How to fix it*: {}", prose(help)));
    }
    for item in group.items.iter().take(ITEMS) {
        let messages: Vec<String> = item.messages().iter().map(|each| prose(each)).collect();
        page.line(&format!("  - {}{}", messages.join("; "), places(item)));
        match item.reason {
            Some(reason) => page.line(&format!("    - *Set in `wheels.toml`*: {}", prose(reason))),
            None if group.help().is_none() => {
                page.line(&format!("    - *How to fix it*: {}", prose(item.help)));
            }
            None => {}
        }
    }
    let left = group.items.len().saturating_sub(ITEMS);
    if left > 0 {
        page.line(&format!("  - and {}", count(left, "more message")));
    }
}

/// ": `wheel`: `path`, `path` and 3 more; ..."
fn places(item: &Item<'_>) -> String {
    let files = item.by_file();
    let mut text = String::new();
    for (index, (file, paths)) in files.iter().take(FILES).enumerate() {
        let inside: Vec<String> = paths.iter().take(PATHS).map(|path| code(path)).collect();
        let left = paths.len().saturating_sub(PATHS);
        let left = if left > 0 { format!(" and {left} more") } else { String::new() };
        let file = if file.is_empty() { None } else { Some(code(file)) };
        let inside = (!inside.is_empty()).then(|| inside.join(", "));
        let both: Vec<String> = file.into_iter().chain(inside).collect();
        let between = if index == 0 { " — " } else { "; " };
        let _ = write!(text, "{between}{}{left}", both.join(": "));
    }
    let left = files.len().saturating_sub(FILES);
    if left > 0 {
        let _ = write!(text, " and {}", count(left, "more file"));
    }
    text
}

/// Cuts a page that is longer than a job summary may be, after a line.
pub fn cut(mut page: String) -> String {
    if page.len() > LIMIT {
        let mut line_ends = page.as_bytes().iter().take(LIMIT);
        let end = line_ends.rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        page.truncate(end);
        page.push_str("\nThe rest is omitted.\n");
    }
    page
}

/// A name as code. Markdown works between HTML tags, too, so the name is escaped.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", plain(text))
}

/// Text that shows every character as it is: Markdown and HTML in it are escaped.
pub fn plain(text: &str) -> String {
    escape(&shortened(text))
}

/// A message, with the text between back-ticks as code.
fn prose(text: &str) -> String {
    let shown = shortened(text);
    let span = |(is_code, part): (bool, &str)| {
        if is_code { format!("<code>{}</code>", escape(part)) } else { escape(part) }
    };
    code_spans(&shown).into_iter().map(span).collect()
}

fn shortened(text: &str) -> String {
    let mut shown = visible(text);
    if let Some((end, _)) = shown.char_indices().nth(LONGEST) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A table removes a backslash before it.
            '|' => escaped.push_str("&#124;"),
            // GitHub looks for users, issues and links after it reads escapes, so only a character
            // between prevents them (github/cmark-gfm, issue 181).
            '@' => escaped.push_str("&#64;&#8203;"),
            '#' if characters.peek().is_some_and(char::is_ascii_digit) => {
                escaped.push_str("\\#&#8203;");
            }
            '.' if escaped.to_ascii_lowercase().ends_with("www") => escaped.push_str("&#8203;."),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | ':' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::audit::{self, Depth, Finding};

    #[test]
    fn arbitrary_text_is_escaped() {
        let strange = "a|b`c`<img src=x>\n# *x* [y](z) @user \\ &amp; ~~s~~ __isoc23";
        let want = "a&#124;b\\`c\\`&lt;img src=x&gt;\\\\u{a}\\# \\*x\\* \\[y\\](z) &#64;&#8203;user \\\\ \
                    &amp;amp; \\~\\~s\\~\\~ \\_\\_isoc23";
        assert_eq!(plain(strange), want);
        // GitHub links these even if they are escaped or entities.
        assert_eq!(plain("see #12 C# www.a.example"), "see \\#&#8203;12 C\\# www&#8203;.a.example");
        assert_eq!(plain(&"é".repeat(LONGEST + 1)), "é".repeat(LONGEST) + "…");
    }

    #[test]
    fn only_pairs_of_back_ticks_mark_code() {
        let want = "a <code>b\\_\\*&lt;&#124;</code> c \\` d\\_e";
        assert_eq!(prose("a `b_*<|` c ` d_e"), want);
    }

    #[test]
    fn the_summary_has_the_facts_of_the_report() {
        let (_folder, report) = audit::tests::report::report(Depth::Code);
        let text = markdown(&report);
        for fact in [
            "### ✗ 6 files: 3 good, 2 with errors, 1 unread; 2 errors",
            "| ✓ good | <code>pkg-1.0-cp311-cp311-manylinux\\_2\\_36\\_x86\\_64.whl</code> | glibc 2.2.5 |",
            "| Debian 11 | Debian 12 |",
            "**error ELF003** floor-above-promise: 1 finding in 1 file",
            "<code>\\_\\_isoc23\\_strtol</code>",
            "glibc before 2.38",
            "its author knows",
            "gone.whl</code> cannot be read",
        ] {
            assert!(text.contains(fact), "{fact} is not in\n{text}");
        }
        // Every row of a table has the same number of cells.
        let cells = |line: &str| line.matches('|').count();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.iter().all(|row| [7, cells(rows.last().unwrap())].contains(&cells(row))));
        let files = rows.iter().filter(|row| row.contains("libplain") || row.contains("libbad"));
        assert_eq!(files.count(), 2);
    }

    #[test]
    fn a_page_that_is_too_long_is_cut_after_a_line() {
        assert_eq!(cut("| a |\n".to_owned()), "| a |\n");
        let page = cut("| ä |\n".repeat(LIMIT));
        assert!(page.len() < 1 << 20, "{}", page.len());
        let lines: Vec<&str> = page.lines().collect();
        assert!(lines[..lines.len() - 2].iter().all(|line| *line == "| ä |"));
    }

    #[test]
    fn the_summary_stays_within_the_limit() {
        let (_folder, mut report) = audit::tests::report::report(Depth::Floor);
        let mut wheel = report.wheels.first().unwrap().clone();
        wheel.facts.file = "|".repeat(4000);
        let finding = report.files.iter().find_map(|file| file.findings.first()).unwrap().clone();
        let finding = |index: usize| Finding {
            message: format!("{index}{}", "`".repeat(3000)),
            path: "_".repeat(3000),
            code: ["ELF001", "ELF002", "ELF003"][index % 3],
            ..finding.clone()
        };
        wheel.findings = (0..30).map(finding).collect();
        report.wheels = (0..400).map(|_| wheel.clone()).collect();
        report.unread = (0..400).map(|_| report.unread[0].clone()).collect();
        let text = markdown(&report);
        assert!(text.len() < 1 << 20, "{}", text.len());
        assert!(text.contains("more file") && text.ends_with("`--json` lists all.\n"));
    }
}
