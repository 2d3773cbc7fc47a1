//! The checks, each family of rules in its own file.

mod abi;
mod archive;
mod contents;
mod core_metadata;
mod covered_tags;
pub(super) mod dist;
mod dist_info;
mod entry_points;
mod floor;
mod hardening;
mod headers;
mod installable;
mod isa;
mod libraries;
mod loadable;
mod machine;
mod metadata;
mod module_init;
mod none_abi;
mod obstacles;
mod placement;
mod record;
mod search_path;
pub(super) mod set;
mod stable_abi;
mod symbols;
mod tag_words;
mod tags;
mod target;
mod variants;

use super::{Depth, Finding, Rule, Severity, context::AuditContext};
use crate::text::listing;

/// Rules and the function that reports where a wheel breaks them.
struct Check {
    rules: &'static [Rule],
    find: fn(&AuditContext<'_>, &mut Vec<Finding>),
}

/// Every check. To add one, write its file and list it here.
const CHECKS: &[Check] = &[
    archive::CHECK,
    record::CHECK,
    metadata::CHECK,
    headers::CHECK,
    core_metadata::CHECK,
    dist_info::CHECK,
    entry_points::CHECK,
    contents::CHECK,
    placement::CHECK,
    tags::CHECK,
    tag_words::CHECK,
    variants::CHECK,
    installable::CHECK,
    target::CHECK,
    abi::CHECK,
    none_abi::CHECK,
    covered_tags::CHECK,
    stable_abi::CHECK,
    module_init::CHECK,
    machine::CHECK,
    floor::CHECK,
    loadable::CHECK,
    libraries::CHECK,
    obstacles::CHECK,
    symbols::CHECK,
    search_path::CHECK,
    hardening::CHECK,
    isa::CHECK,
];

/// Every rule, for lists and reports.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    CHECKS
        .iter()
        .flat_map(|check| check.rules)
        .chain([&MORE_FINDINGS])
        .chain(dist::RULES)
        .chain(set::RULES)
        .chain(set::like::RULES)
}

/// The checks that need only the loader's tables. Unreadable archives and files must be reported here too:
/// an archive without readable files has no needs, but that does not make it compatible.
const FLOOR_CHECKS: &[Check] =
    &[archive::CHECK, tags::CHECK, machine::CHECK, floor::CHECK, loadable::CHECK];

/// The checks for a file outside of a wheel.
const FILE_CHECKS: &[Check] = &[
    machine::CHECK,
    floor::CHECK,
    loadable::CHECK,
    obstacles::CHECK,
    symbols::CHECK,
    hardening::CHECK,
    isa::CHECK,
];

/// Runs every check that the depth allows. The findings are not sorted.
pub(super) fn run(context: &AuditContext<'_>, depth: Depth) -> Vec<Finding> {
    all(if depth == Depth::Floor { FLOOR_CHECKS } else { CHECKS }, context)
}

/// As [`run`], for a file outside of a wheel.
pub(super) fn run_file(context: &AuditContext<'_>) -> Vec<Finding> {
    all(FILE_CHECKS, context)
}

fn all(checks: &[Check], context: &AuditContext<'_>) -> Vec<Finding> {
    let (mut findings, mut omitted) = (Vec::new(), Omitted::default());
    for check in checks {
        (check.find)(context, &mut findings);
        omitted.truncate(&mut findings);
    }
    findings.extend(omitted.finding(&context.facts.file));
    findings
}

/// Maximum number of findings per wheel. The worst published wheels have a few hundred.
const MAX_FINDINGS: usize = 4_000;

const MORE_FINDINGS: Rule =
    Rule::error("MET040", "more-findings", "fix the listed findings first; the rest is not listed");

/// Findings beyond [`MAX_FINDINGS`].
#[derive(Default)]
struct Omitted {
    count: usize,
    /// The severity of the worst of them.
    severity: Option<Severity>,
}

impl Omitted {
    /// Keeps the worst [`MAX_FINDINGS`].
    fn truncate(&mut self, findings: &mut Vec<Finding>) {
        if findings.len() > MAX_FINDINGS {
            findings.sort();
            let rest = findings.split_off(MAX_FINDINGS);
            self.count += rest.len();
            self.severity = rest.iter().map(|each| each.severity).chain(self.severity).min();
            findings.shrink_to_fit();
        }
    }

    fn finding(&self, file: &str) -> Option<Finding> {
        let severity = self.severity?;
        let message = format!("{} more findings are not listed", self.count);
        Some(Finding { severity, ..MORE_FINDINGS.broken(file, message) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FAMILIES: [&str; 9] = ["ARC", "REC", "MET", "TAG", "ABI", "ELF", "ISA", "SET", "DST"];

    #[test]
    fn codes_and_names_are_unique_and_well_formed() {
        let (mut codes, mut names) = (BTreeSet::new(), BTreeSet::new());
        for rule in rules() {
            assert!(codes.insert(rule.code), "{} is used twice", rule.code);
            assert!(names.insert(rule.name), "{} is used twice", rule.name);
            let (family, number) = rule.code.split_at(3);
            assert!(FAMILIES.contains(&family), "{}", rule.code);
            assert!(number.len() == 3 && number.parse::<u16>().is_ok(), "{}", rule.code);
            assert!(!rule.help.is_empty() && !rule.help.ends_with('.'), "{}", rule.code);
        }
    }
}
