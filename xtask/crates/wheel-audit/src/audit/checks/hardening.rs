//! Reports files that require writable and executable memory, or that leave loader tables writable.

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::elf::{ElfFacts, Relro};

const TEXT_RELOCATIONS: Rule = Rule::warning(
    "ELF010",
    "text-relocations",
    "compile all code with `-fPIC`; hardened systems do not load the file",
);
const WRITABLE_CODE: Rule = Rule::warning(
    "ELF014",
    "writable-code",
    "link without `-N`, `--omagic` or a linker script that puts code and data into one segment",
);
const NO_RELRO: Rule = Rule::note("ELF019", "no-relro", "link with `-Wl,-z,relro`");
const LAZY_BINDING: Rule =
    Rule::note("ELF020", "lazy-binding", "link with `-Wl,-z,relro,-z,now` (full RELRO)");
const DEBUG_INFORMATION: Rule = Rule::note(
    "ELF021",
    "debug-information",
    "strip the files (`strip --strip-debug`), or link with `-Wl,--strip-debug`",
);

pub(super) const CHECK: Check = Check {
    rules: &[TEXT_RELOCATIONS, WRITABLE_CODE, NO_RELRO, LAZY_BINDING, DEBUG_INFORMATION],
    find,
};

/// Minimum size of debug information that is reported, in bytes.
const MIN_DEBUG: u64 = 1 << 20;

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let loadable = || context.elves().iter().filter_map(|elf| Some((&*elf.path, elf.loadable()?)));
    for (path, facts) in loadable() {
        if facts.text_relocations {
            findings.push(TEXT_RELOCATIONS.broken(path, "has relocations in its code"));
        }
        if facts.writable_code {
            findings.push(
                WRITABLE_CODE.broken(path, "has a segment that is both writable and executable"),
            );
        }
    }
    // One finding covers all files, because a build usually links them alike.
    let linked: Vec<(&str, &ElfFacts)> = loadable().filter(|(_, facts)| is_linked(facts)).collect();
    let mut note = |rule: &Rule, relro, tables: &str| {
        let files = linked.iter().filter(|(_, facts)| facts.relro == relro);
        let files: Vec<&str> = files.map(|(path, _)| *path).collect();
        if !files.is_empty() {
            let (count, all) = (files.len(), linked.len());
            let message = format!("{tables} in {count} of {all} files: {}", listing(&files));
            findings.push(rule.broken(&context.facts.file, message));
        }
    };
    note(&NO_RELRO, Relro::None, "writable loader tables (no RELRO)");
    note(&LAZY_BINDING, Relro::Partial, "writable global offset table (partial RELRO)");
    findings.extend(debug_information(context));
}

/// Returns whether the file has tables that RELRO can protect. A static executable has none.
fn is_linked(facts: &ElfFacts) -> bool {
    !facts.needed.is_empty() || facts.soname.is_some() || !facts.imports.is_empty()
}

fn debug_information(context: &AuditContext<'_>) -> Option<Finding> {
    let sizes = context.elves().iter().filter_map(|elf| {
        let size = elf.facts.as_ref().ok()?.debug_bytes;
        (size > 0).then_some((size, elf.path.as_str()))
    });
    let mut sizes: Vec<(u64, &str)> = sizes.collect();
    sizes.sort_by_key(|&(size, path)| (std::cmp::Reverse(size), path));
    let total = sizes.iter().fold(0_u64, |sum, (size, _)| sum.saturating_add(*size));
    if total < MIN_DEBUG {
        return None;
    }
    let files: Vec<&str> = sizes.iter().map(|(_, path)| *path).collect();
    let message = format!(
        "{} MB of debug information (unpacked) in {}",
        total.div_ceil(1_000_000),
        listing(&files)
    );
    Some(DEBUG_INFORMATION.broken(&context.facts.file, message))
}
