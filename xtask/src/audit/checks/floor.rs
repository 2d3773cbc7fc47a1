//! Does any file need a symbol version that the wheel's tags do not promise?

use super::{Check, Finding, Rule, Subject, listing};
use crate::{
    audit::facts::{Need, needs_of},
    policy::{Limits, PlatformTag, Policies, VersionVerdict},
};

const FLOOR: Rule = Rule::error(
    "ELF003",
    "floor-above-promise",
    "build on the target's own system or an older one, or promise a newer one",
);
const UNKNOWN_VERSION: Rule = Rule::error(
    "ELF004",
    "unknown-version",
    "link against the public interface; no system promises this version",
);
const RELR: Rule = Rule::error(
    "ELF005",
    "relr-without-its-version",
    "link with `-z pack-relative-relocs` of a linker that adds `GLIBC_ABI_DT_RELR`, or without it",
);

pub(super) const CHECK: Check = Check { rules: &[FLOOR, UNKNOWN_VERSION, RELR], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let policies = Policies::builtin();
    let limits: Vec<Limits> =
        subject.promised_tags().into_iter().filter_map(|tag| policies.limits(tag)).collect();
    for elf in subject.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        // A tag that promises nothing lets everything pass but what no system has.
        let newest = || {
            elf.arch.and_then(|arch| {
                policies.limits(PlatformTag::Manylinux(policies.newest_glibc(), arch))
            })
        };
        let fallback = if limits.is_empty() { newest() } else { None };
        for need in needs_of(facts) {
            let verdicts = || limits.iter().map(|limits| (limits, limits.version(need.version)));
            if let Some((limits, _)) =
                verdicts().find(|(_, verdict)| *verdict == VersionVerdict::TooNew)
            {
                findings.push(FLOOR.broken(
                    &elf.path,
                    format!("{}, which `{}` does not promise", text(&need), limits.tag()),
                ));
            } else if limits
                .iter()
                .chain(&fallback)
                .any(|limits| limits.version(need.version) == VersionVerdict::Unknown)
            {
                findings.push(
                    UNKNOWN_VERSION
                        .broken(&elf.path, format!("{}, which no policy knows", text(&need))),
                );
            }
        }
        let has_node = facts.version_needs.iter().any(|need| need.version == "GLIBC_ABI_DT_RELR");
        let uses_glibc = facts.needed.iter().any(|library| library == "libc.so.6");
        if facts.relative_relocations && uses_glibc && !has_node {
            let message = "the file has packed relative relocations without needing `GLIBC_ABI_DT_RELR`: systems before glibc 2.36 crash without a word";
            findings.push(RELR.broken(&elf.path, message));
        }
    }
}

/// "needs `GLIBC_2.38` of `libc.so.6` for `__isoc23_strtol`"
fn text(need: &Need<'_>) -> String {
    let symbols = if need.symbols.is_empty() {
        String::new()
    } else {
        format!(" for {}", listing(&need.symbols))
    };
    format!("needs `{}` of `{}`{symbols}", need.version.escape_debug(), need.library.escape_debug())
}
