//! Checks that the wheel contains modules for each interpreter of a compressed tag set.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule, abi::stem, listing};
use crate::wheel::{ExtensionAbi, ExtensionSuffix, Interpreter, Tag};

const NO_MODULES: Rule = Rule::error(
    "TAG206",
    "interpreter-without-modules",
    "build one wheel for each interpreter, or add the modules of all of them",
);
const FEWER_MODULES: Rule = Rule::warning(
    "TAG207",
    "interpreter-with-fewer-modules",
    "build one wheel for each interpreter, or add the modules of all of them",
);

pub(super) const CHECK: Check = Check { rules: &[NO_MODULES, FEWER_MODULES], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let tags = name.tags.expand();
    // One stable ABI serves interpreters that the tags do not list. Two promise the file to both kinds.
    let has_both = ["abi3", "abi3t"].iter().all(|abi| tags.iter().any(|tag| tag.abi == *abi));
    let named = tags.iter().filter(|tag| has_both || !tag.is_stable());
    let interpreters: BTreeSet<Interpreter> = named.filter_map(Tag::lowest_interpreter).collect();
    // Other rules cover a single interpreter.
    if interpreters.len() < 2 {
        return;
    }
    let mut modules: BTreeMap<&str, Vec<ExtensionAbi>> = BTreeMap::new();
    let mut is_for_all = false;
    for elf in context.elves() {
        match ExtensionSuffix::parse(&elf.path) {
            Some(suffix) => modules.entry(stem(&elf.path)).or_default().push(suffix.abi),
            // Every interpreter tries to import `NAME.so`.
            None => is_for_all |= starts_modules(elf),
        }
    }
    for interpreter in interpreters {
        let lacks =
            |abis: &Vec<ExtensionAbi>| !abis.iter().any(|abi| abi.is_loaded_by(interpreter));
        let lacking: Vec<&str> =
            modules.iter().filter(|(_, abis)| lacks(abis)).map(|(stem, _)| *stem).collect();
        if lacking.is_empty() {
            continue;
        }
        let has_none = lacking.len() == modules.len() && !is_for_all;
        let rule = if has_none { &NO_MODULES } else { &FEWER_MODULES };
        let message = format!(
            "`{}` includes `{interpreter}`, which lacks modules: {}",
            name.tags,
            listing(&lacking)
        );
        findings.push(rule.broken(&context.facts.file, message));
    }
}

fn starts_modules(elf: &crate::audit::elf_file::Elf) -> bool {
    let starts = elf.facts.as_ref().is_ok_and(|facts| !facts.module_inits.is_empty());
    starts && elf.path.strip_suffix(".so").is_some()
}
