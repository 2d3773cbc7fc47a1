//! Checks that the wheel contains a package and no stray files. Most of these checks come from
//! check-wheel-contents. A check that many correct packages fail is a note.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::contents::Contents;
use crate::audit::elf_file::Elf;
use crate::audit::library;
use crate::policy::{Index, LayoutNames};
use crate::wheel::{is_identifier, same_name};

const BYTECODE: Rule = Rule::warning(
    "MET030",
    "compiled-bytecode",
    "exclude `.pyc` and `.pyo` files; installers compile for the user's interpreter",
);
const DUPLICATES: Rule = Rule::note(
    "MET031",
    "duplicate-content",
    "keep one of the files; wheels cannot contain links, so each copy adds its full size",
);
const NOT_IMPORTABLE: Rule = Rule::note(
    "MET032",
    "not-importable",
    "rename the modules that users import: each folder and file name must be an identifier",
);
const COMMON_NAME: Rule = Rule::warning(
    "MET033",
    "common-name",
    "exclude it or move it into the package; other projects install the same name",
);
const EMPTY: Rule =
    Rule::warning("MET034", "empty-wheel", "configure where the build backend finds the packages");
const STRAY_FILE: Rule = Rule::note(
    "MET035",
    "stray-top-file",
    "move it into the package; it is installed directly into `site-packages`",
);
const INIT_AT_TOP: Rule = Rule::warning(
    "MET036",
    "init-at-the-top",
    "configure the package folder; the backend packed its content without the folder",
);
const NO_PYTHON: Rule =
    Rule::note("MET037", "folder-without-python", "move data into the package that uses it");
const SEVERAL_NAMES: Rule = Rule::note(
    "MET038",
    "several-names",
    "check that each name is intended; projects with the same name overwrite each other",
);
const TOO_LARGE: Rule = Rule::warning(
    "MET039",
    "larger-than-an-index-takes",
    "remove debug information and test data, or request a higher limit from the index",
);

const OBJECT_FILE: Rule = Rule::warning(
    "MET050",
    "object-file",
    "exclude object files from the wheel; nothing loads them",
);

pub(super) const CHECK: Check = Check {
    rules: &[
        OBJECT_FILE,
        BYTECODE,
        DUPLICATES,
        NOT_IMPORTABLE,
        COMMON_NAME,
        EMPTY,
        STRAY_FILE,
        INIT_AT_TOP,
        NO_PYTHON,
        SEVERAL_NAMES,
        TOO_LARGE,
    ],
    find,
};

/// Minimum total size of copies that is reported, in bytes.
const MIN_WASTE: u64 = 64 << 10;

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let file = &context.facts.file;
    let limit = Index::builtin().max_file_size;
    if context.facts.size > limit {
        let (size, limit) = (context.facts.size >> 20, limit >> 20);
        let message =
            format!("has {size} MiB, but the package index accepts {limit} MiB by default");
        findings.push(TOO_LARGE.broken(file, message));
    }
    let Some(contents) = context.contents() else { return };
    let members = || contents.digests.keys().map(String::as_str);
    if members().all(library::is_metadata) {
        findings.push(EMPTY.broken(file, "contains only metadata"));
        return;
    }
    let bytecode = members().filter(|path| is_bytecode(path));
    group(&BYTECODE, "bytecode for one interpreter", bytecode, findings);
    let objects = members().filter(|path| path.strip_suffix(".o").is_some());
    group(&OBJECT_FILE, "object files of a compiler", objects, findings);
    let libraries = libraries(contents);
    let modules = members().filter(|path| !is_importable(path) && !libraries.contains(path));
    group(
        &NOT_IMPORTABLE,
        "not importable, because the name is not a Python identifier",
        modules,
        findings,
    );
    findings.extend(duplicates(contents));
    let own = context.name.as_ref().map_or("", |name| name.distribution.as_str());
    top_level_names(contents, own, findings);
}

/// Reports all paths in one finding, at the first path.
fn group<'a>(
    rule: &Rule,
    what: &str,
    paths: impl Iterator<Item = &'a str>,
    findings: &mut Vec<Finding>,
) {
    let paths: Vec<&str> = paths.collect();
    if let Some(first) = paths.first() {
        findings.push(rule.broken(first, format!("{what}: {}", listing(&paths))));
    }
}

fn is_bytecode(path: &str) -> bool {
    [".pyc", ".pyo"].iter().any(|suffix| path.strip_suffix(suffix).is_some())
}

/// Libraries: files that are named like modules but have no init function.
fn libraries(contents: &Contents) -> BTreeSet<&str> {
    let is_grafted = |path: &&str| {
        library::path(path)
            .and_then(|path| path.split_once('/'))
            .is_some_and(|(top, _)| top.strip_suffix(".libs").is_some())
    };
    let starts_none = |elf: &&Elf| elf.facts.as_ref().is_ok_and(|it| it.module_inits.is_empty());
    let without_init = contents.elves.iter().filter(starts_none).map(|elf| elf.path.as_str());
    contents.digests.keys().map(String::as_str).filter(is_grafted).chain(without_init).collect()
}

/// Returns whether Python can import the file. `true` for files that are not modules.
fn is_importable(path: &str) -> bool {
    let Some(path) = library::path(path) else { return true };
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let Some(name) = library::module_name(file) else { return true };
    let keywords = &LayoutNames::builtin().keywords;
    let folders = folder.split('/').filter(|folder| !folder.is_empty());
    folders.chain([name]).all(|name| is_identifier(name) && !keywords.contains(name))
}

fn duplicates(contents: &Contents) -> Option<Finding> {
    let mut same: BTreeMap<([u8; 32], u64), Vec<&str>> = BTreeMap::new();
    for (path, digest) in &contents.digests {
        same.entry((digest.sha256, digest.size)).or_default().push(path);
    }
    let waste = |size: u64, paths: &[&str]| size.saturating_mul(paths.len() as u64 - 1);
    let mut all: Vec<(u64, &Vec<&str>)> =
        same.iter().map(|((_, size), paths)| (waste(*size, paths), paths)).collect();
    all.sort_by(|left, right| right.cmp(left));
    let total = all.iter().fold(0, |sum: u64, (waste, _)| sum.saturating_add(*waste));
    let (_, worst) = all.first()?;
    (total >= MIN_WASTE).then(|| {
        let kib = total >> 10;
        let first = worst.first().copied().unwrap_or_default();
        let message = format!("{kib} KiB of identical copies, mostly of {}", listing(worst));
        DUPLICATES.broken(first, message)
    })
}

/// Checks the top-level names of the wheel. `own` is the distribution's name.
fn top_level_names(contents: &Contents, own: &str, findings: &mut Vec<Finding>) {
    let (mut files, mut folders) = (BTreeSet::new(), BTreeMap::<&str, bool>::new());
    for path in contents.digests.keys().filter_map(|path| library::path(path)) {
        let has_python = |file: &str| library::module_name(file).is_some();
        match path.split_once('/') {
            None => drop(files.insert(path)),
            Some((top, rest)) => {
                let file = rest.rsplit('/').next().unwrap_or(rest);
                *folders.entry(top).or_default() |= has_python(file);
            }
        }
    }
    // auditwheel puts libraries into `NAME.libs` (`repair.py`). MET019 covers `.egg-info`.
    folders.retain(|top, _| top.strip_suffix(".libs").is_none() && !library::is_egg_info(top));
    let names = &LayoutNames::builtin().common;
    let common = folders.keys().chain(&files).copied();
    let common = common.filter(|top| {
        let name = library::module_name(top).unwrap_or(top);
        names.contains(name) && !same_name(name, own)
    });
    group(&COMMON_NAME, "a top-level name that many projects use", common, findings);
    let is_plain = |file: &&str| {
        library::module_name(file).is_none()
            && file.strip_suffix(".pth").is_none()
            && !is_bytecode(file)
    };
    let stray = files.iter().copied().filter(is_plain);
    group(&STRAY_FILE, "not modules", stray, findings);
    if files.contains("__init__.py") {
        let message = "turns `site-packages` itself into a package";
        findings.push(INIT_AT_TOP.broken("__init__.py", message));
    }
    let is_stubs = |top: &str| top.strip_suffix("-stubs").is_some();
    let without = folders.iter().filter(|(top, has_python)| !**has_python && !is_stubs(top));
    group(&NO_PYTHON, "folders without Python files", without.map(|(top, _)| *top), findings);
    let modules = files.iter().filter_map(|file| library::module_name(file));
    let names: BTreeSet<&str> = folders.keys().copied().chain(modules).collect();
    let public = || names.iter().copied().filter(|name| !name.starts_with('_'));
    if public().count() > 1 {
        group(&SEVERAL_NAMES, "installs more than one top-level name", public(), findings);
    }
}
