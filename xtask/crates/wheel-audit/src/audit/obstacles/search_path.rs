//! Libraries that are in the wheel, and that no search path of their users leads to.

use super::{AuditContext, Effect, Obstacle, Rule};
use crate::audit::search;

pub(super) const OFF_THE_PATH: Rule = Rule::warning(
    "ELF011",
    "library-off-the-path",
    "set a search path that leads there, or let `auditwheel repair` do it",
);

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let Some(contents) = context.contents() else { return };
    for lost in search::off_path(contents, context.facts.needs.is_musl) {
        let arch = contents.elves.iter().find(|elf| elf.path == lost.path).and_then(|elf| elf.arch);
        let limits = context.limits(arch);
        // Then the loader finds the system's own.
        if !limits.is_empty() && limits.iter().all(|limits| limits.library(lost.library)) {
            continue;
        }
        let (library, place) = (lost.library.escape_debug(), lost.place.escape_debug());
        let cause = format!(
            "needs `{library}`, which is in the wheel as `{place}`, where no search path of the file \
             leads: it loads only after something else has loaded the library"
        );
        let wanted = lost.wanted.escape_debug();
        all.push(
            Obstacle::new(&OFF_THE_PATH, lost.path, cause)
                .with_words(not_found(lost.library))
                .with_effect(Effect::MayFail)
                .with_help(format!("link with `-Wl,-rpath,'{wanted}'`, or load it first")),
        );
    }
}

/// What glibc's loader prints where it finds no such library (`elf/dl-load.c`).
fn not_found(library: &str) -> String {
    let library = library.escape_debug();
    format!("{library}: cannot open shared object file: No such file or directory")
}
