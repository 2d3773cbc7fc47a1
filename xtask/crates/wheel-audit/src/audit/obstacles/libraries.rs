//! Libraries that are neither in the wheel nor on every system that its tags promise.

use std::collections::BTreeSet;

use super::{AuditContext, Condition, Effect, Obstacle, Rule};
use crate::audit::elf_file::Elf;
use crate::audit::requirement::Requirement;
use crate::audit::search;
use crate::policy::{PlatformTag, Provider, SystemLibrary, distributions};

pub(super) const ABSENT_LIBRARY: Rule = Rule::error(
    "ELF006",
    "absent-library",
    "bundle it: set `[repair] mode = \"auto\"` in wheels.toml, or run `auditwheel repair` for a wheel of another \
     build; or link it statically",
);
pub(super) const LIBRARY_OF_ANOTHER_WHEEL: Rule = Rule::warning(
    "ELF012",
    "library-of-another-wheel",
    "import the other package first, or add its folder to the search path",
);
pub(super) const LIBRARY_OF_A_DRIVER: Rule = Rule::warning(
    "ELF013",
    "library-of-a-driver",
    "load the file only if the driver is installed, so that users can import the package without it",
);
pub(super) const DAMAGED_NAMES: Rule = Rule::error(
    "ELF041",
    "damaged-string-table",
    "run `strip` before `patchelf`, never after it, and use a current `patchelf`",
);

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let Some(contents) = context.contents() else { return };
    let (requires, top_level_names) =
        (Requirement::all(context), search::top_level_names(Some(contents)));
    let wheel = Wheel { requires: &requires, top_level_names: &top_level_names };
    let arch = context.facts.needs.arch;
    let limits = context.limits(arch);
    let mut on_some_systems = BTreeSet::new();
    let own = contents.elves.iter().filter(|elf| elf.arch == arch && elf.loadable().is_some());
    for elf in own {
        for library in &elf.needs.libraries {
            let breaks = limits.iter().find(|limits| !limits.library(library));
            if is_garbage(library) {
                let cause = format!(
                    "needs `{}`, which is not a library name: the string table is damaged",
                    library.escape_debug()
                );
                let obstacle = Obstacle::new(&DAMAGED_NAMES, &elf.path, cause);
                all.push(obstacle.with_loader_message(not_found(library)));
            } else if breaks.is_some() || on_some_systems.insert(library) {
                let tag = breaks.map(|limits| limits.tag());
                all.push(absent(elf, library, tag, &wheel));
            }
        }
    }
    // A library that every system has is no obstacle.
    all.retain(|each| match &each.on {
        Condition::LacksLibrary(library) => {
            let mut systems = distributions().iter();
            limits.iter().any(|limits| !limits.library(library))
                || systems.any(|system| each.effect_on(system, arch).is_some())
        }
        _ => true,
    });
}

/// The message of glibc's loader for a missing library (`elf/dl-load.c`).
pub(super) fn not_found(library: &str) -> String {
    let library = library.escape_debug();
    format!("{library}: cannot open shared object file: No such file or directory")
}

/// Returns whether the name is invalid: it contains control characters, or bytes that are not UTF-8.
fn is_garbage(library: &str) -> bool {
    library.is_empty()
        || library.chars().any(|each| each.is_control() || each == char::REPLACEMENT_CHARACTER)
}

/// The facts that decide which required project provides a library.
struct Wheel<'a> {
    requires: &'a [Requirement<'a>],
    /// The top-level names that the wheel installs.
    top_level_names: &'a BTreeSet<String>,
}

impl<'a> Wheel<'a> {
    /// The required project that provides a library: a known provider, the project whose package is in the
    /// file's search path, or a project with the library's name.
    fn provider_of(&self, elf: &Elf, library: &str) -> Option<&'a Requirement<'a>> {
        let provider = Provider::of(library);
        let is_known =
            |each: &&Requirement<'_>| provider.is_some_and(|all| all.is_project(each.project));
        let all = self.requires;
        let named = || all.iter().find(|each| each.is_named_like(library));
        all.iter().find(is_known).or_else(|| self.in_search_path(elf)).or_else(named)
    }

    fn in_search_path(&self, elf: &Elf) -> Option<&'a Requirement<'a>> {
        let folders = search::own_folders(&elf.path, elf.loadable()?);
        let top_level_names = folders.iter().filter_map(|folder| folder.split('/').next());
        let mut foreign = top_level_names.filter(|&top| !self.top_level_names.contains(top));
        foreign.find_map(|top| self.requires.iter().find(|each| each.is_named_after(top)))
    }
}

/// The obstacle for a library that is not in the wheel. It may be installed on the user's system, so the
/// effect is uncertain.
fn absent(elf: &Elf, library: &str, tag: Option<PlatformTag>, wheel: &Wheel<'_>) -> Obstacle {
    let name = library.escape_debug();
    let obstacle = |rule, cause: String| {
        Obstacle::new(rule, &elf.path, cause)
            .with_loader_message(not_found(library))
            .on(Condition::LacksLibrary(library.to_owned()))
            .with_effect(Effect::MayFail)
    };
    let provider = Provider::of(library);
    if let Some(driver) = provider.and_then(|provider| provider.driver.as_deref()) {
        let cause = format!("needs `{name}`, which comes with {driver} and not with a wheel");
        return obstacle(&LIBRARY_OF_A_DRIVER, cause);
    }
    if let Some(required) = wheel.provider_of(elf, library) {
        let required_how = if required.is_extra { "only with an extra" } else { "always" };
        let cause = format!(
            "needs `{name}`, which is not in the wheel; it comes with `{}`, which METADATA requires \
             {required_how}",
            required.project.escape_debug()
        );
        return obstacle(&LIBRARY_OF_ANOTHER_WHEEL, cause);
    }
    if library.starts_with("libpython") {
        let cause = format!("needs `{name}`, which no wheel can rely on");
        let help = "do not link modules with `libpython`: the interpreter provides its symbols";
        return obstacle(&ABSENT_LIBRARY, cause).with_help(help);
    }
    let why = match tag {
        Some(tag) => format!("which `{tag}` does not promise"),
        None => "must be installed".to_owned(),
    };
    let cause = format!("needs `{name}`, which is not in the wheel and {why}");
    let absent = obstacle(&ABSENT_LIBRARY, cause);
    match provider.and_then(|provider| provider.projects().first()) {
        Some(project) => absent.with_help(format!(
            "add `{project}`, whose wheels contain it, to `Requires-Dist`, or bundle it"
        )),
        None if library.contains('/') => absent.with_help(
            "link the library with a soname (`-Wl,-soname`) and by name: it was linked by path",
        ),
        None => match SystemLibrary::of(library) {
            Some(known) => absent.with_help(format!(
                "it comes with {}: {}",
                known.packages(),
                ABSENT_LIBRARY.help
            )),
            None => absent,
        },
    }
}
