//! Reports instructions beyond the processors that the wheel promises to support.

use super::{AuditContext, Check, Finding, Rule, Severity};
use crate::audit::obstacles::rules::ABOVE;
use crate::audit::variant::{self, Processor};
use crate::isa::{Certainty, FeatureUse, IsaFacts, Level, Machine};
use crate::policy::{Arch, baseline};

const GUARDED: Rule = Rule::warning(
    "ISA002",
    "isa-guarded",
    "make sure that the code checks the processor before it calls these functions",
);
const UNREAD: Rule = Rule::error(
    "ISA003",
    "isa-unread",
    "remove the level for this machine from `[check] isa`; the code cannot be checked",
);

const ABOVE_BASELINE: Rule = Rule::warning(
    "ISA004",
    "isa-above-baseline",
    "compile for the architecture's baseline, select the code at run time, or set the required level in `[check] isa`",
);
const UNCLEAR: Rule = Rule::warning(
    "ISA005",
    "isa-guard-unclear",
    "make sure that a check of the processor runs before this file's code",
);

pub(super) const CHECK: Check =
    Check { rules: &[ABOVE, GUARDED, UNREAD, ABOVE_BASELINE, UNCLEAR], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let promised = &context.expectations.isa;
    for elf in context.elves().iter().filter(|elf| elf.loadable().is_some()) {
        match &elf.isa {
            Some(Ok(facts)) if promised.is_empty() => {
                let level = elf.arch.and_then(|arch| promised_by_tag(context, arch));
                findings.extend(level.and_then(|level| by_baseline(&elf.path, facts, &level)));
            }
            Some(Ok(facts)) => {
                let mut levels = promised.iter();
                if let Some(level) = levels.find(|level| level.machine() == facts.machine) {
                    findings.extend(by_promise(&elf.path, facts, level));
                }
            }
            Some(Err(reason)) if is_promised(context, elf.arch) => {
                findings.push(UNREAD.broken(&elf.path, reason));
            }
            // The audit skipped the code, or `[check] isa` has no level for this architecture.
            Some(Err(_)) | None => {}
        }
    }
}

/// The level that the wheel's tag or variant promises. `None` if it is unknown.
fn promised_by_tag(context: &AuditContext<'_>, arch: Arch) -> Option<Level> {
    match variant::processor(context, arch) {
        Processor::OfTags => baseline(arch)?.parse().ok(),
        Processor::Level(level) => Some(level),
        Processor::Unknown => None,
    }
}

/// Compares a file with the baseline of the architecture. ELF038 covers the linker's marker.
fn by_baseline(path: &str, facts: &IsaFacts, baseline: &Level) -> Option<Finding> {
    let beyond = facts.beyond(baseline);
    let used = beyond.first().filter(|used| used.certainty >= Certainty::Elsewhere)?;
    if used.certainty == Certainty::Elsewhere {
        let finding = above(
            &UNCLEAR,
            path,
            (&facts.possible, facts),
            ("the tag promises", baseline),
            Some(used),
        );
        return Some(Finding { severity: Severity::Note, ..finding });
    }
    Some(above(
        &ABOVE_BASELINE,
        path,
        (&facts.required, facts),
        ("the tag promises", baseline),
        Some(used),
    ))
}

/// "needs x86-64-v3, but the tag promises only x86-64-v1: ..." Files with the same level and certainty
/// share the cause.
fn above(
    rule: &Rule,
    path: &str,
    (needed, facts): (&Level, &IsaFacts),
    (promises, level): (&str, &Level),
    used: Option<&FeatureUse>,
) -> Finding {
    let cause = format!("needs {needed}, but {promises} only {level}: {}", facts.certainty_text());
    let place = used.map(text).unwrap_or_default();
    rule.broken(path, format!("{cause}{place}")).sharing(cause)
}

/// Returns whether `[check] isa` has a level for this architecture.
fn is_promised(context: &AuditContext<'_>, arch: Option<Arch>) -> bool {
    context.expectations.isa.iter().any(|level| {
        matches!(
            (level.machine(), arch),
            (Machine::X86_64, Some(Arch::X86_64)) | (Machine::Aarch64, Some(Arch::Aarch64))
        )
    })
}

fn by_promise(path: &str, facts: &IsaFacts, allowed: &Level) -> Option<Finding> {
    let beyond = facts.beyond(allowed);
    let promised = ("`[check] isa` promises", allowed);
    if !allowed.allows(&facts.required) {
        let used = beyond.first().copied();
        return Some(above(&ABOVE, path, (&facts.required, facts), promised, used));
    }
    if let Some(used) = beyond.iter().find(|used| used.certainty == Certainty::Elsewhere) {
        return Some(above(&UNCLEAR, path, (&facts.possible, facts), promised, Some(used)));
    }
    let guarded = beyond.into_iter().find(|used| used.certainty == Certainty::Guarded)?;
    let cause = format!(
        "has code for {}, but `[check] isa` promises only {allowed}: {}",
        facts.possible,
        facts.certainty_text()
    );
    Some(GUARDED.broken(path, format!("{cause}{}", text(guarded))).sharing(cause))
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
    let count = |number, noun| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    format!(
        "; {}{} of {} in {}",
        place.unwrap_or_default(),
        count(used.instructions + used.outside, "instruction"),
        used.feature.name(),
        count(used.functions, "function")
    )
}
