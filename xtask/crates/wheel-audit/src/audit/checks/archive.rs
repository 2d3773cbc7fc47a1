//! Checks that the archive is safe, and that all readers interpret it alike.

use super::{AuditContext, Check, Finding, Rule};
use crate::wheel::ArchiveProblem;

const UNREADABLE: Rule = Rule::error(
    "ARC001",
    "unreadable-archive",
    "build or download the wheel again; the file is not a complete zip archive",
);
const UNSAFE_NAME: Rule =
    Rule::error("ARC002", "unsafe-name", "use plain relative paths with forward slashes");
const SPECIAL_FILE: Rule =
    Rule::error("ARC003", "special-file", "pack regular files instead of links");
const COLLIDING_NAMES: Rule = Rule::error(
    "ARC004",
    "colliding-names",
    "use names that differ in more than case, Unicode normalization and trailing dots",
);
const AMBIGUOUS_HEADERS: Rule = Rule::error(
    "ARC005",
    "ambiguous-headers",
    "write the archive with a tool that keeps both headers of a member consistent",
);
const STRAY_BYTES: Rule = Rule::error(
    "ARC006",
    "stray-bytes",
    "write the archive again, with nothing before, between or after its members",
);
const UNSUPPORTED_PACKING: Rule = Rule::error(
    "ARC007",
    "unsupported-packing",
    "store or deflate the members, without encryption",
);
const BOMB: Rule =
    Rule::error("ARC008", "bomb", "remove highly repetitive data; the package index rejects it");
const DATA_DESCRIPTORS: Rule = Rule::warning(
    "ARC009",
    "data-descriptors",
    "write the archive to a seekable file; the package index rejects streamed members",
)
.refused_by_index();
const DAMAGED_MEMBER: Rule =
    Rule::error("ARC010", "damaged-member", "build or download the wheel again");
const MORE_PROBLEMS: Rule =
    Rule::error("ARC030", "more-problems", "fix the listed findings first; the rest is not listed");
const SPECIAL_MODE: Rule = Rule::warning(
    "ARC011",
    "special-mode",
    "remove the mode bit before you pack the wheel (`chmod u-s,g-s`); an installer may keep it",
);

const UNREADABLE_MODE: Rule = Rule::warning(
    "ARC012",
    "unreadable-mode",
    "pack files with mode 644 or 755; pip and uv ignore the mode, but other tools unpack unreadable files",
);

pub(super) const CHECK: Check = Check {
    rules: &[
        UNREADABLE,
        UNSAFE_NAME,
        SPECIAL_FILE,
        COLLIDING_NAMES,
        AMBIGUOUS_HEADERS,
        STRAY_BYTES,
        UNSUPPORTED_PACKING,
        BOMB,
        DATA_DESCRIPTORS,
        DAMAGED_MEMBER,
        MORE_PROBLEMS,
        SPECIAL_MODE,
        UNREADABLE_MODE,
    ],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let file = &context.facts.file;
    match &context.archive {
        Err(error) => findings.push(UNREADABLE.broken(file, error.to_string())),
        Ok(contents) => {
            let problems = contents.problems.iter();
            findings
                .extend(problems.map(|problem| rule(problem).broken(file, problem.to_string())));
            let damaged = contents.damaged.iter();
            findings.extend(damaged.map(|(path, reason)| DAMAGED_MEMBER.broken(path, reason)));
        }
    }
}

fn rule(problem: &ArchiveProblem) -> &'static Rule {
    match problem {
        ArchiveProblem::UnsafeName { .. } | ArchiveProblem::LongName { .. } => &UNSAFE_NAME,
        ArchiveProblem::SpecialFile { .. } => &SPECIAL_FILE,
        ArchiveProblem::SpecialMode { .. } => &SPECIAL_MODE,
        ArchiveProblem::UnreadableMode { .. } => &UNREADABLE_MODE,
        ArchiveProblem::Duplicate { .. }
        | ArchiveProblem::Collision { .. }
        | ArchiveProblem::FileAndFolder { .. } => &COLLIDING_NAMES,
        ArchiveProblem::HeaderMismatch { .. } | ArchiveProblem::ExtraField { .. } => {
            &AMBIGUOUS_HEADERS
        }
        ArchiveProblem::StrayBytes { .. } | ArchiveProblem::Overlap { .. } => &STRAY_BYTES,
        ArchiveProblem::Method { .. } | ArchiveProblem::Encrypted { .. } => &UNSUPPORTED_PACKING,
        ArchiveProblem::Bomb { .. } => &BOMB,
        ArchiveProblem::DataDescriptors { .. } => &DATA_DESCRIPTORS,
        ArchiveProblem::More { .. } => &MORE_PROBLEMS,
    }
}
