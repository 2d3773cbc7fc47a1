//! Files that require an executable stack.

use super::{AuditContext, Condition, Effect, Obstacle, Rule, closure::Closure};
use crate::audit::loading::{Role, Roles};
use crate::policy::LibcVersion;

pub(super) const EXECUTABLE_STACK: Rule = Rule::warning(
    "ELF009",
    "executable-stack",
    "add `.note.GNU-stack` to assembler sources or link with `-Wl,-z,noexecstack`; glibc 2.41 does not load the file",
);

/// The first glibc whose `dlopen` no longer makes the stack executable (glibc, `NEWS` of 2.41).
const FIRST_REJECTING: LibcVersion = LibcVersion::new(2, 41);
/// glibc, `elf/dl-load.c` (`_dl_map_object_from_fd`).
const WORDS: &str = "cannot enable executable stack as shared object requires: Invalid argument";

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let roles = Roles::of(context.elves());
    let loaded = Closure::of(context.elves()).loaded();
    for elf in context.elves() {
        let Some(facts) = elf.loadable().filter(|facts| facts.executable_stack) else { continue };
        let effect = match roles.role(elf, facts) {
            _ if loaded.contains(elf.path.as_str()) => Effect::Fails,
            // When a program starts, the loader makes the stack executable for it and its libraries.
            Role::Other => continue,
            Role::Module | Role::Needed | Role::Library => Effect::MayFail,
        };
        let on = Condition::Glibc { from: Some(FIRST_REJECTING), before: None };
        let obstacle = Obstacle::new(&EXECUTABLE_STACK, &elf.path, "requires an executable stack");
        all.push(obstacle.with_loader_message(WORDS).on(on).with_effect(effect));
    }
}
