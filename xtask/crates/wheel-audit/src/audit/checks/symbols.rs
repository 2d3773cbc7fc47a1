//! Symbols that resolve by luck, or of which nobody can tell whether they do. What surely fails is an
//! obstacle.

use std::collections::BTreeMap;

use super::{AuditContext, Check, Finding, Rule, Severity};
use crate::audit::link::{Cause, Unresolved};
use crate::text::{listing, shown};

const OF_INTERPRETER: Rule = Rule::warning(
    "ELF032",
    "library-not-needed",
    "link with the library (`-lm` for `libm.so.6`): only the interpreter happens to have loaded it",
);
const NOT_KNOWN: Rule = Rule::note(
    "ELF034",
    "symbols-not-known",
    "put the library into the wheel; what is not there cannot be checked",
);

pub(super) const CHECK: Check = Check { rules: &[OF_INTERPRETER, NOT_KNOWN], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let mut unknown: BTreeMap<&[String], Vec<(&str, &Unresolved)>> = BTreeMap::new();
    for elf in context.elves() {
        for unresolved in &elf.unresolved {
            match &unresolved.cause {
                Cause::OfInterpreter { library, has_moved } => {
                    findings.push(of_interpreter(&elf.path, unresolved, library, *has_moved));
                }
                Cause::Unknown(libraries) => {
                    unknown.entry(libraries).or_default().push((&elf.path, unresolved));
                }
                _ => {}
            }
        }
    }
    let file = &context.facts.file;
    findings
        .extend(unknown.into_iter().map(|(libraries, users)| not_known(file, libraries, &users)));
}

fn of_interpreter(path: &str, unresolved: &Unresolved, library: &str, has_moved: bool) -> Finding {
    let (names, library) = (names(unresolved), shown(library));
    let message = format!(
        "takes {names} from `{library}`, which it does not need: the interpreter has loaded it"
    );
    let finding = OF_INTERPRETER.broken(path, message);
    // Newer systems have it in the C library, and of the older ones each interpreter needs the other.
    if has_moved { Finding { severity: Severity::Note, ..finding } } else { finding }
}

/// One finding for all files that depend on the same unknown libraries.
fn not_known(file: &str, libraries: &[String], users: &[(&str, &Unresolved)]) -> Finding {
    let symbols: usize = users.iter().map(|(_, unresolved)| unresolved.symbols.len()).sum();
    let first = users.first().map_or_else(String::new, |(_, unresolved)| names(unresolved));
    let paths: Vec<&str> = users.iter().map(|&(path, _)| path).collect();
    let message = format!(
        "{symbols} symbols of {} may come from {}, which is not in the wheel: {first} in the first of them",
        listing(&paths),
        listing(libraries),
    );
    NOT_KNOWN.broken(file, message)
}

fn names(unresolved: &Unresolved) -> String {
    let names: Vec<&str> = unresolved.symbols.iter().map(|each| each.name.as_str()).collect();
    listing(&names)
}
