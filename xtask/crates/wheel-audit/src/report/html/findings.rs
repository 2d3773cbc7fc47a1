//! What is wrong, worst first, one part for each rule.

use maud::{Markup, html};

use super::more;
use crate::audit::{Report, Severity};
use crate::report::summary::{Group, Item, count, groups, visible};

/// So many messages of one rule are shown.
const ITEMS: usize = 40;
/// So many files with one message.
const FILES: usize = 8;
/// So many paths in one of them.
const PATHS: usize = 4;

pub(super) fn part(report: &Report) -> Markup {
    let groups = groups(report);
    html! {
        h2 { "Findings" }
        @if groups.is_empty() && report.unread.is_empty() { p { "✓ Nothing is wrong." } }
        @for unread in &report.unread {
            div.item {
                span.badge.error { "✗ error" } " "
                bdi.name { (visible(unread.path.as_str())) } " cannot be read: " (visible(&unread.message))
            }
        }
        @for group in &groups { (rule(group)) }
    }
}

fn rule(group: &Group<'_>) -> Markup {
    let severity = group.severity.as_str();
    let (findings, files) = (group.findings(), group.files());
    html! {
        details open[group.severity == Severity::Error] {
            summary {
                span.badge.(severity) { (symbol(group.severity)) " " (severity) } " "
                strong { (group.code) } " " (group.rule) " "
                span.quiet { (count(findings, "finding")) @if files > 1 { " in " (files) " files" } }
            }
            @if let Some(help) = group.help() { (told("Help: ", help)) }
            @for one in group.items.iter().take(ITEMS) { (item(one, group.help().is_some())) }
            (more(group.items.len(), ITEMS, "message"))
        }
    }
}

fn symbol(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Note => "i",
        Severity::Ignored => "–",
    }
}

fn told(what: &str, text: &str) -> Markup {
    html! { p { strong { (what) } bdi { (visible(text)) } } }
}

fn item(item: &Item<'_>, cure_is_told: bool) -> Markup {
    let files = item.by_file();
    html! {
        div.item {
            @for message in item.messages() { p { bdi { (message) } } }
            @match item.reason {
                Some(reason) => (told("Set in wheels.toml: ", reason)),
                None if cure_is_told => {},
                None => (told("Help: ", item.help)),
            }
            ul { @for (file, paths) in files.iter().take(FILES) { li { (place(file, paths)) } } }
            (more(files.len(), FILES, "file"))
        }
    }
}

fn place(file: &str, paths: &[&str]) -> Markup {
    let left = paths.len().saturating_sub(PATHS);
    html! {
        @if !file.is_empty() { bdi.name { (visible(file)) } @if !paths.is_empty() { ": " } }
        @for (index, path) in paths.iter().take(PATHS).enumerate() {
            @if index > 0 { ", " }
            bdi.name { (visible(path)) }
        }
        @if left > 0 { span.quiet { " and " (left) " more" } }
    }
}
