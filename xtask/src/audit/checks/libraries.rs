//! Is every needed library in the wheel, or on every system that the tags promise?

use std::{collections::BTreeSet, sync::Arc};

use super::{Check, Finding, Rule, Subject, listing};
use crate::{
    audit::facts::{Need, needs_of},
    policy::{Limits, VersionVerdict},
};

const ABSENT_LIBRARY: Rule = Rule::error(
    "ELF006",
    "absent-library",
    "link it statically, or put it into the wheel with `auditwheel repair`",
);
const FORBIDDEN_SYMBOL: Rule = Rule::error(
    "ELF007",
    "forbidden-symbol",
    "use the public interface of the library, or put the library into the wheel",
);
const UNRATED_VERSION: Rule = Rule::warning(
    "ELF008",
    "unrated-version",
    "put the library into the wheel; no policy says which versions of it systems have",
);

pub(super) const CHECK: Check =
    Check { rules: &[ABSENT_LIBRARY, FORBIDDEN_SYMBOL, UNRATED_VERSION], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for elf in subject.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        let limits = subject.limits(elf.arch);
        let absent = elf.needs.libraries.iter().filter_map(|library| absent(library, &limits));
        findings.extend(absent.map(|message| ABSENT_LIBRARY.broken(&elf.path, message)));
        // The lowest tag forbids the most.
        if let Some(lowest) = limits.first() {
            let forbidden = elf.needs.symbols.iter().filter_map(|used| forbidden(used, lowest));
            findings.extend(forbidden.map(|message| FORBIDDEN_SYMBOL.broken(&elf.path, message)));
        }
        let needs = needs_of(facts);
        let outside = needs.iter().filter(|need| elf.needs.libraries.contains(need.library));
        let unrated = outside.filter(|need| limits.iter().any(|limits| is_unrated(need, limits)));
        findings.extend(unrated.map(|need| {
            let (version, library) = (need.version.escape_debug(), need.library.escape_debug());
            let message =
                format!("needs `{version}` of `{library}`, and no policy speaks of such versions");
            UNRATED_VERSION.broken(&elf.path, message)
        }));
    }
}

fn absent(library: &str, limits: &[Arc<Limits>]) -> Option<String> {
    let tag = limits.iter().find(|limits| !limits.library(library))?.tag();
    let library = library.escape_debug();
    Some(format!("needs `{library}`, which is not in the wheel and which `{tag}` does not promise"))
}

fn forbidden((library, symbols): (&String, &BTreeSet<String>), limits: &Limits) -> Option<String> {
    let symbols = symbols.iter().filter(|symbol| limits.forbids(library, symbol));
    let symbols: Vec<&String> = symbols.collect();
    let text = || {
        format!(
            "uses {} of `{library}`, which not every system of `{}` exports",
            listing(&symbols),
            limits.tag()
        )
    };
    (!symbols.is_empty()).then(text)
}

/// A library that is missing altogether is reported as that.
fn is_unrated(need: &Need<'_>, limits: &Limits) -> bool {
    limits.library(need.library) && limits.version(need.version) == VersionVerdict::Unrated
}
