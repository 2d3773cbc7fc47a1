//! Does any file use instructions that not every machine of the promise has?

use super::{AuditContext, Check, Finding, Rule};
use crate::isa::{Certainty, FeatureUse, IsaFacts, Level, Machine};
use crate::policy::Arch;

const ABOVE: Rule = Rule::error(
    "ISA001",
    "isa-above-promise",
    "compile for the promised level (never with `-march=native`), or choose at run time",
);
const GUARDED: Rule = Rule::warning(
    "ISA002",
    "isa-guarded",
    "make sure that the processor is asked before these functions run",
);
const UNREAD: Rule = Rule::error(
    "ISA003",
    "isa-unread",
    "take the level for this machine out of `[check] isa`; nobody can vouch for it",
);

pub(super) const CHECK: Check = Check { rules: &[ABOVE, GUARDED, UNREAD], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    if context.expectations.isa.is_empty() {
        return;
    }
    for elf in context.elves().iter().filter(|elf| elf.loadable().is_some()) {
        match &elf.isa {
            Some(Ok(facts)) => {
                let mut levels = context.expectations.isa.iter();
                if let Some(level) = levels.find(|level| level.machine() == facts.machine) {
                    findings.extend(judge(&elf.path, facts, level));
                }
            }
            Some(Err(reason)) if is_promised(context, elf.arch) => {
                findings.push(UNREAD.broken(&elf.path, reason));
            }
            // Not asked for, or nothing is promised for this machine.
            Some(Err(_)) | None => {}
        }
    }
}

/// Is a level promised for this machine?
fn is_promised(context: &AuditContext<'_>, arch: Option<Arch>) -> bool {
    context.expectations.isa.iter().any(|level| {
        matches!(
            (level.machine(), arch),
            (Machine::X86_64, Some(Arch::X86_64)) | (Machine::Aarch64, Some(Arch::Aarch64))
        )
    })
}

fn judge(path: &str, facts: &IsaFacts, allowed: &Level) -> Option<Finding> {
    let beyond = facts.beyond(allowed);
    if !allowed.allows(&facts.required) {
        let message = format!(
            "needs {}, and {allowed} is promised: {}{}",
            facts.required,
            facts.how_sure(),
            beyond.first().map(|used| text(used)).unwrap_or_default()
        );
        return Some(ABOVE.broken(path, message));
    }
    let guarded = beyond.into_iter().find(|used| used.certainty == Certainty::Guarded)?;
    let message = format!(
        "has code for {}, and {allowed} is promised: {}{}",
        facts.possible,
        facts.how_sure(),
        text(guarded)
    );
    Some(GUARDED.broken(path, message))
}

/// "; `vpaddd` of AVX2 at 0x1139 in `add` (12 instructions in 3 functions)"
fn text(used: &FeatureUse) -> String {
    let place = used.places.first().map(|place| {
        let function = place.function.as_ref().map_or_else(
            || {
                place
                    .start
                    .map_or_else(String::new, |start| format!(" in the function at {start:#x}"))
            },
            |name| format!(" in `{}`", name.escape_debug()),
        );
        format!("`{}` at {:#x}{function}, ", place.instruction.to_lowercase(), place.address)
    });
    format!(
        "; {}{} instructions of {} in {} functions",
        place.unwrap_or_default(),
        used.instructions + used.outside,
        used.feature.name(),
        used.functions
    )
}
