//! The facts of each wheel and file.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::text::{more, name, prose};
use super::{Page, findings, matrix::class};
use crate::audit::{Audit, Cell, Culprit, ElfReport, FileAudit, State, Verdict};
use crate::policy::distributions;
use crate::report::summary::{
    Group, Numbers, count, floor, is_plain, mark, releases, visible, word,
};

/// Maximum number of ELF files of a wheel.
const ELF_FILES: usize = 25;
/// Maximum number of symbols of a file.
const CULPRITS: usize = 4;
/// Maximum number of libraries of a file.
const NEEDED: usize = 12;

pub(super) fn part(page: &Page<'_>) -> Markup {
    let report = page.report;
    html! {
        section aria-labelledby="wheels" {
            h2 #wheels { "Wheels and files" }
            @for (index, audit) in report.wheels.iter().enumerate() { (wheel(page, audit, index)) }
            @for audit in &report.files { (file(page, audit)) }
        }
    }
}

fn wheel(page: &Page<'_>, audit: &Audit, index: usize) -> Markup {
    let (facts, numbers, cells) = (&audit.facts, Numbers::of(audit), page.row(index));
    let path = audit.path.as_ref().map_or("", |path| path.as_str());
    let groups = page.groups_of([&facts.file, path]);
    let bad = (audit.verdict() == Verdict::Fail).then_some("1");
    let odd = cells.iter().any(|cell| !is_plain(cell.state)).then_some("1");
    let is_only = page.report.wheels.len() + page.report.files.len() == 1;
    html! {
        details id={ "w" (index) } data-name=(visible(&facts.file)) data-codes=(codes(&groups)) data-bad=[bad] data-odd=[odd] open[is_only] {
            summary {
                (badge(audit.verdict())) " " (name(&facts.file)) " "
                span.numbers { (short_numbers(&numbers)) }
            }
            dl.facts {
                (fact("Floor: newest glibc version needed", &numbers.floor))
                (fact("Built on", &built(audit, &numbers)))
                (fact("Promises: oldest C library allowed by the tag", &format!("{} ({})", numbers.claim, facts.tag_claim.join(", "))))
                (fact("Lowest tag for the contents", &facts.overall_tag))
                (fact("Instruction set level (isa)", &numbers.isa))
                @if let Some(digest) = &facts.sha256 { (fact("SHA-256", digest)) }
                @if !path.is_empty() { (fact("Path", path)) }
            }
            (finding_links(&groups))
            (systems(cells))
            @if !facts.elf.is_empty() { h3 { (count(facts.elf.len(), "ELF file")) } }
            @for elf in facts.elf.iter().take(ELF_FILES) { (elf_file(elf)) }
            (more(facts.elf.len(), ELF_FILES, "file"))
        }
    }
}

/// The codes of the findings, for the filter.
fn codes(groups: &[&Group<'_>]) -> String {
    let codes: BTreeSet<&str> = groups.iter().map(|group| group.code).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}

fn finding_links(groups: &[&Group<'_>]) -> Markup {
    html! {
        @if !groups.is_empty() {
            h3 { "Findings" }
            ul.plain {
                @for group in groups {
                    li {
                        (findings::badge(group.severity)) " "
                        a href={ "#" (findings::id(group)) } { (group.code) " " (group.rule) }
                    }
                }
            }
        }
    }
}

/// The C library of the build, and the evidence for it.
fn built(audit: &Audit, numbers: &Numbers) -> String {
    let origin = audit.facts.build_origin.as_ref();
    origin
        .map_or_else(|| numbers.built.clone(), |it| format!("{} ({})", numbers.built, it.evidence))
}

fn short_numbers(numbers: &Numbers) -> String {
    let Numbers { floor, built, claim, isa } = numbers;
    visible(&format!("floor {floor} · built on {built} · promises {claim} · isa {isa}"))
}

fn badge(verdict: Verdict) -> Markup {
    let mark = if verdict == Verdict::Pass { "✓" } else { "✗" };
    html! { span.badge.(word(verdict)) { (mark) " " (word(verdict)) } }
}

fn fact(label: &str, value: &str) -> Markup {
    html! { div { dt { (label) } dd { (prose(value)) } } }
}

/// The distributions by state and obstacle, with one reason each.
fn systems(cells: &[Cell]) -> Markup {
    type Obstacle<'a> = Option<(&'a str, &'a str)>;
    type Systems<'a> = (Vec<String>, BTreeSet<&'a str>);
    let mut groups: BTreeMap<(State, Obstacle<'_>), Systems<'_>> = BTreeMap::new();
    for (cell, system) in cells.iter().zip(distributions()) {
        let obstacle = cell.blocker.as_ref().map(|it| (it.code, it.path.as_str()));
        let (names, reasons) = groups.entry((cell.state, obstacle)).or_default();
        names.push(system.to_string());
        reasons.insert(&cell.reason);
    }
    groups.retain(|(state, _), _| *state != State::Absent);
    html! {
        h3 { "Distributions" }
        ul.plain {
            @for ((state, _), (names, reasons)) in &groups {
                li {
                    span.badge.(class(*state)) { (mark(*state)) " " (state.as_str()) } " " (releases(names))
                    @if let Some(reason) = reasons.first().filter(|reason| !reason.is_empty()) {
                        div.quiet { @if reasons.len() > 1 { "For example: " } (prose(reason)) }
                    }
                }
            }
        }
    }
}

fn elf_file(elf: &ElfReport) -> Markup {
    let floors: Vec<String> =
        elf.floor.iter().map(|(prefix, version)| format!("{prefix} {version}")).collect();
    let needed = elf.needed.iter().take(NEEDED).map(|name| visible(name)).collect::<Vec<_>>();
    let left = elf.needed.len().saturating_sub(NEEDED);
    html! {
        div.item {
            (name(&elf.path)) " "
            span.quiet { (elf.machine) @if let Some(isa) = &elf.isa { " · " (isa) } }
            @if !floors.is_empty() { div { "Needs " (floors.join(", ")) } }
            @if !elf.needed.is_empty() {
                div.quiet { "Libraries: " (needed.join(", ")) @if left > 0 { " and " (left) " more" } }
            }
            @let culprits = highest(elf);
            @if !culprits.is_empty() {
                ul { @for each in culprits.iter().take(CULPRITS) { li { (culprit(each)) } } }
                @if culprits.len() > CULPRITS { div.quiet { "and " (culprits.len() - CULPRITS) " more symbols" } }
            }
        }
    }
}

/// The symbols that set the floor of glibc.
fn highest(elf: &ElfReport) -> Vec<&Culprit> {
    let Some(version) = elf.floor.get("GLIBC") else { return Vec::new() };
    let version = format!("GLIBC_{version}");
    elf.culprits.iter().filter(|culprit| culprit.version == version).collect()
}

fn culprit(culprit: &Culprit) -> Markup {
    let symbol = culprit.symbol.as_deref().unwrap_or("the version itself");
    html! {
        code { (visible(&culprit.version)) } " for " (name(symbol)) " of " (visible(&culprit.library))
        @if !culprit.callers.is_empty() {
            span.quiet { ", called by " @for (index, caller) in culprit.callers.iter().take(3).enumerate() {
                @if index > 0 { ", " }
                (name(caller))
            } }
        }
    }
}

fn file(page: &Page<'_>, audit: &FileAudit) -> Markup {
    let groups = page.groups_of([audit.file.as_str(), ""]);
    let bad = (audit.verdict == Verdict::Fail).then_some("1");
    let short = audit.facts.as_ref().map(|elf| format!("floor {}", floor(&elf.floor)));
    html! {
        details data-name=(visible(audit.file.as_str())) data-codes=(codes(&groups)) data-bad=[bad] {
            summary {
                (badge(audit.verdict)) " " (name(audit.file.as_str())) " "
                span.numbers { (short.unwrap_or_else(|| "unreadable".to_owned())) }
            }
            (finding_links(&groups))
            @if let Some(elf) = &audit.facts { (elf_file(elf)) }
        }
    }
}
