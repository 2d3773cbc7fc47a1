//! Wheels of one project and version, for the interpreters of one system: are they alike?

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::shape::Shape;
use super::{Finding, LOST_EXTENSION, Member, OTHER_FILES, SMALLER, Severity, listing, weighed};
use crate::policy::PlatformTag;

/// So many wheels of one kin are compared at most. Each is held against all others.
const MAX_KIN: usize = 200;

pub(super) fn find(members: &[&Member<'_>], is_own: bool, findings: &mut Vec<Finding>) {
    let mut kins: BTreeMap<String, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members.iter().filter(|member| !member.is_pure()) {
        kins.entry(kin(member)).or_default().push(member);
    }
    for kin in kins.values().filter(|kin| kin.len() > 1) {
        let kin = kin.get(..MAX_KIN).unwrap_or(kin);
        sizes(kin, findings);
        let read = |member: &&Member<'_>| Shape::read(member.audit.path.as_ref()?);
        let shapes: Vec<Option<Shape>> = kin.par_iter().map(read).collect();
        let known: Vec<_> = kin
            .iter()
            .zip(&shapes)
            .filter_map(|(each, shape)| Some((*each, shape.as_ref()?)))
            .collect();
        contents(&known, is_own, findings);
    }
}

/// Implementation, C library and architecture: what is alike for these can be compared.
fn kin(member: &Member<'_>) -> String {
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

/// A wheel with less than half of what the others have has lost something.
fn sizes(kin: &[&Member<'_>], findings: &mut Vec<Finding>) {
    for member in kin {
        let others = kin.iter().filter(|other| !std::ptr::eq(**other, *member));
        let mut others: Vec<u64> = others.map(|other| other.audit.facts.size).collect();
        others.sort_unstable();
        let (size, median) = (member.audit.facts.size, others.get(others.len() / 2).copied());
        if let Some(median) = median.filter(|median| others.len() > 1 && size < median / 2) {
            let message =
                format!("has {size} bytes, and its siblings, in the middle, have {median}");
            findings.push(SMALLER.broken(member.path(), message));
        }
    }
}

fn contents(kin: &[(&Member<'_>, &Shape)], is_own: bool, findings: &mut Vec<Finding>) {
    let modules = Counts::of(kin.iter().map(|(_, shape)| &shape.modules));
    let files = Counts::of(kin.iter().map(|(_, shape)| &shape.files));
    for (member, shape) in kin {
        let lost = modules.lost(&shape.modules);
        if !lost.is_empty() {
            let message = format!("its siblings have {}, and it lacks them", listing(&lost));
            let finding = LOST_EXTENSION.broken(member.path(), message);
            findings.push(weighed(finding, is_own, Severity::Warning));
        }
        let (lost, alone) = (files.lost(&shape.files), files.alone(&shape.files));
        let mut parts = Vec::new();
        if !lost.is_empty() {
            parts.push(format!("its siblings have {}, and it lacks them", listing(&lost)));
        }
        if !alone.is_empty() {
            parts.push(format!("it alone has {}", listing(&alone)));
        }
        if !parts.is_empty() {
            let finding = OTHER_FILES.broken(member.path(), parts.join("; "));
            findings.push(weighed(finding, is_own, Severity::Note));
        }
    }
}

/// How many of some wheels have each name.
struct Counts<'a> {
    names: BTreeMap<&'a str, usize>,
    wheels: usize,
}

impl<'a> Counts<'a> {
    fn of(wheels: impl Iterator<Item = &'a BTreeSet<String>>) -> Self {
        let mut counts = Self { names: BTreeMap::new(), wheels: 0 };
        for names in wheels {
            counts.wheels += 1;
            for name in names {
                *counts.names.entry(name).or_default() += 1;
            }
        }
        counts
    }

    /// What one of the wheels lacks and most of the others have.
    fn lost(&self, own: &BTreeSet<String>) -> Vec<&'a str> {
        let others = self.wheels.saturating_sub(1);
        let names = self.names.iter().filter(|(name, _)| !own.contains(**name));
        names.filter(|(_, count)| **count * 2 > others).map(|(name, _)| *name).collect()
    }

    /// What one of at least three wheels has and no other.
    fn alone(&self, own: &BTreeSet<String>) -> Vec<&'a str> {
        let names = self.names.iter().filter(|(name, count)| **count == 1 && own.contains(**name));
        names.filter(|_| self.wheels > 2).map(|(name, _)| *name).collect()
    }
}
