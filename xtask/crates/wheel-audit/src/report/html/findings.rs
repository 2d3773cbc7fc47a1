//! The findings, worst first, one part for each rule.

use maud::{Markup, html};

use super::Page;
use super::text::{more, name, prose};
use crate::audit::Severity;
use crate::report::summary::{Group, Item, count};
use crate::rule_docs::RuleDoc;

/// Maximum number of messages of a rule.
const ITEMS: usize = 40;
/// Maximum number of files with one message.
const FILES: usize = 8;
/// Maximum number of paths in one file.
const PATHS: usize = 4;

pub(super) fn part(page: &Page<'_>) -> Markup {
    let unread = &page.report.unread;
    html! {
        section aria-labelledby="findings" {
            h2 #findings { "Findings" }
            @if page.groups.is_empty() && unread.is_empty() { p { "✓ No findings." } }
            @for unread in unread {
                div.item {
                    span.badge.error { "✗ error" } " "
                    (name(unread.path.as_str())) " cannot be read: " (prose(&unread.message))
                }
            }
            @for group in &page.groups { (rule(group)) }
        }
    }
}

/// The id of a rule's part. An override can change the severity, so a code may have several.
pub(super) fn id(group: &Group<'_>) -> String {
    format!("{}-{}", group.severity.as_str(), group.code)
}

fn rule(group: &Group<'_>) -> Markup {
    let files = group.files();
    html! {
        details id=(id(group)) data-code=(group.code) open[group.severity == Severity::Error] {
            summary {
                (badge(group.severity)) " " strong { (group.code) } " " (group.rule) " "
                span.quiet { (count(group.findings(), "finding")) @if files > 1 { " in " (files) " files" } }
            }
            @if let Some(help) = group.help() { (labelled("How to fix it", help)) }
            @for one in group.items.iter().take(ITEMS) { (item(one, group.help().is_some())) }
            (more(group.items.len(), ITEMS, "message"))
            (explanation(group.code))
        }
    }
}

pub(super) fn badge(severity: Severity) -> Markup {
    let symbol = match severity {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Note => "i",
        Severity::Ignored => "–",
    };
    let word = severity.as_str();
    html! { span.badge.(word) { (symbol) " " (word) } }
}

fn labelled(label: &str, text: &str) -> Markup {
    html! { p { strong { (label) ": " } (prose(text)) } }
}

/// The rule's documentation, the same text as that of `rules CODE`.
fn explanation(code: &str) -> Markup {
    html! {
        @if let Some(doc) = RuleDoc::of(code) {
            details.about {
                summary { "About " (code) }
                p { (prose(&doc.meaning)) }
                (labelled("Why it matters", &doc.why))
                (labelled("How to fix it", &doc.fix))
                (labelled("Sources", &doc.sources.join("; ")))
            }
        }
    }
}

fn item(item: &Item<'_>, has_common_help: bool) -> Markup {
    let files = item.by_file();
    html! {
        div.item {
            @for message in item.messages() { p { (prose(&message)) } }
            @match item.reason {
                Some(reason) => (labelled("Set in wheels.toml", reason)),
                None if has_common_help => {},
                None => (labelled("How to fix it", item.help)),
            }
            ul { @for (file, paths) in files.iter().take(FILES) { li { (place(file, paths)) } } }
            (more(files.len(), FILES, "file"))
        }
    }
}

fn place(file: &str, paths: &[&str]) -> Markup {
    let left = paths.len().saturating_sub(PATHS);
    html! {
        @if !file.is_empty() { (name(file)) @if !paths.is_empty() { ": " } }
        @for (index, path) in paths.iter().take(PATHS).enumerate() {
            @if index > 0 { ", " }
            (name(path))
        }
        @if left > 0 { span.quiet { " and " (left) " more" } }
    }
}
