//! Can each ELF file be judged, and is it for the wheel's machine?

use super::{Check, Finding, Rule, Subject};

const UNJUDGED: Rule = Rule::error(
    "ELF001",
    "unjudged",
    "build the file anew; what the loader's tables do not say, nobody can vouch for",
);
const OTHER_MACHINE: Rule =
    Rule::error("ELF002", "other-machine", "build in an environment of the target's architecture");

pub(super) const CHECK: Check = Check { rules: &[UNJUDGED, OTHER_MACHINE], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let claims = subject.claims().into_iter().filter_map(|claim| claim.arch());
    let mut arches: Vec<_> = claims.chain(subject.promise.arch).collect();
    arches.dedup();
    for elf in subject.elves() {
        match &elf.facts {
            Err(reason) => findings
                .push(UNJUDGED.broken(&elf.path, format!("the file cannot be judged: {reason}"))),
            Ok(facts) => {
                let runs = |&&arch: &&crate::policy::Arch| {
                    !arch.runs_elf(facts.machine, facts.is_64_bit, facts.little_endian)
                };
                if let Some(arch) = arches.iter().find(runs) {
                    let own = elf.arch.map_or_else(
                        || format!("machine {}", facts.machine),
                        |own| own.to_string(),
                    );
                    findings.push(OTHER_MACHINE.broken(
                        &elf.path,
                        format!("the file is for `{own}`, the wheel for `{arch}`"),
                    ));
                }
            }
        }
    }
}
