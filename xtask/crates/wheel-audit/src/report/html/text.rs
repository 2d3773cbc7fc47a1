//! Text of messages and names as HTML.

use maud::{Markup, html};

use crate::policy::distributions;
use crate::report::summary::{count, visible};

/// A message: parts between back-ticks become `<code>`. A back-tick without a partner stays.
pub(super) fn prose(text: &str) -> Markup {
    let shown = visible(text);
    let mut parts = shown.split('`').peekable();
    let mut is_code = false;
    html! {
        bdi {
            @while let Some(part) = parts.next() {
                @if !is_code { (part) }
                @else if parts.peek().is_some() { code { (part) } }
                @else { "`" (part) }
                @let _ = is_code = !is_code;
            }
        }
    }
}

/// A file name or symbol.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi.name { (visible(text)) } }
}

/// A file name that can wrap after its separators, for a narrow column.
pub(super) fn wrapping_name(text: &str) -> Markup {
    let shown = visible(text);
    html! {
        bdi.name {
            @for (index, part) in shown.split_inclusive(['-', '.', '_', '/']).enumerate() {
                @if index > 0 { wbr; }
                (part)
            }
        }
    }
}

/// "Debian 11, 12, Alpine 3.13 and later" from the full names of distributions.
pub(super) fn releases(names: &[String]) -> String {
    let mut text = String::new();
    let mut family = "";
    for system in distributions().iter().filter(|system| names.contains(&system.to_string())) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if family != system.name {
            text.push_str(&system.name);
            text.push(' ');
        }
        text.push_str(&system.version);
        family = &system.name;
    }
    text
}

/// "and 12 more files", if the page leaves some out.
pub(super) fn more(all: usize, shown: usize, noun: &str) -> Markup {
    let left = all.saturating_sub(shown);
    html! {
        @if left > 0 {
            p.quiet { "and " (count(left, &format!("more {noun}"))) " (" code { "--json" } " lists all)" }
        }
    }
}
