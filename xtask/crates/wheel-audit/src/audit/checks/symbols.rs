//! Symbols that may not resolve. Symbols that certainly fail are obstacles.

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, Severity};
use crate::audit::unresolved::{Cause, Unresolved};
use crate::text::{listing, shown};

const OF_INTERPRETER: Rule = Rule::warning(
    "ELF032",
    "library-not-needed",
    "link with the library (`-lm` for `libm.so.6`, `-ldl` for `libdl.so.2`)",
);
const NOT_KNOWN: Rule = Rule::note(
    "ELF034",
    "symbols-not-known",
    "bundle the library: the audit does not know the exports of a library outside the wheel",
);

pub(super) const CHECK: Check = Check { rules: &[OF_INTERPRETER, NOT_KNOWN], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let mut unknown = NotKnown::default();
    for elf in context.elves() {
        for unresolved in &elf.unresolved {
            match &unresolved.cause {
                Cause::OfInterpreter { library, has_moved } => {
                    findings.push(of_interpreter(&elf.path, unresolved, library, *has_moved));
                }
                Cause::Unknown(libraries) => {
                    unknown.paths.insert(&elf.path);
                    unknown.libraries.extend(libraries.iter().map(String::as_str));
                    unknown.symbols.extend(unresolved.symbols.iter().map(|it| it.name.as_str()));
                }
                _ => {}
            }
        }
    }
    findings.extend(unknown.finding(&context.facts.file));
}

/// The symbols that libraries with unknown exports may provide. One finding covers the whole wheel.
#[derive(Default)]
struct NotKnown<'a> {
    paths: BTreeSet<&'a str>,
    libraries: BTreeSet<&'a str>,
    symbols: BTreeSet<&'a str>,
}

impl NotKnown<'_> {
    fn finding(&self, file: &str) -> Option<Finding> {
        let [paths, libraries, symbols] = [&self.paths, &self.libraries, &self.symbols]
            .map(|names| listing(&names.iter().collect::<Vec<_>>()));
        let message =
            format!("{paths}: {symbols} may come from {libraries}, whose exports are not known");
        (!self.paths.is_empty()).then(|| NOT_KNOWN.broken(file, message))
    }
}

fn of_interpreter(path: &str, unresolved: &Unresolved, library: &str, has_moved: bool) -> Finding {
    let (names, library) = (names(unresolved), shown(library));
    let message = format!(
        "uses {names} of `{library}` but does not link with it: only the interpreter loads it"
    );
    let finding = OF_INTERPRETER.broken(path, message);
    // In newer systems, the C library exports the symbol. In older ones, each interpreter loads the library.
    if has_moved { Finding { severity: Severity::Note, ..finding } } else { finding }
}

fn names(unresolved: &Unresolved) -> String {
    let names: Vec<&str> = unresolved.symbols.iter().map(|each| each.name.as_str()).collect();
    listing(&names)
}
