//! Checks that all readers find the same headers in `WHEEL` and `METADATA`.

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::CoreFields;
use crate::wheel::Headers;

const LOST: Rule = Rule::error(
    "MET047",
    "lost-headers",
    "write headers as `Name: value`, indent lines that continue a value, and put an empty line before the description",
);
const NO_BREAK: Rule = Rule::warning(
    "MET041",
    "description-without-a-break",
    "put an empty line before the description, and indent lines that continue a header",
);
const ODD_BREAKS: Rule = Rule::warning(
    "MET042",
    "odd-line-breaks",
    "end lines with `\\n`; parsers disagree on other line breaks",
);

pub(super) const CHECK: Check = Check { rules: &[LOST, NO_BREAK, ODD_BREAKS], find };

/// The headers of `WHEEL`, and headers of `METADATA` that the core metadata specification spells differently.
const OTHERS: [&str; 6] =
    ["Wheel-Version", "Generator", "Root-Is-Purelib", "Tag", "Build", "License-File"];

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    // MET001 covers several folders.
    let Some(folder) = contents.dist_infos.first() else { return };
    if let Some(Ok(wheel)) = &contents.wheel {
        check_headers(&format!("{folder}/WHEEL"), &wheel.headers, findings);
    }
    if let Some(Ok(metadata)) = &contents.metadata {
        check_headers(&format!("{folder}/METADATA"), &metadata.headers, findings);
    }
}

fn check_headers(path: &str, headers: &Headers, findings: &mut Vec<Finding>) {
    if let Some(cut) = headers.cut() {
        let is_known = |name: &&String| {
            CoreFields::builtin().added(name).is_some()
                || OTHERS.iter().any(|other| other.eq_ignore_ascii_case(name))
        };
        let lost: Vec<&String> = cut.lost.iter().filter(is_known).collect();
        let line = cut.line.escape_debug();
        let finding = if lost.is_empty() {
            NO_BREAK.broken(path, format!("the headers end at `{line}`, which is not a header"))
        } else {
            let lost = listing(&lost);
            let message =
                format!("the headers end at `{line}`, so parsers ignore {lost} there or after it");
            LOST.broken(path, message)
        };
        findings.push(finding);
    }
    if headers.has_odd_breaks() {
        let message = "has line breaks in headers that only some parsers recognize";
        findings.push(ODD_BREAKS.broken(path, message));
    }
}
