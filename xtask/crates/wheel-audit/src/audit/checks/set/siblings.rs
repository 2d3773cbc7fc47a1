//! Compares the wheels of one project and version for the interpreters of one system.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::Shape;
use super::{
    Finding, LOST_EXTENSION, Member, OTHER_FILES, SMALLER, Severity, listing, with_severity,
};
use crate::policy::PlatformTag;

/// Maximum number of wheels of one group that are compared. Each is compared with all others.
const MAX_GROUP: usize = 200;

pub(super) fn find(members: &[&Member<'_>], is_own: bool, findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<String, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members.iter().filter(|member| !member.is_pure()) {
        groups.entry(group_key(member)).or_default().push(member);
    }
    for group in groups.values().filter(|group| group.len() > 1) {
        let group = group.get(..MAX_GROUP).unwrap_or(group);
        sizes(group, findings);
        contents(group, is_own, findings);
    }
}

/// Implementation, C library and architecture. Wheels with the same key are comparable.
fn group_key(member: &Member<'_>) -> String {
    let tags = &member.name.tags;
    let python = tags.pythons.first().map_or("", |python| python.get(..2).unwrap_or_default());
    let platform = tags.platforms.first().map_or("", String::as_str);
    let system = match platform.parse::<PlatformTag>() {
        Ok(tag) => {
            let libc = if tag.musl().is_some() { "musl" } else { "glibc" };
            format!("{libc} {}", tag.arch().map_or_else(String::new, |arch| arch.to_string()))
        }
        // `macosx_11_0_arm64`, `win_amd64`
        Err(_) => platform.chars().filter(|each| !each.is_ascii_digit()).collect(),
    };
    format!("{python} {system}")
}

/// Reports a wheel with less than half of the median size.
fn sizes(group: &[&Member<'_>], findings: &mut Vec<Finding>) {
    for member in group {
        let others = group.iter().filter(|other| !std::ptr::eq(**other, *member));
        let mut others: Vec<u64> = others.map(|other| other.audit.facts.size).collect();
        others.sort_unstable();
        let (size, median) = (member.audit.facts.size, others.get(others.len() / 2).copied());
        if let Some(median) = median.filter(|median| others.len() > 1 && size < median / 2) {
            let message = format!("has {size} bytes; the median of its siblings is {median}");
            findings.push(SMALLER.broken(member.path(), message));
        }
    }
}

fn contents(group: &[&Member<'_>], is_own: bool, findings: &mut Vec<Finding>) {
    let (mut known, mut modules, mut files) = (Vec::new(), Names::default(), Names::default());
    for member in group {
        // One wheel at a time, to save memory: siblings have mostly the same names.
        let shape = member.audit.path.as_ref().and_then(|path| Shape::read(path));
        if let Some(shape) = shape {
            known.push(member);
            modules.add(shape.modules);
            files.add(shape.files);
        }
    }
    for (index, member) in known.into_iter().enumerate() {
        let lost = modules.lost(index);
        if !lost.is_empty() {
            let message = format!("it lacks {}, which its siblings have", listing(&lost));
            let finding = LOST_EXTENSION.broken(member.path(), message);
            findings.push(with_severity(finding, is_own, Severity::Warning));
        }
        let (lost, alone) = (files.lost(index), files.alone(index));
        let mut parts = Vec::new();
        if !lost.is_empty() {
            parts.push(format!("it lacks {}, which its siblings have", listing(&lost)));
        }
        if !alone.is_empty() {
            parts.push(format!("only this wheel has {}", listing(&alone)));
        }
        if !parts.is_empty() {
            let finding = OTHER_FILES.broken(member.path(), parts.join("; "));
            findings.push(with_severity(finding, is_own, Severity::Note));
        }
    }
}

/// The names in several wheels, each stored once.
#[derive(Default)]
struct Names {
    /// By name: its number, and how many wheels have it.
    counts: BTreeMap<String, (u32, usize)>,
    /// The numbers of each wheel's names, sorted.
    wheels: Vec<Vec<u32>>,
}

impl Names {
    fn add(&mut self, names: BTreeSet<String>) {
        let mut own = Vec::with_capacity(names.len());
        for name in names {
            let next = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
            let (number, count) = self.counts.entry(name).or_insert((next, 0));
            *count += 1;
            own.push(*number);
        }
        own.sort_unstable();
        self.wheels.push(own);
    }

    fn has(&self, wheel: usize, number: u32) -> bool {
        self.wheels.get(wheel).is_some_and(|own| own.binary_search(&number).is_ok())
    }

    /// The names that one wheel lacks and most of the others have.
    fn lost(&self, wheel: usize) -> Vec<&str> {
        let others = self.wheels.len().saturating_sub(1);
        let common = self.counts.iter().filter(|(_, (_, count))| count * 2 > others);
        let lost = common.filter(|(_, (number, _))| !self.has(wheel, *number));
        lost.map(|(name, _)| name.as_str()).collect()
    }

    /// The names that only this wheel of at least three has.
    fn alone(&self, wheel: usize) -> Vec<&str> {
        let single = self.counts.iter().filter(|(_, (_, count))| *count == 1);
        let alone =
            single.filter(|(_, (number, _))| self.wheels.len() > 2 && self.has(wheel, *number));
        alone.map(|(name, _)| name.as_str()).collect()
    }
}
