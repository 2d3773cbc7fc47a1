//! Groups findings of one rule with the same cause in many places of a wheel.

use std::collections::{BTreeMap, btree_map::Entry};

use super::finding::{Finding, Place};

/// Maximum number of findings of one shape that are reported one by one.
const MAX_SEPARATE: usize = 3;

/// Replaces more than three findings with the same rule, severity, help and shape by the first of them, which lists
/// the other places. Apply overrides before, because they can change the severity of single findings.
pub(super) fn group(findings: &mut Vec<Finding>) {
    let mut counts: BTreeMap<Key, usize> = BTreeMap::new();
    for finding in findings.iter() {
        *counts.entry(Key::of(finding)).or_default() += 1;
    }
    if counts.values().all(|&count| count <= MAX_SEPARATE) {
        return;
    }
    let mut firsts: BTreeMap<Key, usize> = BTreeMap::new();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings.drain(..) {
        let key = Key::of(&finding);
        let repeats = counts.get(&key).is_some_and(|&count| count > MAX_SEPARATE);
        match firsts.entry(key) {
            Entry::Occupied(first) if repeats => {
                if let Some(first) = kept.get_mut(*first.get()) {
                    first.also.push(Place { path: finding.path, message: finding.message });
                }
                continue;
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(first) => drop(first.insert(kept.len())),
        }
        kept.push(finding);
    }
    *findings = kept;
}

/// The common properties of a group.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    severity: super::Severity,
    code: &'static str,
    help: String,
    reason: Option<String>,
    shape: String,
}

impl Key {
    fn of(finding: &Finding) -> Self {
        Self {
            severity: finding.severity,
            code: finding.code,
            help: finding.help.to_string(),
            reason: finding.reason.clone(),
            shape: finding.shared.clone().unwrap_or_else(|| shape(&finding.message)),
        }
    }
}

/// A message without names in back-ticks and without numbers.
fn shape(message: &str) -> String {
    let mut shape = String::new();
    for (index, part) in message.split('`').enumerate() {
        if index % 2 == 0 {
            shape.extend(part.chars().filter(|each| !each.is_ascii_digit()));
        } else {
            shape.push('`');
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Rule;

    const RULE: Rule = Rule::warning("MET000", "some-rule", "do something");

    fn finding(path: &str, message: &str) -> Finding {
        RULE.broken(path, message)
    }

    #[test]
    fn more_than_three_of_a_shape_are_grouped() {
        let numbered =
            |index: usize| finding(&format!("f{index}"), &format!("`f{index}` has {index}"));
        let mut few: Vec<Finding> = (0..3).map(numbered).collect();
        group(&mut few);
        assert_eq!(few.len(), 3);
        let mut many: Vec<Finding> = (0..451).map(numbered).collect();
        many.push(finding("x", "is another thing"));
        group(&mut many);
        let counts: Vec<usize> = many.iter().map(|each| each.also.len()).collect();
        assert_eq!(counts, [450, 0]);
        let first = many.first().map(|each| (each.path.as_str(), each.also.first()));
        let second = Place { path: "f1".into(), message: "`f1` has 1".into() };
        assert_eq!(first, Some(("f0", Some(&second))));
    }

    #[test]
    fn another_severity_reason_or_help_is_not_grouped() {
        let mut all: Vec<Finding> = (0..8).map(|_| finding("a", "is wrong")).collect();
        all.push(Finding { severity: crate::audit::Severity::Note, ..finding("b", "is wrong") });
        all.push(Finding { reason: Some("why".into()), ..finding("c", "is wrong") });
        all.push(finding("d", "is wrong").with_help("do another thing"));
        group(&mut all);
        let paths: Vec<&str> = all.iter().map(|each| each.path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "c", "d"]);
    }
}
