//! The facts of each wheel and file.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{matrix::class, more};
use crate::audit::{Audit, Cell, Culprit, ElfReport, FileAudit, Report, State, Verdict};
use crate::policy::distributions;
use crate::report::summary::{Numbers, count, floor, is_plain, mark, visible, word};

/// So many ELF files of a wheel are shown.
const ELVES: usize = 25;
/// So many symbols of a file.
const CULPRITS: usize = 4;
/// So many libraries of a file.
const NEEDED: usize = 12;

pub(super) fn part(report: &Report, cells: &[Vec<Cell>]) -> Markup {
    html! {
        section aria-labelledby="wheels" {
            h2 #wheels { "Wheels and files" }
            @for (index, (audit, cells)) in report.wheels.iter().zip(cells).enumerate() { (wheel(audit, cells, index)) }
            @for audit in &report.files { (file(audit)) }
        }
    }
}

fn wheel(audit: &Audit, cells: &[Cell], index: usize) -> Markup {
    let (facts, numbers) = (&audit.facts, Numbers::of(audit));
    let is_worth_a_look =
        audit.verdict() == Verdict::Fail || cells.iter().any(|cell| !is_plain(cell.state));
    let shown = facts.elf.iter().take(ELVES);
    html! {
        details id={ "w" (index) } data-name=(visible(&facts.file)) data-bad=[is_worth_a_look.then_some("1")] {
            summary {
                (badge(audit.verdict())) " " bdi.name { (visible(&facts.file)) } " "
                span.numbers { (in_short(&numbers)) }
            }
            dl.facts {
                (fact("Floor: what the symbols need", &numbers.floor))
                (fact("Built on", &built(audit, &numbers)))
                (fact("The name promises", &format!("{} ({})", numbers.claim, facts.tag_claim.join(", "))))
                (fact("Instruction set", &numbers.isa))
                (fact("True tag", &facts.overall_tag))
                (fact("Findings", &audit.findings.len().to_string()))
                @if let Some(digest) = &facts.sha256 { (fact("SHA-256", digest)) }
                @if let Some(path) = &audit.path { (fact("Path", path.as_str())) }
            }
            (systems(cells))
            @if !facts.elf.is_empty() { h3 { (count(facts.elf.len(), "ELF file")) } }
            @for elf in shown { (elf_file(elf)) }
            (more(facts.elf.len(), ELVES, "file"))
        }
    }
}

/// With what says so.
fn built(audit: &Audit, numbers: &Numbers) -> String {
    let origin = audit.facts.build_origin.as_ref();
    origin
        .map_or_else(|| numbers.built.clone(), |it| format!("{} ({})", numbers.built, it.evidence))
}

fn in_short(numbers: &Numbers) -> String {
    let Numbers { floor, built, claim, isa } = numbers;
    visible(&format!("floor {floor} · built on {built} · promises {claim} · isa {isa}"))
}

fn badge(verdict: Verdict) -> Markup {
    let text = if verdict == Verdict::Pass { "✓ good" } else { "✗ fail" };
    html! { span.badge.(word(verdict)) { (text) } }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { bdi { (visible(value)) } } } }
}

/// Where it runs, the distributions with one reason together.
fn systems(cells: &[Cell]) -> Markup {
    let mut by_reason: BTreeMap<(State, &str), Vec<String>> = BTreeMap::new();
    for (cell, system) in cells.iter().zip(distributions()) {
        by_reason.entry((cell.state, &cell.reason)).or_default().push(system.to_string());
    }
    by_reason.retain(|(state, _), _| *state != State::Absent);
    html! {
        h3 { "Where it runs" }
        ul.plain {
            @for ((state, reason), names) in &by_reason {
                li {
                    span.badge.(class(*state)) { (mark(*state)) " " (state.as_str()) } " " (names.join(", "))
                    @if !reason.is_empty() { div.quiet { bdi { (visible(reason)) } } }
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
            bdi.name { (visible(&elf.path)) } " "
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

/// What sets the floor of the C library; of the others the number says enough.
fn highest(elf: &ElfReport) -> Vec<&Culprit> {
    let Some(version) = elf.floor.get("GLIBC") else { return Vec::new() };
    let version = format!("GLIBC_{version}");
    elf.culprits.iter().filter(|culprit| culprit.version == version).collect()
}

fn culprit(culprit: &Culprit) -> Markup {
    let symbol = culprit.symbol.as_deref().unwrap_or("the version itself");
    html! {
        code { (visible(&culprit.version)) } " for " bdi.name { (visible(symbol)) } " of " (visible(&culprit.library))
        @if !culprit.callers.is_empty() {
            span.quiet { ", called by " @for (index, caller) in culprit.callers.iter().take(3).enumerate() {
                @if index > 0 { ", " }
                bdi.name { (visible(caller)) }
            } }
        }
    }
}

fn file(audit: &FileAudit) -> Markup {
    let name = visible(audit.file.as_str());
    let bad = audit.verdict == Verdict::Fail;
    let short = audit.facts.as_ref().map(|elf| format!("floor {}", floor(&elf.floor)));
    html! {
        details data-name=(name) data-bad=[bad.then_some("1")] {
            summary {
                (badge(audit.verdict)) " " bdi.name { (name) } " "
                span.numbers { (short.unwrap_or_else(|| "cannot be checked".to_owned())) }
            }
            @match &audit.facts {
                Some(elf) => (elf_file(elf)),
                None => p { "It cannot be checked." },
            }
        }
    }
}
