//! Do all readers take the same lines of `WHEEL` and `METADATA` for headers?

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::CoreFields;
use crate::wheel::Headers;

const LOST: Rule = Rule::error(
    "MET047",
    "lost-headers",
    "write headers as `Name: value`, longer values with an indent, and an empty line before the description",
);
const NO_BREAK: Rule = Rule::warning(
    "MET041",
    "description-without-a-break",
    "put an empty line before the description, and an indent before what continues a header",
);
const ODD_BREAKS: Rule = Rule::warning(
    "MET042",
    "odd-line-breaks",
    "end lines with `\\n`; parsers disagree on other line breaks",
);

pub(super) const CHECK: Check = Check { rules: &[LOST, NO_BREAK, ODD_BREAKS], find };

/// The headers of `WHEEL`, and those of `METADATA` that no version of the core metadata lists under
/// this name.
const OTHERS: [&str; 6] =
    ["Wheel-Version", "Generator", "Root-Is-Purelib", "Tag", "Build", "License-File"];

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    // Where there are several folders, another rule says so.
    let Some(folder) = contents.dist_infos.first() else { return };
    if let Some(Ok(wheel)) = &contents.wheel {
        judge(&format!("{folder}/WHEEL"), &wheel.headers, findings);
    }
    if let Some(Ok(metadata)) = &contents.metadata {
        judge(&format!("{folder}/METADATA"), &metadata.headers, findings);
    }
}

fn judge(path: &str, headers: &Headers, findings: &mut Vec<Finding>) {
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
