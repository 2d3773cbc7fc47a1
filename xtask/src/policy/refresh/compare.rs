//! Compares two lists of policies.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Facts, Family, Policy};

/// A difference between the two lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The policy's tag: `manylinux_2_42`.
    pub policy: String,
    /// The kind.
    pub kind: Kind,
    /// An architecture and prefix, or a library. Empty for the policy itself.
    pub of: String,
    /// Names only in the published list.
    pub lacking: Vec<String>,
    /// Names only in the copy.
    pub beyond: Vec<String>,
}

/// The kind of names in a [`Difference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The tag itself.
    Tag,
    /// Older names of the tag.
    Alias,
    /// Architectures.
    Architecture,
    /// Symbol versions.
    Version,
    /// System libraries.
    Library,
    /// Forbidden symbols.
    Symbol,
}

/// Compares the published policies with the copy.
pub(crate) fn differences(family: Family, published: &Facts, copy: &Facts) -> Vec<Difference> {
    let mut found = Vec::new();
    // For a tag in only one list, report only its additions to the previous tag.
    let mut before = Policy::default();
    let all: BTreeSet<_> = published.keys().chain(copy.keys()).collect();
    for version in all {
        let tag = format!("{}_{}_{}", family.word(), version.major, version.minor);
        let (ours, theirs) = (copy.get(version), published.get(version));
        let mut compare = Comparison { tag: &tag, found: &mut found };
        let itself = |has: bool| if has { BTreeSet::from([tag.clone()]) } else { BTreeSet::new() };
        compare.names(Kind::Tag, "", &itself(theirs.is_some()), &itself(ours.is_some()));
        compare.policies(theirs.unwrap_or(&before), ours.unwrap_or(&before));
        if let Some(known) = theirs.or(ours) {
            before.clone_from(known);
            before.aliases.clear();
        }
    }
    found
}

struct Comparison<'a> {
    tag: &'a str,
    found: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    fn names(&mut self, kind: Kind, of: &str, theirs: &BTreeSet<String>, ours: &BTreeSet<String>) {
        let difference = Difference {
            policy: self.tag.to_owned(),
            kind,
            of: of.to_owned(),
            lacking: theirs.difference(ours).cloned().collect(),
            beyond: ours.difference(theirs).cloned().collect(),
        };
        if !(difference.lacking.is_empty() && difference.beyond.is_empty()) {
            self.found.push(difference);
        }
    }

    fn policies(&mut self, theirs: &Policy, ours: &Policy) {
        self.names(Kind::Alias, "", &theirs.aliases, &ours.aliases);
        self.names(Kind::Library, "", &theirs.libraries, &ours.libraries);
        let arches = |policy: &Policy| policy.versions.keys().cloned().collect::<BTreeSet<_>>();
        let (their_arches, our_arches) = (arches(theirs), arches(ours));
        self.names(Kind::Architecture, "", &their_arches, &our_arches);
        let empty = BTreeSet::new();
        for arch in their_arches.union(&our_arches) {
            let (their_prefixes, our_prefixes) =
                (theirs.versions.get(arch), ours.versions.get(arch));
            let prefixes: BTreeSet<_> = their_prefixes
                .iter()
                .chain(&our_prefixes)
                .flat_map(|prefixes| prefixes.keys())
                .collect();
            for prefix in prefixes {
                let names = |all: Option<&std::collections::BTreeMap<String, BTreeSet<String>>>| {
                    all.and_then(|all| all.get(prefix)).unwrap_or(&empty).clone()
                };
                let of = format!("{arch} {prefix}");
                self.names(Kind::Version, &of, &names(their_prefixes), &names(our_prefixes));
            }
        }
        let libraries: BTreeSet<_> = theirs.forbidden.keys().chain(ours.forbidden.keys()).collect();
        for library in libraries {
            let symbols =
                |policy: &Policy| policy.forbidden.get(library).cloned().unwrap_or_default();
            self.names(Kind::Symbol, library, &symbols(theirs), &symbols(ours));
        }
    }
}
