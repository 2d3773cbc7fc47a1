//! Plain tables: columns as wide as their widest cell, two spaces between.

use super::wrap::{words, wrap};
use crate::text::columns as columns_of;

/// Minimum number of columns of the last cell, whose longer words exceed the line.
const LAST: usize = 24;

/// A table of `rows` below `head`, in at most `width` columns; every row has as many cells as the head.
///
/// Long cells wrap. If the words are still too long, each row has several lines.
pub fn table(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let all: Vec<Vec<String>> = std::iter::once(head.iter().map(|&cell| cell.to_owned()).collect())
        .chain(rows.iter().cloned())
        .collect();
    let natural = widths(&all, head.len(), columns_of);
    let mut least = widths(&all, head.len(), |cell| {
        words(cell).iter().map(|word| columns_of(word)).max().unwrap_or(0)
    });
    if let Some(last) = least.last_mut() {
        *last = (*last).min(LAST);
    }
    let columns: Vec<usize> = (0..head.len()).collect();
    let blocks = if total(&least) <= width {
        vec![(columns, narrowed(natural, &least, width))]
    } else {
        blocks(&natural, width)
            .into_iter()
            .enumerate()
            .map(|(index, block)| {
                let of = |all: &[usize]| block.iter().map(|&at| all[at]).collect::<Vec<_>>();
                let width = if index == 0 { width } else { width - INDENT.len() };
                let widths = narrowed(of(&natural), &of(&least), width);
                (block, widths)
            })
            .collect()
    };
    let lines = all.iter().flat_map(|row| {
        blocks.iter().enumerate().flat_map(move |(index, (columns, widths))| {
            let indent = if index == 0 { "" } else { INDENT };
            let cells: Vec<&str> = columns.iter().map(|&at| row[at].as_str()).collect();
            lines(&cells, widths, indent)
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Before the second line of a row.
const INDENT: &str = "  ";

/// For each column the largest `measure` of its cells.
fn widths(all: &[Vec<String>], columns: usize, measure: impl Fn(&str) -> usize) -> Vec<usize> {
    let of = |at: usize| all.iter().filter_map(|row| row.get(at)).map(|cell| measure(cell)).max();
    (0..columns).map(|at| of(at).unwrap_or(0)).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// The widest columns made narrower, though not below `least`, until all of them fit.
fn narrowed(mut widths: Vec<usize>, least: &[usize], width: usize) -> Vec<usize> {
    while total(&widths) > width {
        let wide = widths.iter_mut().zip(least).filter(|(width, least)| **width > **least);
        let Some((widest, _)) = wide.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

/// The columns in as few groups as fit a line each.
fn blocks(widths: &[usize], width: usize) -> Vec<Vec<usize>> {
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for (at, column) in widths.iter().enumerate() {
        match blocks.last_mut() {
            Some(block) if used + 2 + column <= width => {
                block.push(at);
                used += 2 + column;
            }
            _ => {
                used = column + if blocks.is_empty() { 0 } else { INDENT.len() };
                blocks.push(vec![at]);
            }
        }
    }
    blocks
}

/// The lines of one row.
fn lines(cells: &[&str], widths: &[usize], indent: &str) -> Vec<String> {
    let wrapped: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, &width)| {
            if columns_of(cell) <= width {
                return vec![(*cell).to_owned()];
            }
            wrap(cell, width, "", "").lines().map(str::to_owned).collect()
        })
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let padded = wrapped.iter().zip(widths).map(|(cell, &width)| {
            let part = cell.get(at).map_or("", String::as_str);
            part.to_owned() + &" ".repeat(width.saturating_sub(columns_of(part)))
        });
        let text = padded.collect::<Vec<_>>().join("  ");
        format!("{indent}{text}").trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn columns_align_and_lines_have_no_trailing_spaces() {
        let rows = [row(&["a", "long"]), row(&["bb", ""])];
        assert_eq!(table(&["x", "y"], &rows, 80), "x   y\na   long\nbb");
    }

    #[test]
    fn wide_and_combining_characters_line_up() {
        // Two columns for each character, none for an accent of its own, one for the accented letter.
        let rows = [row(&["轮子", "a"]), row(&["e\u{301}e", "b"]), row(&["é", "c"])];
        assert_eq!(table(&["x", "y"], &rows, 80), "x     y\n轮子  a\ne\u{301}e    b\né     c");
        let rows = [row(&["a", "轮子 轮子 轮子"])];
        assert_eq!(table(&["x", "y"], &rows, 12), "x  y\na  轮子 轮子\n   轮子");
    }

    #[test]
    fn cells_wrap_until_the_table_fits() {
        let rows = [row(&["a", "one two three four", "ok"])];
        assert_eq!(
            table(&["x", "y", "z"], &rows, 16),
            "x  y          z\na  one two    ok\n   three\n   four"
        );
    }

    #[test]
    fn a_row_of_long_words_has_several_lines() {
        let rows = [row(&["debian12", "a-wheel-with-a-long-name.whl", "ok"])];
        assert_eq!(
            table(&["target", "wheel", "state"], &rows, 30),
            "target\n  wheel\n  state\ndebian12\n  a-wheel-with-a-long-name.whl\n  ok"
        );
    }
}
