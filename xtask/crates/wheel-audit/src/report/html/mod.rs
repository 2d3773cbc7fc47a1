//! One page that holds the whole report: it needs nothing from elsewhere, and no script to be read.

mod findings;
mod matrix;
mod wheels;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::summary::{Tally, count, word};
use crate::audit::{Cell, Report, State};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("filter.js");

/// The report as a page. Of what there may be thousands of, such as files or findings with one
/// cause, it names some and the number of the others; `--json` has them all.
pub fn html(report: &Report) -> String {
    let cells: Vec<Vec<Cell>> = report.wheels.iter().map(crate::audit::Audit::systems).collect();
    let tally = Tally::of(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Wheels: " (tally.line()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the findings" }
                header {
                    h1 { "What these wheels need, and where they run" }
                    (overview(report, &tally, &cells))
                    nav aria-label="Parts of the page" {
                        ul {
                            li { a href="#matrix" { "Where they run" } }
                            li { a href="#main" { "Findings" } }
                            li { a href="#wheels" { "Wheels and files" } }
                        }
                    }
                    (filter())
                }
                (matrix::part(report, &cells))
                main #main tabindex="-1" { (findings::part(report)) }
                (wheels::part(report, &cells))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Nothing runs and nothing styles the page but what is in this program, whatever a name holds.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn overview(report: &Report, tally: &Tally, cells: &[Vec<Cell>]) -> Markup {
    let is_broken = |row: &&Vec<Cell>| row.iter().any(|cell| cell.state == State::Breaks);
    let broken = cells.iter().filter(is_broken).count();
    let verdict = word(report.verdict);
    html! {
        p.verdict.(verdict) {
            @if verdict == "good" { "✓ Good" } @else { "✗ Not good" }
            ": " (tally.line())
        }
        dl.tally {
            (number("Wheels", report.wheels.len()))
            (number("Install and do not load somewhere", broken))
            (number("Errors", tally.errors + tally.unread))
            (number("Warnings", tally.warnings))
            (number("Notes", tally.notes))
        }
    }
}

fn number(name: &str, value: usize) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Shown by the script alone.
fn filter() -> Markup {
    html! {
        div #filter .filter hidden role="search" {
            label { "Show names with " input #words type="search" autocomplete="off"; }
            label { input #bad type="checkbox"; " only those with something to see" }
            span #shown role="status" {}
        }
    }
}

/// "and 12 more files", if there are.
fn more(all: usize, shown: usize, noun: &str) -> Markup {
    let left = all.saturating_sub(shown);
    html! {
        @if left > 0 { p.quiet { "and " (count(left, &format!("more {noun}"))) "; " code { "--json" } " has them all" } }
    }
}

#[cfg(test)]
mod tests;
