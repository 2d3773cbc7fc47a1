//! Has each interpreter of a compressed tag set its own modules? Such a set promises the same wheel to
//! all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule, abi::stem, listing};
use crate::wheel::{ExtensionAbi, ExtensionSuffix, Interpreter, Tag};

const NO_MODULES: Rule = Rule::error(
    "TAG206",
    "interpreter-without-modules",
    "build one wheel for each interpreter, or put the modules of all of them into it",
);
const FEWER_MODULES: Rule = Rule::warning(
    "TAG207",
    "interpreter-with-fewer-modules",
    "build one wheel for each interpreter, or put the modules of all of them into it",
);

pub(super) const CHECK: Check = Check { rules: &[NO_MODULES, FEWER_MODULES], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let interpreters: BTreeSet<Interpreter> =
        name.tags.expand().iter().filter_map(interpreter).collect();
    // Of a single one other rules tell.
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
        let lacks = |abis: &Vec<ExtensionAbi>| !abis.iter().any(|&abi| loads(abi, interpreter));
        let lacking: Vec<&str> =
            modules.iter().filter(|(_, abis)| lacks(abis)).map(|(stem, _)| *stem).collect();
        if lacking.is_empty() {
            continue;
        }
        let has_none = lacking.len() == modules.len() && !is_for_all;
        let rule = if has_none { &NO_MODULES } else { &FEWER_MODULES };
        let message = format!(
            "`{}` is for `{interpreter}` too, and has for other interpreters alone: {}",
            name.tags,
            listing(&lacking)
        );
        findings.push(rule.broken(&context.facts.file, message));
    }
}

/// The one interpreter that installs a wheel with this tag; `None` for tags of several.
fn interpreter(tag: &Tag) -> Option<Interpreter> {
    let named = [&tag.abi, &tag.python].into_iter().filter_map(|text| text.parse().ok());
    let mut fitting = named.filter(|interpreter: &Interpreter| interpreter.accepts(tag));
    fitting.next().filter(|_| tag.abi != "abi3")
}

fn loads(abi: ExtensionAbi, interpreter: Interpreter) -> bool {
    match abi {
        ExtensionAbi::Interpreter(own) => own == interpreter,
        // Only CPython with its lock takes the stable interface.
        ExtensionAbi::Stable => !interpreter.is_pypy() && !interpreter.is_free_threaded(),
    }
}

fn starts_modules(elf: &crate::audit::elf_file::Elf) -> bool {
    let starts = elf.facts.as_ref().is_ok_and(|facts| !facts.module_inits.is_empty());
    starts && elf.path.strip_suffix(".so").is_some()
}
