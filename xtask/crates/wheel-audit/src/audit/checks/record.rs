//! Compares `RECORD` with the files of the archive.

use super::{AuditContext, Check, Finding, Rule};
use crate::wheel::RecordProblem;

const UNREADABLE: Rule = Rule::error(
    "REC001",
    "unreadable-record",
    "build the wheel with a backend that writes `RECORD`",
);
const UNLISTED: Rule =
    Rule::error("REC002", "unlisted-file", "add files before `RECORD` is written, not after");
const ABSENT: Rule = Rule::error(
    "REC003",
    "absent-file",
    "build the wheel again; a file was lost after `RECORD` was written",
);
const MISMATCH: Rule = Rule::error(
    "REC004",
    "record-mismatch",
    "build or download the wheel again; a file was changed after `RECORD` was written",
);
const NO_HASH: Rule = Rule::error("REC005", "no-usable-hash", "record every file with its sha256");
const REPEATED: Rule = Rule::error("REC006", "repeated-row", "list every file once");
const OUTSIDE: Rule = Rule::error(
    "REC007",
    "row-outside",
    "list only paths inside the archive; uninstalling would remove other files",
);
const OWN_HASH: Rule =
    Rule::warning("REC008", "own-hash", "list `RECORD` itself without hash and size");
const UNCHECKED: Rule = Rule::warning(
    "REC009",
    "unchecked-hash",
    "record every file with its sha256, which every reader checks",
);

pub(super) const CHECK: Check = Check {
    rules: &[
        UNREADABLE, UNLISTED, ABSENT, MISMATCH, NO_HASH, REPEATED, OUTSIDE, OWN_HASH, UNCHECKED,
    ],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else {
        return;
    };
    // MET001 covers several folders.
    let folder = contents.dist_infos.first().map_or("", String::as_str);
    let path = format!("{folder}/RECORD");
    match &contents.record {
        _ if contents.damaged.contains_key(&path) => {}
        None => findings.push(UNREADABLE.broken(&context.facts.file, "the wheel has no `RECORD`")),
        Some(Err(error)) => findings.push(UNREADABLE.broken(&path, error.to_string())),
        Some(Ok(record)) => {
            let problems = record.verify(&contents.digests, &path);
            // ARC010 covers members that are damaged.
            let problems =
                problems.iter().filter(|problem| !contents.damaged.contains_key(problem.path()));
            findings.extend(problems.map(finding));
        }
    }
}

fn finding(problem: &RecordProblem) -> Finding {
    let finding = rule(problem).broken(problem.path(), problem.to_string());
    if matches!(problem, RecordProblem::Form { .. }) {
        finding.with_help("write each hash as URL-safe base64 without `=` at its end")
    } else {
        finding
    }
}

fn rule(problem: &RecordProblem) -> &'static Rule {
    match problem {
        RecordProblem::Unlisted { .. } => &UNLISTED,
        RecordProblem::Absent { .. } => &ABSENT,
        RecordProblem::Repeated { .. } => &REPEATED,
        RecordProblem::NoHash { .. }
        | RecordProblem::Algorithm { .. }
        | RecordProblem::Form { .. } => &NO_HASH,
        RecordProblem::Outside { .. } => &OUTSIDE,
        RecordProblem::OwnHash { .. } => &OWN_HASH,
        RecordProblem::Unchecked { .. } => &UNCHECKED,
        RecordProblem::Hash { .. } | RecordProblem::Size { .. } => &MISMATCH,
    }
}
