//! Text of messages and names as HTML.

use maud::{Markup, html};

use crate::report::summary::{code_spans, count, visible};

/// A message, with the text between back-ticks as code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        bdi {
            @for (is_code, part) in code_spans(&visible(text)) {
                @if is_code { code { (part) } } @else { (part) }
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

/// "and 12 more files", if the page leaves some out.
pub(super) fn more(all: usize, shown: usize, noun: &str) -> Markup {
    let left = all.saturating_sub(shown);
    html! {
        @if left > 0 {
            p.quiet { "and " (count(left, &format!("more {noun}"))) " (" code { "--json" } " lists all)" }
        }
    }
}
