//! Color and weight on the terminal: errors red, warnings yellow, hints cyan, names bold.
//!
//! Reports stay plain text, so that no escape sequence reaches a file. Output for a terminal is painted by
//! its form: a label starts the line, a name is between back-ticks, a word of severity fills a cell.

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;

use super::summary::code_spans;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const NAME: Style = Style::new().bold();

/// The same styles for `--help` and for errors of the command line.
pub const HELP_STYLES: Styles = Styles::plain()
    .header(NAME)
    .usage(NAME)
    .literal(NAME)
    .error(ERROR)
    .invalid(WARNING)
    .valid(HINT);

/// Beginnings of a line; a colon or the code of a rule follows.
const LABELS: [(&str, Style); 3] = [("error", ERROR), ("warning", WARNING), ("hint", HINT)];

/// Maximum number of words in a job's name: target with architecture, and interpreter.
const JOB_WORDS: usize = 2;

/// Whole cells of a table.
const CELLS: [(&str, Style); 6] = [
    ("fail", ERROR),
    ("failed", ERROR),
    ("FAILED", ERROR),
    ("refused", ERROR),
    ("missing", WARNING),
    ("warning", WARNING),
];

/// `text` with escape sequences, for a terminal.
pub(super) fn paint(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn line(line: &str) -> String {
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    // Lines of other tools.
    if rest.starts_with("| ") {
        return line.to_owned();
    }
    let mut painted = indent.to_owned();
    let rest = match after_job(rest) {
        Some((job, rest)) => {
            painted.push_str(&styled(job, NAME));
            rest
        }
        None => rest,
    };
    let label = label(rest);
    let job = || {
        let end = rest.starts_with('[').then(|| rest.find("] "))??;
        Some((rest.split_at(end + 1), NAME))
    };
    let rest = match label.or_else(job) {
        Some(((start, rest), style)) => {
            painted.push_str(&styled(start, style));
            rest
        }
        None => rest,
    };
    painted.push_str(&if label.is_some() || !rest.contains("  ") {
        names(rest)
    } else {
        cells(rest)
    });
    painted
}

/// The label at the start of a line, apart from the rest of it.
fn label(line: &str) -> Option<((&str, &str), Style)> {
    LABELS.iter().find_map(|(word, style)| {
        let after = line.strip_prefix(word)?;
        let colon = usize::from(after.starts_with(':'));
        let has_code = after.strip_prefix(' ').is_some_and(|it| is_code(first_word(it)));
        (colon == 1 || has_code).then(|| (line.split_at(word.len() + colon), *style))
    })
}

/// The line of a job, `debian12-amd64 cp311: warning: ...`, in two: the job with its colon, and the labelled rest.
fn after_job(line: &str) -> Option<(&str, &str)> {
    let (job, rest) = line.split_at(line.find(": ")? + 1);
    let (space, rest) = rest.split_at(1);
    let is_job = !job.contains(['`', '"']) && job.split(' ').count() <= JOB_WORDS;
    (is_job && label(job).is_none() && label(rest).is_some())
        .then(|| (&line[..job.len() + space.len()], rest))
}

/// A row of a table: the words of severity that fill a cell, else the names in it.
fn cells(row: &str) -> String {
    let cell = |cell: &str| {
        let style = CELLS.iter().find(|(word, _)| *word == cell.trim());
        style.map_or_else(|| names(cell), |(_, style)| styled(cell, *style))
    };
    row.split("  ").map(cell).collect::<Vec<_>>().join("  ")
}

/// The text with its names in bold: code spans, codes of rules and wheels.
fn names(text: &str) -> String {
    let span = |(is_code, part): (bool, &str)| {
        if is_code { styled(&format!("`{part}`"), NAME) } else { plain_names(part) }
    };
    code_spans(text).into_iter().map(span).collect()
}

fn plain_names(text: &str) -> String {
    let word = |word: &str| {
        let name = word.trim_end_matches([':', ',', ';']);
        if is_code(name) || name.strip_suffix(".whl").is_some() {
            format!("{}{}", styled(name, NAME), &word[name.len()..])
        } else {
            word.to_owned()
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Returns whether it is the code of a rule: `ELF003`.
fn is_code(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = word.len() - digits.len();
    (2..=8).contains(&letters) && digits.len() == 3 && digits.bytes().all(|it| it.is_ascii_digit())
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(painted: &str) -> String {
        anstream::adapter::strip_str(painted).to_string()
    }

    #[test]
    fn labels_names_and_cells_are_painted_and_nothing_else() {
        for (text, want) in [
            ("error: no `x`", format!("{}: no {}", "error", "`x`")),
            ("  hint: do", "  hint: do".to_owned()),
        ] {
            assert_eq!(plain(&paint(text)), want);
            assert_ne!(paint(text), text);
        }
        let red = |text: &str| styled(text, ERROR);
        let bold = |text: &str| styled(text, NAME);
        assert_eq!(paint("error: a"), format!("{} a", red("error:")));
        assert_eq!(
            paint("error ELF003 name, in a-1.whl:"),
            format!("{} {} name, in {}:", red("error"), bold("ELF003"), bold("a-1.whl"))
        );
        assert_eq!(paint("[a b] it"), format!("{} it", bold("[a b]")));
        assert_eq!(paint("a  fail  b"), format!("a  {}  b", red("fail")));
        let job = "debian12-amd64 cp311: ";
        let yellow = styled("warning:", WARNING);
        assert_eq!(paint(&format!("{job}warning: a")), format!("{}{yellow} a", bold(job)));
        assert_eq!(paint("a `b: warning: c"), "a `b: warning: c");
        for text in ["errors happen", "  | error: `x`", "it may fail", "an `open end", "A1 ELF0031"]
        {
            assert_eq!(paint(text), text);
        }
    }

    #[test]
    fn no_text_is_lost() {
        for text in ["a ` b `` c", "``", "warning", "[x", "x   fail", "\n\n`a\nb`", "é `漢` .whl"]
        {
            assert_eq!(plain(&paint(text)), text);
        }
    }
}
