//! Compares the files of `dist/` with its manifest, checksums and proofs.

use camino::Utf8Path;

use super::{Finding, Rule};
use crate::dist::{DistFault, DistProblem};

const BUILD: &str = "build again with `cargo xtask wheels`, which writes what `dist/` lacks";
const REMOVE: &str = "remove the file, or build it with `cargo xtask wheels`";

const MANIFEST: Rule = Rule::error("DST001", "unreadable-manifest", BUILD);
const MISSING: Rule = Rule::error("DST002", "missing-file", BUILD);
const HASH: Rule = Rule::error("DST003", "other-bytes", "build or download the file again");
const SIZE: Rule = Rule::error("DST004", "other-size", "build or download the file again");
const UNLISTED: Rule = Rule::error("DST005", "unlisted-wheel", REMOVE);
const UNSAFE: Rule = Rule::error(
    "DST006",
    "path-outside",
    "do not use this folder, build again in a new one: lists of this tool contain only files below the folder",
);
const SUMS: Rule = Rule::error("DST007", "unreadable-checksums", BUILD);
const SUMS_DISAGREE: Rule = Rule::error("DST008", "checksums-disagree", BUILD);
const PROOF_MISSING: Rule = Rule::error("DST009", "missing-proof", BUILD);
const PROOF_UNREADABLE: Rule = Rule::error("DST010", "unreadable-proof", BUILD);
const PROOF_DISAGREES: Rule = Rule::error("DST011", "proof-disagrees", BUILD);
const LISTED_TWICE: Rule = Rule::error("DST012", "listed-twice", BUILD);
const UNPROVED: Rule =
    Rule::warning("DST013", "wheel-without-checksum", "write the checksums again, for every wheel");
const ABSENT: Rule = Rule::warning(
    "DST014",
    "checksum-without-file",
    "download the file if it belongs to the folder",
);
const UNLOCKED: Rule = Rule::error(
    "DST015",
    "differs-from-lock",
    "build with `cargo xtask wheels --locked`, or record the new versions with `cargo xtask lock`",
);

pub(in crate::audit) const RULES: &[Rule] = &[
    MANIFEST,
    MISSING,
    HASH,
    SIZE,
    UNLISTED,
    UNSAFE,
    SUMS,
    SUMS_DISAGREE,
    PROOF_MISSING,
    PROOF_UNREADABLE,
    PROOF_DISAGREES,
    LISTED_TWICE,
    UNPROVED,
    ABSENT,
    UNLOCKED,
];

/// The finding for a problem in `folder`.
pub(in crate::audit) fn finding(folder: &Utf8Path, problem: &DistProblem) -> Finding {
    rule(problem.fault).broken(folder.join(&problem.path).as_str(), problem.message.clone())
}

fn rule(fault: DistFault) -> &'static Rule {
    match fault {
        DistFault::Manifest => &MANIFEST,
        DistFault::Missing => &MISSING,
        DistFault::Hash => &HASH,
        DistFault::Size => &SIZE,
        DistFault::Unlisted => &UNLISTED,
        DistFault::Unsafe => &UNSAFE,
        DistFault::Sums => &SUMS,
        DistFault::SumsDisagree => &SUMS_DISAGREE,
        DistFault::ProofMissing => &PROOF_MISSING,
        DistFault::ProofUnreadable => &PROOF_UNREADABLE,
        DistFault::ProofDisagrees => &PROOF_DISAGREES,
        DistFault::ListedTwice => &LISTED_TWICE,
        DistFault::Unproved => &UNPROVED,
        DistFault::Absent => &ABSENT,
        DistFault::Unlocked => &UNLOCKED,
    }
}
