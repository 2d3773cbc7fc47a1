//! The report as one HTML page. It loads no other file and works without JavaScript.

mod findings;
mod matrix;
mod text;
mod wheels;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::summary::{Group, Tally, count, groups, word};
use crate::audit::{Audit, Cell, Report, State, Verdict};
use crate::policy::distributions;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("filter.js");

/// Maximum number of files on a page without a filter.
const UNFILTERED: usize = 10;

/// Everything that the parts of the page show.
struct Page<'a> {
    report: &'a Report,
    /// The states of each wheel, in the order of the distributions.
    cells: Vec<Vec<Cell>>,
    groups: Vec<Group<'a>>,
    /// The indices of the groups that name a file, by the file's name or path.
    by_file: BTreeMap<&'a str, BTreeSet<usize>>,
}

impl<'a> Page<'a> {
    fn of(report: &'a Report) -> Self {
        let groups = groups(report);
        let mut by_file: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            for place in group.items.iter().flat_map(|item| &item.places) {
                by_file.entry(place.file).or_default().insert(index);
            }
        }
        Self { report, cells: report.wheels.iter().map(Audit::systems).collect(), groups, by_file }
    }

    /// The groups of findings that name one of `names`, worst first.
    fn groups_of(&self, names: [&str; 2]) -> Vec<&Group<'a>> {
        let indices = names.iter().filter_map(|name| self.by_file.get(name)).flatten();
        let indices: BTreeSet<usize> = indices.copied().collect();
        indices.into_iter().filter_map(|index| self.groups.get(index)).collect()
    }
}

/// The report as an HTML page. Long lists of files, messages and symbols are cut; the JSON report
/// has all of them.
pub fn html(report: &Report) -> String {
    let page = Page::of(report);
    let (tally, style) = (Tally::of(report), STYLE.to_owned() + &labels());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&style));
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Wheel report: " (tally.line()) }
                style { (PreEscaped(&style)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                header {
                    h1 { "Wheel report" }
                    (overview(&page, &tally))
                }
                nav aria-label="Sections" {
                    ul {
                        li { a href="#matrix" { "Distributions" } }
                        li { a href="#findings" { "Findings" } }
                        li { a href="#wheels" { "Wheels and files" } }
                    }
                }
                @if tally.checked > UNFILTERED { (filter(&page)) }
                main #main tabindex="-1" {
                    (matrix::part(&page))
                    (findings::part(&page))
                    (wheels::part(&page))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string()
}

/// Styles that name the distribution in each field of a narrow page, where the table has no head.
fn labels() -> String {
    let mut rules = String::from("@media screen and (max-width: 43.99rem) {\n");
    for (index, system) in distributions().iter().enumerate() {
        // Writing to a text cannot fail. The text after `/` replaces the label for screen readers.
        let _ = writeln!(
            rules,
            "td:nth-of-type({})::before {{ content: \"{system} \" / \"\"; }}",
            index + 1
        );
    }
    rules + "}\n"
}

/// Allows the page's own style and script only, so that no name in a wheel can add another.
fn policy(style: &str) -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(SCRIPT)
    )
}

fn overview(page: &Page<'_>, tally: &Tally) -> Markup {
    let breaks = |row: &&Vec<Cell>| row.iter().any(|cell| cell.state == State::Breaks);
    let errors = tally.errors + tally.unread;
    html! {
        p.verdict.(word(page.report.verdict)) {
            @if page.report.verdict == Verdict::Pass { "✓ Good: no errors" }
            @else { "✗ Fail: " (count(errors, "error")) }
        }
        dl.tally {
            (number("Files", tally.checked + tally.unread))
            (number("Files with errors", tally.checked - tally.good + tally.unread))
            (number("Do not load somewhere", page.cells.iter().filter(breaks).count()))
            (number("Errors", errors))
            (number("Warnings", tally.warnings))
            (number("Notes", tally.notes))
            @if tally.ignored > 0 { (number("Ignored", tally.ignored)) }
        }
    }
}

fn number(name: &str, value: usize) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Hidden until the script runs.
fn filter(page: &Page<'_>) -> Markup {
    let codes: BTreeMap<&str, &str> =
        page.groups.iter().map(|group| (group.code, group.rule)).collect();
    html! {
        form #filter hidden role="search" aria-label="Filter wheels and findings" {
            label { "Name or code " input #words type="search" autocomplete="off" spellcheck="false"; }
            label { "Show "
                select #state {
                    option value="" { "all files" }
                    option value="bad" { "files with errors" }
                    option value="odd" { "wheels with a limitation" }
                }
            }
            label { "Finding "
                select #code {
                    option value="" { "any or none" }
                    @for (code, rule) in codes { option value=(code) { (code) " " (rule) } }
                }
            }
            button type="reset" { "Clear" }
            output #shown {}
        }
    }
}

#[cfg(test)]
mod tests;
