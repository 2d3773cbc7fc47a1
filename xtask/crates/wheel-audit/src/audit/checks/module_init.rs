//! Can the extension modules be imported: does each offer the function that starts it? One whose
//! function was lost (hidden by a linker script or `-fvisibility=hidden`, renamed after the build)
//! fails at import with "dynamic module does not define module export function".
//!
//! The names are those of PEP 3121 and PEP 489 (`PyInit_`, `PyInitU_`), PEP 793 (`PyModExport_`),
//! and cffi's for `PyPy`. Only files with the suffix of an interpreter are judged: what is called
//! `libfoo.so` is loaded by other means more often than not. Even of those some are no modules
//! (pycryptodome's ciphers, ddtrace's `libdd_wrapper`, memray's `_inject`): they do not call what
//! makes one.

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::elf_file::Elf;
use crate::audit::loading::{init_name, starts};
use crate::elf::ElfKind;
use crate::wheel::{ExtensionAbi, ExtensionSuffix};

const NO_INIT: Rule = Rule::error(
    "ABI005",
    "module-without-init",
    "export `PyInit_NAME`, NAME being that of the file; look for a file renamed after the build, and for hidden symbols",
);
const NOT_FREE_THREADED: Rule = Rule::warning(
    "ABI007",
    "abi3t-module-with-static-definition",
    "define `Py_TARGET_ABI3T` and export `PyModExport_NAME` (PEP 793, PEP 803), or leave `abi3t` out of the tag",
);
const NO_MODULE: Rule = Rule::note(
    "ABI006",
    "module-suffix-without-module",
    "name libraries that are not modules `NAME.so`, without an interpreter suffix",
);

/// Whoever makes a module calls one of these; `PyPy` puts a `Py` of its own before them.
const MAKERS: [&str; 5] = [
    "PyModuleDef_Init",
    "PyModule_Create2",
    "PyModule_FromDefAndSpec2",
    "PyModule_New",
    "PyModule_NewObject",
];

/// cffi's modules have `_cffi_backend` make them, and call these to that end.
const CFFI: [&str; 2] = ["PyImport_ImportModule", "PyLong_FromVoidPtr"];

pub(super) const CHECK: Check = Check { rules: &[NO_INIT, NO_MODULE, NOT_FREE_THREADED], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let mut others = Vec::new();
    for elf in context.elves() {
        match judge(elf) {
            Start::None(message) => findings.push(NO_INIT.broken(&elf.path, message)),
            Start::NoModule => others.push(&elf.path),
            Start::Found => findings.extend(defined_statically(context, elf)),
        }
    }
    if let Some(first) = others.first() {
        let message = format!(
            "not importable: named like an extension module, but without its `PyInit` function: {}",
            listing(&others)
        );
        findings.push(NO_MODULE.broken(first, message));
    }
}

/// A module for `abi3t` whose only way in returns a `PyModuleDef`: with `abi3t` that structure is opaque,
/// so such a module was compiled for `abi3`, and a free-threaded Python refuses it.
fn defined_statically(context: &AuditContext<'_>, elf: &Elf) -> Option<Finding> {
    let abi = ExtensionSuffix::parse(&elf.path)?.abi;
    let tags = context.name.as_ref().ok()?.tags.expand();
    if abi != ExtensionAbi::FreeThreadedStable || tags.iter().all(|tag| tag.abi != "abi3t") {
        return None;
    }
    let facts = elf.loadable()?;
    let is_export = |init: &String| init.starts_with("PyModExport");
    let maker =
        MAKERS.iter().find(|&&maker| facts.imports.iter().any(|each| each.name == maker))?;
    let message =
        format!("creates the module with `{maker}`, which depends on the layout of `PyObject`");
    let has_export = facts.module_inits.iter().any(is_export);
    (!has_export).then(|| NOT_FREE_THREADED.broken(&elf.path, message))
}

/// What a file that is named like a module does about it.
enum Start {
    /// It starts it, or is not named so.
    Found,
    /// It does not, and should: the message.
    None(String),
    /// It is a library for ctypes, for a debugger, or for other libraries.
    NoModule,
}

fn judge(elf: &Elf) -> Start {
    let Some(suffix) = ExtensionSuffix::parse(&elf.path) else { return Start::Found };
    let Some(facts) = elf.loadable().filter(|facts| facts.kind == ElfKind::Shared) else {
        return Start::Found;
    };
    let name = init_name(&elf.path);
    if starts(facts, name, suffix.abi) {
        return Start::Found;
    }
    let (name, others) = (name.escape_debug(), Vec::from_iter(&facts.module_inits));
    if !others.is_empty() {
        return Start::None(format!(
            "does not initialize the module `{name}`: it exports {}",
            listing(&others)
        ));
    }
    let calls = |function: &str| facts.imports.iter().any(|import| import.name == function);
    let makes = MAKERS.iter().any(|maker| calls(maker) || calls(&format!("Py{maker}")));
    if makes || CFFI.iter().all(|function| calls(function)) {
        return Start::None(format!(
            "does not export a function that initializes the module, such as `PyInit_{name}`"
        ));
    }
    Start::NoModule
}
