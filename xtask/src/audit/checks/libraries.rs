//! Is every needed library in the wheel, or on every system that the tags promise?

use super::{Check, Finding, Rule, Subject, listing};
use crate::{
    audit::facts::needs_of,
    policy::{Limits, Policies, VersionVerdict},
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
    let limits =
        subject.promised_tags().into_iter().filter_map(|tag| Policies::builtin().limits(tag));
    let limits: Vec<Limits> = limits.collect();
    for elf in subject.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        for library in &elf.needs.libraries {
            if let Some(limits) = limits.iter().find(|limits| !limits.library(library)) {
                let message = format!(
                    "needs `{}`, which is not in the wheel and which `{}` does not promise",
                    library.escape_debug(),
                    limits.tag()
                );
                findings.push(ABSENT_LIBRARY.broken(&elf.path, message));
            }
        }
        for (library, symbols) in &elf.needs.symbols {
            for limits in limits.iter().take(1) {
                let symbols: Vec<&String> =
                    symbols.iter().filter(|symbol| limits.forbids(library, symbol)).collect();
                if !symbols.is_empty() {
                    let message = format!(
                        "uses {} of `{library}`, which not every system of `{}` exports",
                        listing(&symbols),
                        limits.tag()
                    );
                    findings.push(FORBIDDEN_SYMBOL.broken(&elf.path, message));
                }
            }
        }
        for need in needs_of(facts) {
            let outside = elf.needs.libraries.contains(need.library);
            let unrated = |limits: &Limits| {
                limits.library(need.library)
                    && limits.version(need.version) == VersionVerdict::Unrated
            };
            if outside && limits.iter().any(unrated) {
                let message = format!(
                    "needs `{}` of `{}`, and no policy speaks of such versions",
                    need.version.escape_debug(),
                    need.library.escape_debug()
                );
                findings.push(UNRATED_VERSION.broken(&elf.path, message));
            }
        }
    }
}
