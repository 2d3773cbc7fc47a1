//! Reports symbols and versions of system libraries that some systems lack.

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::needs::{SymbolNeed, needs_of};
use crate::policy::{Limits, VersionVerdict};

const FORBIDDEN_SYMBOL: Rule = Rule::error(
    "ELF007",
    "forbidden-symbol",
    "use only public functions of the library, or bundle it",
);
const UNRATED_VERSION: Rule = Rule::warning(
    "ELF008",
    "unrated-version",
    "bundle the library; no policy defines which of its versions systems have",
);

pub(super) const CHECK: Check = Check { rules: &[FORBIDDEN_SYMBOL, UNRATED_VERSION], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    for elf in context.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        let limits = context.limits(elf.arch);
        let needs = needs_of(facts);
        // The lowest tag forbids the most.
        if let Some(lowest) = limits.first() {
            let forbidden = elf.needs.symbols.iter().filter_map(|used| forbidden(used, lowest));
            findings.extend(forbidden.map(|message| FORBIDDEN_SYMBOL.broken(&elf.path, message)));
        }
        let outside = needs.iter().filter(|need| elf.needs.libraries.contains(need.library));
        let unrated = outside.filter(|need| limits.iter().any(|limits| is_unrated(need, limits)));
        findings.extend(unrated.map(|need| {
            let (version, library) = (need.version.escape_debug(), need.library.escape_debug());
            let message =
                format!("needs `{version}` of `{library}`, but no policy covers its versions");
            UNRATED_VERSION.broken(&elf.path, message)
        }));
    }
}

fn forbidden((library, symbols): (&String, &BTreeSet<String>), limits: &Limits) -> Option<String> {
    let symbols = symbols.iter().filter(|symbol| limits.forbids(library, symbol));
    let symbols: Vec<&String> = symbols.collect();
    let text = || {
        format!(
            "uses {} of `{library}`, which some systems of `{}` do not export",
            listing(&symbols),
            limits.tag()
        )
    };
    (!symbols.is_empty()).then(text)
}

/// Missing libraries are ELF006, and musl's loader ignores versions.
fn is_unrated(need: &SymbolNeed<'_>, limits: &Limits) -> bool {
    limits.tag().musl().is_none()
        && limits.library(need.library)
        && limits.version(need.version) == VersionVerdict::Unrated
}
