//! Checks that each ELF file is readable and for the wheel's architecture.

use super::{AuditContext, Check, Finding};
use crate::audit::obstacles::rules::{OTHER_MACHINE, UNREADABLE};
use crate::policy::Arch;

pub(super) const CHECK: Check = Check { rules: &[UNREADABLE, OTHER_MACHINE], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let target = context.expectations.platform_tag.and_then(|tag| tag.arch());
    let claims = context.claims().into_iter().filter_map(|claim| claim.arch());
    let arches: Vec<Arch> = claims.chain(context.expectations.arch).chain(target).collect();
    for elf in context.elves() {
        let facts = match &elf.facts {
            Ok(facts) => facts,
            Err(reason) => {
                findings.push(UNREADABLE.broken(&elf.path, format!("cannot be checked: {reason}")));
                continue;
            }
        };
        if context.expectations.limit.is_some()
            && elf.arch.is_some()
            && context.limits(elf.arch).is_empty()
        {
            let needs = elf
                .needs
                .floor()
                .get("GLIBC")
                .map_or_else(String::new, |version| format!("needs `GLIBC_{version}`, and "));
            let message = format!("{needs}no platform tag covers a C library as old as the limit");
            let help = "use a limit that platform tags cover on this architecture: glibc 2.5 or newer on \
                        x86_64, 2.17 or newer on most others";
            findings.push(UNREADABLE.broken(&elf.path, message).with_help(help));
        }
        let (machine, wide, little) = (facts.machine, facts.is_64_bit, facts.little_endian);
        if let Some(arch) = arches.iter().find(|arch| !arch.runs_elf(machine, wide, little)) {
            let own = elf.arch.map_or_else(|| format!("machine {machine}"), |own| own.to_string());
            let message = format!("is for `{own}`, but the wheel is for `{arch}`");
            findings.push(OTHER_MACHINE.broken(&elf.path, message));
        }
    }
}
