//! Does a file ask for memory that can be written and run at once?

use super::{Check, Finding, Rule, Subject};

const EXECUTABLE_STACK: Rule = Rule::warning(
    "ELF009",
    "executable-stack",
    "add `.note.GNU-stack` to assembler sources or link with `-z noexecstack`; glibc 2.41 refuses to load the file",
);
const TEXT_RELOCATIONS: Rule = Rule::warning(
    "ELF010",
    "text-relocations",
    "compile everything with `-fPIC`; hardened systems refuse to load the file",
);

pub(super) const CHECK: Check = Check { rules: &[EXECUTABLE_STACK, TEXT_RELOCATIONS], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for elf in subject.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        if facts.executable_stack {
            findings.push(EXECUTABLE_STACK.broken(&elf.path, "asks for an executable stack"));
        }
        if facts.text_relocations {
            findings.push(TEXT_RELOCATIONS.broken(&elf.path, "has relocations in its code"));
        }
    }
}
