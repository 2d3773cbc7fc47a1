//! Checks that each extension module exports its init function. Without it, the import fails with "dynamic
//! module does not define module export function". Linker scripts, `-fvisibility=hidden` and renamed files
//! are typical causes.
//!
//! The names are those of PEP 3121 and PEP 489 (`PyInit_`, `PyInitU_`), PEP 793 (`PyModExport_`), and
//! cffi's for `PyPy`. The check covers only files with the suffix of an interpreter, because `libfoo.so`
//! is usually not imported. Some files with the suffix are libraries too (pycryptodome's ciphers,
//! ddtrace's `libdd_wrapper`, memray's `_inject`): they call none of the functions that create a module.

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::elf_file::Elf;
use crate::audit::loading::{init_name, starts};
use crate::elf::ElfKind;
use crate::wheel::{ExtensionAbi, ExtensionSuffix};

const NO_INIT: Rule = Rule::error(
    "ABI005",
    "module-without-init",
    "export `PyInit_NAME` for the module's file name; check for a renamed file and for hidden symbols",
);
const NOT_FREE_THREADED: Rule = Rule::warning(
    "ABI007",
    "abi3t-module-with-static-definition",
    "define `Py_TARGET_ABI3T` and export `PyModExport_NAME` (PEP 793, PEP 803), or remove `abi3t` from the tag",
);
const NO_MODULE: Rule = Rule::note(
    "ABI006",
    "module-suffix-without-module",
    "name a library that is not a module `NAME.so`, without an interpreter suffix",
);

/// Functions that create a module. `PyPy` prefixes them with an additional `Py`.
const CREATORS: [&str; 5] = [
    "PyModuleDef_Init",
    "PyModule_Create2",
    "PyModule_FromDefAndSpec2",
    "PyModule_New",
    "PyModule_NewObject",
];

/// Functions that cffi's modules call. `_cffi_backend` creates these modules.
const CFFI: [&str; 2] = ["PyImport_ImportModule", "PyLong_FromVoidPtr"];

pub(super) const CHECK: Check = Check { rules: &[NO_INIT, NO_MODULE, NOT_FREE_THREADED], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let mut others = Vec::new();
    for elf in context.elves() {
        match start_of(elf) {
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

/// Reports a module for `abi3t` whose only init function returns a `PyModuleDef`. With `abi3t` that structure
/// is opaque, so the module was compiled for `abi3`, and a free-threaded Python rejects it.
fn defined_statically(context: &AuditContext<'_>, elf: &Elf) -> Option<Finding> {
    let abi = ExtensionSuffix::parse(&elf.path)?.abi;
    let tags = context.name.as_ref().ok()?.tags.expand();
    if abi != ExtensionAbi::FreeThreadedStable || tags.iter().all(|tag| tag.abi != "abi3t") {
        return None;
    }
    let facts = elf.loadable()?;
    let is_export = |init: &String| init.starts_with("PyModExport");
    let maker =
        CREATORS.iter().find(|&&maker| facts.imports.iter().any(|each| each.name == maker))?;
    let message =
        format!("creates the module with `{maker}`, which depends on the layout of `PyObject`");
    let has_export = facts.module_inits.iter().any(is_export);
    (!has_export).then(|| NOT_FREE_THREADED.broken(&elf.path, message))
}

/// The init function of a file.
enum Start {
    /// The file exports it, or needs none.
    Found,
    /// It is missing, with the message of the finding.
    None(String),
    /// The file is a library for ctypes, for a debugger, or for other libraries.
    NoModule,
}

fn start_of(elf: &Elf) -> Start {
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
    let makes = CREATORS.iter().any(|maker| calls(maker) || calls(&format!("Py{maker}")));
    if makes || CFFI.iter().all(|function| calls(function)) {
        return Start::None(format!(
            "does not export a function that initializes the module, such as `PyInit_{name}`"
        ));
    }
    Start::NoModule
}
