//! Reports symbol versions that files need and that the wheel's tags do not promise.

use std::{collections::BTreeSet, sync::Arc};

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::elf_file::Elf;
use crate::audit::needs::{RELR_SINCE, SymbolNeed, lacks_relr_node, needs_glibc, needs_of};
use crate::audit::obstacles::rules::{FLOOR, RELR};
use crate::policy::{Limits, PlatformTag, Policies, VersionVerdict, help_of};

const UNKNOWN_VERSION: Rule = Rule::error(
    "ELF004",
    "unknown-version",
    "use only public functions of the library; no system promises this version",
);
pub(super) const CHECK: Check = Check { rules: &[FLOOR, UNKNOWN_VERSION, RELR], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    for elf in context.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        let (limits, newest) = (context.limits(elf.arch), newest_policy(context, elf));
        let needs = needs_of(facts);
        findings.extend(
            needs.iter().filter_map(|need| check_need(elf, need, &limits, newest.as_ref())),
        );
        let may_be_old =
            || limits.is_empty() || limits.iter().any(|limits| is_before_relr(limits.tag()));
        if lacks_relr_node(facts) && (needs_glibc(facts) || !context.is_musl() && may_be_old()) {
            let message = "has packed relative relocations and does not need `GLIBC_ABI_DT_RELR`: \
                           systems before glibc 2.36 load it and crash";
            findings.push(RELR.broken(&elf.path, message));
        }
    }
}

/// Returns whether a tag allows a glibc whose loader ignores packed relative relocations.
fn is_before_relr(tag: PlatformTag) -> bool {
    tag.glibc().is_some_and(|glibc| glibc < RELR_SINCE)
}

/// Reports a need that a tag does not promise. The message contains the lowest such tag.
fn check_need(
    elf: &Elf,
    need: &SymbolNeed<'_>,
    limits: &[Arc<Limits>],
    newest: Option<&Arc<Limits>>,
) -> Option<Finding> {
    let is = |verdict| move |limits: &&Arc<Limits>| limits.version(need.version) == verdict;
    if let Some(limits) = limits.iter().find(is(VersionVerdict::TooNew)) {
        let message = format!("{}, which `{}` does not promise", text(elf, need), limits.tag());
        let finding = FLOOR.broken(&elf.path, message);
        Some(if let Some(help) = help_of(need.version, &need.symbols) {
            finding.with_help(help)
        } else {
            finding
        })
    } else {
        let unknown = limits.iter().chain(newest).find(is(VersionVerdict::Unknown));
        let message = || format!("{}, which no policy knows", text(elf, need));
        unknown.map(|_| {
            let finding = UNKNOWN_VERSION.broken(&elf.path, message());
            if let Some(help) = help_of(need.version, &need.symbols) {
                finding.with_help(help)
            } else {
                finding
            }
        })
    }
}

/// Shortens a name: mangled names of C++ and Rust templates can fill pages.
fn shortened(name: &str) -> String {
    const MAX_NAME: usize = 80;
    let mut rest = name.chars();
    let start: String = rest.by_ref().take(MAX_NAME).collect();
    if rest.next().is_some() { format!("{start}…") } else { start }
}

/// The newest policy, for a wheel with a `linux` tag: no system has a version that no policy knows.
fn newest_policy(context: &AuditContext<'_>, elf: &Elf) -> Option<Arc<Limits>> {
    let policies = Policies::builtin();
    let arch = elf.arch.filter(|&arch| context.claims().contains(&PlatformTag::Linux(arch)))?;
    policies.limits(PlatformTag::Manylinux(policies.newest_glibc(), arch))
}

/// "needs `GLIBC_2.38` of `libc.so.6` for `__isoc23_strtol` (called by `parse`)"
fn text(elf: &Elf, need: &SymbolNeed<'_>) -> String {
    let symbols = if need.symbols.is_empty() {
        String::new()
    } else {
        format!(" for {}", listing(&need.symbols))
    };
    let callers = need.symbols.iter().filter_map(|&symbol| elf.callers.get(symbol)).flatten();
    let mut known = BTreeSet::new();
    let callers: Vec<String> =
        callers.filter(|caller| known.insert(*caller)).map(|name| shortened(name)).collect();
    let callers = if callers.is_empty() {
        String::new()
    } else {
        format!(" (called by {})", listing(&callers))
    };
    let (version, library) = (need.version.escape_debug(), need.library.escape_debug());
    format!("needs `{version}` of `{library}`{symbols}{callers}")
}
