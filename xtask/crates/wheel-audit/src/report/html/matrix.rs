//! Each wheel on each distribution.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::Page;
use super::text::{more, name, prose, wrapping_name};
use crate::audit::{Cell, State};
use crate::policy::{Distribution, distributions};
use crate::report::summary::{broken, count, is_plain, mark, project, releases, visible};

/// Maximum number of wheels listed before the table.
const DANGERS: usize = 12;
/// Maximum number of wheels without a limitation that the page shows unfolded.
const UNFOLDED: usize = 25;

/// The class that styles a state.
pub(super) fn class(state: State) -> &'static str {
    match state {
        State::Breaks => "breaks",
        State::Unknown => "unknown",
        State::LoadsOnSome => "some",
        State::Withheld => "withheld",
        State::Refused => "refused",
        State::Loads => "loads",
        State::Absent => "absent",
    }
}

fn meaning(state: State) -> &'static str {
    match state {
        State::Breaks => "pip installs the wheel, and the import fails",
        State::Unknown => "the files do not show whether the import works",
        State::LoadsOnSome => "the wheel requires a newer processor than the distribution does",
        State::Withheld => "the platform tag excludes the distribution, the files do not",
        State::Refused => "the platform tag excludes the distribution, and so do the files",
        State::Loads => "pip installs the wheel, and the system can load its files",
        State::Absent => "the distribution does not support the wheel's architecture",
    }
}

pub(super) fn part(page: &Page<'_>) -> Markup {
    let loads = |cell: &Cell| matches!(cell.state, State::Loads | State::Absent);
    let (everywhere, rows): (Vec<usize>, Vec<usize>) =
        (0..page.cells.len()).partition(|&index| page.row(index).iter().all(loads));
    let (plain, limited): (Vec<usize>, Vec<usize>) =
        rows.iter().partition(|&&index| page.row(index).iter().all(|cell| is_plain(cell.state)));
    html! {
        section aria-labelledby="matrix" {
            h2 #matrix { "Distributions" }
            p.quiet {
                "pip selects a wheel by its platform tags. The system loads it if it provides what the files require. \
                 The report ignores which Python a distribution has."
            }
            (dangers(page))
            (legend(page, &rows))
            @if !limited.is_empty() { (table(page, &limited, "Wheels with a limitation")) }
            @if !plain.is_empty() {
                details #plain open[plain.len() <= UNFOLDED] {
                    summary { "Wheels that load wherever pip installs them " span.quiet { (count(plain.len(), "wheel")) } }
                    (table(page, &plain, "Wheels that load wherever pip installs them"))
                }
            }
            @if !everywhere.is_empty() {
                p {
                    (count(everywhere.len(), "wheel")) @if everywhere.len() == 1 { " loads" } @else { " load" }
                    " on every distribution" @if rows.is_empty() { "." } @else { "; the table omits them." }
                }
            }
        }
    }
}

impl Page<'_> {
    pub(super) fn row(&self, index: usize) -> &[Cell] {
        self.cells.get(index).map_or(&[], Vec::as_slice)
    }

    fn file(&self, index: usize) -> &str {
        self.report.wheels.get(index).map_or("", |wheel| wheel.facts.file.as_str())
    }
}

/// The states that the table shows, worst first.
fn legend(page: &Page<'_>, rows: &[usize]) -> Markup {
    let states = rows.iter().flat_map(|&index| page.row(index)).map(|cell| cell.state);
    let states: BTreeSet<State> = states.collect();
    html! {
        ul.legend {
            @for state in states {
                li {
                    span.badge.(class(state)) { (mark(state)) " " (state.as_str()) } " "
                    span.quiet { (meaning(state)) }
                }
            }
        }
    }
}

fn table(page: &Page<'_>, rows: &[usize], caption: &str) -> Markup {
    let mut projects: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &index in rows {
        let project = visible(project(page.file(index))).to_lowercase();
        projects.entry(project).or_default().push(index);
    }
    html! {
        table {
            caption { (caption) }
            (columns())
            (head())
            @for (project, rows) in &projects {
                tbody {
                    @if rows.len() > 1 {
                        tr {
                            th scope="rowgroup" colspan=(distributions().len() + 1) {
                                bdi { (project) } " " span.quiet { (count(rows.len(), "wheel")) }
                            }
                        }
                    }
                    @for &index in rows { (row(page, index, rows.len() > 1)) }
                }
            }
        }
    }
}

/// The distributions in groups of one name, with their number of releases.
fn families() -> Vec<(&'static str, usize)> {
    let mut families: Vec<(&str, usize)> = Vec::new();
    for system in distributions() {
        match families.last_mut() {
            Some((name, releases)) if *name == system.name => *releases += 1,
            _ => families.push((&system.name, 1)),
        }
    }
    families
}

fn columns() -> Markup {
    html! {
        colgroup { col; }
        @for (_, releases) in families() {
            colgroup {
                @for _ in 0..releases { col.release.alone[releases == 1]; }
            }
        }
    }
}

fn head() -> Markup {
    html! {
        thead {
            tr {
                th scope="col" rowspan="2" { "Wheel" }
                @for (name, releases) in families() { th scope="colgroup" colspan=(releases) { (name) } }
            }
            tr {
                @for system in distributions() {
                    th scope="col" { span { (system.version.replace(" and later", "+")) } small { (system.libc) } }
                }
            }
        }
    }
}

/// The wheels that install where they do not load.
fn dangers(page: &Page<'_>) -> Markup {
    let breaks = |cell: &Cell| cell.state == State::Breaks;
    let indices = (0..page.cells.len()).filter(|&index| page.row(index).iter().any(breaks));
    let indices: Vec<usize> = indices.collect();
    html! {
        @if !indices.is_empty() {
            div #dangers {
                h3 { "Wheels that install but do not load" }
                ul {
                    @for &index in indices.iter().take(DANGERS) {
                        @for (systems, reason) in broken(page.row(index)) {
                            li data-for={ "w" (index) } {
                                a href={ "#w" (index) } { (name(page.file(index))) } " on " (releases(&systems))
                                div.quiet { (prose(reason)) }
                            }
                        }
                    }
                }
                (more(indices.len(), DANGERS, "wheel"))
            }
        }
    }
}

/// A wheel. Below a row with the name of its project, the row omits that name.
fn row(page: &Page<'_>, index: usize, has_project: bool) -> Markup {
    let (file, cells) = (page.file(index), page.row(index));
    let short = file.strip_suffix(".whl").unwrap_or(file);
    let short = short.split_once('-').filter(|_| has_project).map_or(short, |(_, rest)| rest);
    let isa = page.report.wheels.get(index).and_then(|wheel| wheel.facts.isa.as_deref());
    let is_limited = cells.iter().any(|cell| cell.state == State::LoadsOnSome);
    html! {
        tr data-for={ "w" (index) } {
            th scope="row" {
                a href={ "#w" (index) } { (wrapping_name(short)) }
                @if let Some(isa) = isa.filter(|_| is_limited) { " " small { "requires " (isa) } }
            }
            @for (cell, system) in cells.iter().zip(distributions()) { (field(cell, system)) }
        }
    }
}

/// One field. The wheel's own part has the reason, too.
fn field(cell: &Cell, system: &Distribution) -> Markup {
    let label = format!("{system}: {}", cell.state.as_str());
    let reason = visible(&cell.reason).replace('`', "");
    let title = (!is_plain(cell.state)).then(|| format!("{label}: {reason}"));
    html! {
        td.(class(cell.state)) aria-label=(label) title=[title] { (mark(cell.state)) }
    }
}
