//! Reports modules for one interpreter in a wheel without an ABI tag. Each interpreter of the version installs
//! the wheel, but objects have another layout in the free-threaded build of `CPython` (PEP 703).

use pep440_rs::VersionSpecifiers;

use super::{AuditContext, Check, Finding, Rule};
use crate::audit::elf_file::Elf;
use crate::wheel::{ExtensionSuffix, Interpreter, allows};

const NO_ABI: Rule = Rule::error(
    "ABI008",
    "module-without-abi-tag",
    "tag the wheel with the ABI that the module was compiled for, such as `cp314-cp314` or `cp39-abi3`",
);

pub(super) const CHECK: Check = Check { rules: &[NO_ABI], find };

/// The existing free-threaded builds (PEP 703, PEP 779).
const FREE_THREADED: [&str; 3] = ["cp313t", "cp314t", "cp315t"];

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(interpreter) = free_threaded(context) else { return };
    for elf in context.elves().iter().filter(|elf| is_bound_module(elf)) {
        let message = format!(
            "`{interpreter}` installs the wheel and loads this module, which uses `{}` of an interpreter with \
             another layout of objects: the import crashes",
            python_symbol(elf).unwrap_or_default().escape_debug()
        );
        findings.push(NO_ABI.broken(&elf.path, message));
    }
}

/// The first free-threaded interpreter that installs the wheel because it has no ABI tag.
fn free_threaded(context: &AuditContext<'_>) -> Option<Interpreter> {
    let tags = context.name.as_ref().ok()?.tags.expand();
    let metadata = context.contents().and_then(|all| all.metadata.as_ref()?.as_ref().ok());
    let wanted = metadata.and_then(|each| each.requires_python.as_ref()?.parse().ok());
    let is_allowed = |interpreter: Interpreter| {
        wanted
            .as_ref()
            .is_none_or(|it: &VersionSpecifiers| allows(it, interpreter.python_version()))
    };
    let known = FREE_THREADED.iter().filter_map(|name| name.parse().ok());
    let mut known = known.filter(|interpreter| is_allowed(*interpreter));
    known.find(|interpreter: &Interpreter| {
        tags.iter().any(|tag| tag.abi == "none" && interpreter.accepts(tag))
    })
}

/// Returns whether every interpreter imports the file, although it was compiled for one of them.
fn is_bound_module(elf: &Elf) -> bool {
    let has_no_suffix =
        elf.path.strip_suffix(".so").is_some() && ExtensionSuffix::parse(&elf.path).is_none();
    // `PyModExport_*` works with both layouts (PEP 793, PEP 803).
    let starts = elf.loadable().is_some_and(|facts| {
        facts.module_inits.iter().any(|init| init.starts_with("PyInit"))
            && !facts.module_inits.iter().any(|init| init.starts_with("PyModExport"))
    });
    has_no_suffix && starts && python_symbol(elf).is_some()
}

fn python_symbol(elf: &Elf) -> Option<&str> {
    let imports = &elf.loadable()?.imports;
    let mut names = imports.iter().filter(|import| !import.weak).map(|import| import.name.as_str());
    names.find(|name| name.starts_with("Py") || name.starts_with("_Py"))
}
