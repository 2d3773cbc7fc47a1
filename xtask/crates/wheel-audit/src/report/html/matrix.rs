//! Each wheel against each distribution.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::more;
use crate::audit::{Cell, Report, State};
use crate::policy::{Distribution, distributions};
use crate::report::summary::{broken, count, is_plain, mark, project, visible};

/// So many wheels are named before the table.
const DANGERS: usize = 12;

/// A word for a state that fits into a column, and the class that styles it.
fn words(state: State) -> (&'static str, &'static str) {
    match state {
        State::Breaks => ("breaks", "breaks"),
        State::Unknown => ("maybe", "unknown"),
        State::LoadsOnSome => ("some", "some"),
        State::Withheld => ("withheld", "withheld"),
        State::Refused => ("no", "refused"),
        State::Loads => ("loads", "loads"),
        State::Absent => ("", "absent"),
    }
}

pub(super) fn class(state: State) -> &'static str {
    words(state).1
}

const LEGEND: [(State, &str); 7] = [
    (State::Breaks, "installs and does not load: the user meets an error at import"),
    (State::Unknown, "installs, may not load: the file does not show it"),
    (State::LoadsOnSome, "loads where the processor is new enough"),
    (State::Withheld, "not installed, would load: the tag requires more than the files need"),
    (State::Refused, "not installed, rightly"),
    (State::Loads, "installs and loads"),
    (State::Absent, "the distribution is not published for this machine"),
];

pub(super) fn part(report: &Report, cells: &[Vec<Cell>]) -> Markup {
    let (everywhere, rows): (Vec<usize>, Vec<usize>) = (0..cells.len()).partition(|&index| {
        cells.get(index).is_some_and(|row| row.iter().all(|cell| cell.state == State::Loads))
    });
    let mut projects: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &index in &rows {
        projects
            .entry(visible(project(file(report, index))).to_lowercase())
            .or_default()
            .push(index);
    }
    html! {
        section aria-labelledby="matrix" {
            h2 #matrix { "Where they run" }
            p.quiet {
                "Whether an installer takes a wheel goes by its tags, whether it loads by what its files need. \
                 The Python that a distribution has is not looked at."
            }
            (dangers(report, cells))
            @if !rows.is_empty() {
                ul.legend {
                    @for (state, meaning) in LEGEND {
                        li { span.(class(state)) { (mark(state)) " " (words(state).0) } " " (meaning) }
                    }
                }
                div.scroll tabindex="0" role="region" aria-labelledby="matrix" {
                    table.matrix {
                        (head())
                        @for (project, rows) in &projects {
                            tbody {
                                tr.project {
                                    th scope="rowgroup" { bdi { (project) } }
                                    td.quiet colspan=(distributions().len()) { (count(rows.len(), "wheel")) }
                                }
                                @for &index in rows { (row(file(report, index), index, cells)) }
                            }
                        }
                    }
                }
            }
            @if !everywhere.is_empty() {
                p { (count(everywhere.len(), "wheel")) " load everywhere" @if rows.is_empty() { "." } @else { ", and are not in the table." } }
            }
        }
    }
}

fn file(report: &Report, index: usize) -> &str {
    report.wheels.get(index).map_or("", |wheel| wheel.facts.file.as_str())
}

fn head() -> Markup {
    let mut families: Vec<(&str, usize)> = Vec::new();
    for system in distributions() {
        match families.last_mut() {
            Some((name, releases)) if *name == system.name => *releases += 1,
            _ => families.push((&system.name, 1)),
        }
    }
    html! {
        thead {
            tr {
                th scope="col" rowspan="2" { "Wheel" }
                @for (name, releases) in families { th scope="colgroup" colspan=(releases) { (name) } }
            }
            tr {
                @for system in distributions() {
                    th scope="col" { (system.version.replace(" and later", "+")) small { (system.libc) } }
                }
            }
        }
    }
}

/// The wheels that install where they do not load, which nobody should have to look for.
fn dangers(report: &Report, cells: &[Vec<Cell>]) -> Markup {
    let breaks = |row: &Vec<Cell>| row.iter().any(|cell| cell.state == State::Breaks);
    let indices = || (0..cells.len()).filter(|&index| cells.get(index).is_some_and(breaks));
    html! {
        @if indices().next().is_some() {
            h3 { "Install and do not load" }
            ul {
                @for index in indices().take(DANGERS) {
                    @let row = cells.get(index).map_or(&[] as &[Cell], Vec::as_slice);
                    @for (systems, reason) in broken(row) {
                        li {
                            a.name href={ "#w" (index) } { bdi { (visible(file(report, index))) } } " on "
                            (systems.join(", "))
                            div.quiet { bdi { (visible(reason)) } }
                        }
                    }
                }
            }
            (more(indices().count(), DANGERS, "wheel"))
        }
    }
}

fn row(file: &str, index: usize, cells: &[Vec<Cell>]) -> Markup {
    let cells = cells.get(index).map_or(&[] as &[Cell], Vec::as_slice);
    let bad = cells.iter().any(|cell| !is_plain(cell.state));
    // The project stands above.
    let rest = file.split_once('-').map_or(file, |(_, rest)| rest);
    let rest = rest.strip_suffix(".whl").unwrap_or(rest);
    html! {
        tr data-name=(visible(file)) data-bad=[bad.then_some("1")] {
            th scope="row" { a.name href={ "#w" (index) } { bdi { (visible(rest)) } } }
            @for (cell, system) in cells.iter().zip(distributions()) { (field(cell, system, index)) }
        }
    }
}

/// One field. The reason stands with the wheel, where the link leads.
fn field(cell: &Cell, system: &Distribution, index: usize) -> Markup {
    let (short, class) = words(cell.state);
    let label = || format!("{system}: {}", cell.state.as_str());
    html! {
        @if is_plain(cell.state) {
            td.(class) aria-label=(label()) { (mark(cell.state)) span.word { " " (short) } }
        } @else {
            td.(class) {
                a href={ "#w" (index) } aria-label=(label()) title=(visible(&cell.reason)) {
                    (mark(cell.state)) span.word { " " (short) }
                }
            }
        }
    }
}
