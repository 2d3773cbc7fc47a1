//! Compares several wheels with each other, with published wheels and with `wheels.toml`.

pub(in crate::audit) mod like;
mod requested;
pub(in crate::audit) mod shape;
mod siblings;

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Rule, Severity, listing};
use crate::audit::{Audit, Inputs, RequestedWheels};
use crate::wheel::{VersionKey, WheelName};

// The severities apply to the repository's own wheels. A folder of downloads may contain unrelated
// wheels, so no finding there is an error.
const MISSING_WHEEL: Rule = Rule::warning(
    "SET001",
    "missing-wheel",
    "build it with `cargo xtask wheels`, or remove the interpreter from wheels.toml",
);
const MISSING_TARGET: Rule = Rule::warning(
    "SET002",
    "missing-target",
    "build it with `cargo xtask wheels`, or remove it from `[ci] targets` or wheels.toml",
);
const ONE_NAME: Rule = Rule::error(
    "SET003",
    "one-name",
    "use a separate tag for each target (`[check] tag = \"target\"`), or select one target in `[publish] targets`: an \
     index accepts only one of the files",
);
const OTHER_VERSION: Rule =
    Rule::error("SET004", "other-version", "remove the old wheels, or build them again");
const SMALLER: Rule =
    Rule::warning("SET005", "smaller-than-siblings", "compare its files with the other wheels");
const LOST_EXTENSION: Rule =
    Rule::error("SET006", "lost-extension", "search the build log for a compiler error");
const OTHER_FILES: Rule = Rule::warning(
    "SET007",
    "other-files",
    "build each wheel from the same files, in a clean folder",
);
const MIXED_PURITY: Rule = Rule::warning(
    "SET008",
    "mixed-purity",
    "search the build log of the pure wheel for a compiler error; if it is the fallback, override the finding",
);

pub(in crate::audit) const RULES: &[Rule] = &[
    MISSING_WHEEL,
    MISSING_TARGET,
    ONE_NAME,
    OTHER_VERSION,
    SMALLER,
    LOST_EXTENSION,
    OTHER_FILES,
    MIXED_PURITY,
];

/// A wheel of the set with a valid name.
struct Member<'a> {
    audit: &'a Audit,
    name: WheelName,
}

impl Member<'_> {
    fn path(&self) -> &str {
        self.audit.path.as_ref().map_or(&self.audit.facts.file, |path| path.as_str())
    }

    /// The name of the folder that it is in.
    fn folder(&self) -> &str {
        let folder = self.audit.path.as_ref().and_then(|path| path.parent()?.file_name());
        folder.unwrap_or_default()
    }

    fn is_pure(&self) -> bool {
        self.name.tags.platforms == ["any"]
    }

    fn project(&self) -> String {
        self.name.distribution.to_ascii_lowercase().replace(['.', '-'], "_")
    }
}

/// The findings about the wheels as a set. `publish`: as in [`crate::audit::Settings`].
pub(in crate::audit) fn findings(inputs: &Inputs, wheels: &[Audit], publish: bool) -> Vec<Finding> {
    let member = |audit| Some(Member { audit, name: WheelName::parse(&audit.facts.file).ok()? });
    let members: Vec<Member<'_>> = wheels.iter().filter_map(member).collect();
    let mut findings = Vec::new();
    let is_own = inputs.requested.is_some();
    if let Some(requested) = &inputs.requested {
        requested::find(requested, &members, publish, &mut findings);
    }
    like::find(&inputs.like, &members, &mut findings);
    names(&members, inputs.requested.as_ref(), &mut findings);
    let mut projects: BTreeMap<String, Vec<&Member<'_>>> = BTreeMap::new();
    for member in &members {
        projects.entry(member.project()).or_default().push(member);
    }
    for members in projects.into_values().filter(|members| members.len() > 1) {
        let versions = versions(members, |member| &member.name.version);
        if versions.len() > 1
            && inputs.requested.as_ref().is_none_or(|requested| requested.project.is_none())
        {
            findings.push(mixed_versions(&versions, is_own));
        }
        for members in versions {
            purity(&members, is_own, &mut findings);
            siblings::find(&members, is_own, &mut findings);
        }
    }
    findings
}

/// Replaces the severity if the wheels are not this repository's own.
fn with_severity(mut finding: Finding, is_own: bool, elsewhere: Severity) -> Finding {
    if !is_own {
        finding.severity = elsewhere;
    }
    finding
}

/// Reports files of the same name in several folders. Only one of them can be published.
fn names(members: &[Member<'_>], requested: Option<&RequestedWheels>, findings: &mut Vec<Finding>) {
    let is_own = requested.is_some();
    // A target that is not published may have the same names as another one.
    let is_published =
        |member: &&Member<'_>| requested.is_none_or(|it| !it.unpublished.contains(member.folder()));
    let mut names: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members.iter().filter(is_published) {
        names.entry(&member.audit.facts.file).or_default().push(member);
    }
    for same in names.values().filter(|same| same.len() > 1) {
        let [first, .., last] = same.as_slice() else { continue };
        let contents: BTreeSet<_> = same.iter().map(|each| &each.audit.facts.sha256).collect();
        let (message, severity) = if contents.len() > 1 {
            ("has the same name but other contents", Severity::Warning)
        } else if is_own {
            ("is the same file", Severity::Note)
        } else {
            continue;
        };
        let finding = ONE_NAME.broken(first.path(), format!("`{}` {message}", last.path()));
        findings.push(with_severity(finding, is_own && contents.len() > 1, severity));
    }
}

/// Groups the wheels of a project by version, in the order of each version's first wheel.
fn versions<T>(members: Vec<T>, version: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    let mut versions: Vec<Vec<T>> = Vec::new();
    let mut places: BTreeMap<VersionKey, usize> = BTreeMap::new();
    for member in members {
        let place = *places.entry(VersionKey::of(version(&member))).or_insert(versions.len());
        match versions.get_mut(place) {
            Some(group) => group.push(member),
            None => versions.push(vec![member]),
        }
    }
    versions
}

fn mixed_versions(versions: &[Vec<&Member<'_>>], is_own: bool) -> Finding {
    let first = versions.iter().filter_map(|group| group.first());
    let numbers: Vec<&String> = first.map(|member| &member.name.version).collect();
    let last = versions.last().and_then(|group| group.first());
    let (path, name) =
        last.map_or(("", ""), |member| (member.path(), member.name.distribution.as_str()));
    let message = format!("`{name}` is present in several versions: {}", listing(&numbers));
    with_severity(OTHER_VERSION.broken(path, message), is_own, Severity::Note)
}

fn purity(members: &[&Member<'_>], is_own: bool, findings: &mut Vec<Finding>) {
    let pure = members.iter().find(|member| member.is_pure());
    let native = members.iter().find(|member| !member.is_pure());
    if let (Some(pure), Some(native)) = (pure, native) {
        let message = format!("is for any platform, but `{}` is native", native.audit.facts.file);
        findings.push(with_severity(
            MIXED_PURITY.broken(pure.path(), message),
            is_own,
            Severity::Note,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_version_are_one_group() {
        let found = versions(vec!["2.0", "1.0", "v1.0.0", "odd+_", "2"], |version| version);
        assert_eq!(found, [vec!["2.0", "2"], vec!["1.0", "v1.0.0"], vec!["odd+_"]]);
    }

    /// With thousands of wheels, comparing each with every version takes minutes.
    #[test]
    fn each_version_is_read_once() {
        let reads = std::cell::Cell::new(0);
        let members: Vec<_> = (0..500).map(|i| format!("1.{i}")).collect();
        let found = versions(members, |version| {
            reads.set(reads.get() + 1);
            version
        });
        assert_eq!(found.len(), 500);
        assert_eq!(reads.get(), 500);
    }
}
