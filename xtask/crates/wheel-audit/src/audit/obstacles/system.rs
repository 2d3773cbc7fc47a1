//! Requirements on the system as a whole: C library, symbol versions, processor. Each need is listed once, with
//! the first file that has it.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Condition, Effect, Obstacle, Rule, rules};
use crate::audit::elf_file::Elf;
use crate::audit::loading::{Role, Roles, is_linux_module, refusal, stem};
use crate::audit::needs::{RELR_SINCE, lacks_relr_node, needs_of};
use crate::elf::{ElfFacts, VersionNeed};
use crate::isa::Level;
use crate::policy::{
    Arch, Libc, Policies, SymbolVersion, VersionVerdict, distributions, loader_lacks,
};
use crate::wheel::{ExtensionAbi, ExtensionSuffix};

pub(super) const OTHER_LOADER: Rule = Rule::error(
    "ELF040",
    "loader-of-another-c-library",
    "build programs and libraries on a system with the C library of the platform tag",
);

pub(super) const OTHER_LIBC: Rule = Rule::error(
    "TAG204",
    "suffix-of-another-c-library",
    "build on a system with the C library of the tag; no interpreter there imports the file",
);

/// The first `CPython` whose module suffix separates musl from glibc on every system (bpo-43112).
const SEPARATES_MUSL: (u8, u8) = (3, 11);
const ANY_GLIBC: Condition = Condition::Glibc { from: None, before: None };

type Files<'a> = Vec<(&'a Elf, &'a ElfFacts)>;

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let arch = context.facts.needs.arch;
    let loadable = context.elves().iter().filter_map(|elf| Some((elf, elf.loadable()?)));
    let (own, foreign): (Files<'_>, Files<'_>) = loadable.partition(|(elf, _)| elf.arch == arch);
    non_elf(context, all);
    let other = if arch.is_none() { own.first() } else { None };
    let other = other.or_else(|| foreign.first().filter(|_| own.is_empty()));
    if let Some((elf, _)) = other {
        all.push(Obstacle::new(&rules::OTHER_MACHINE, &elf.path, "is for another machine"));
    }
    let Some(arch) = arch else { return };
    refused(context.elves(), arch, all);
    other_libc(&own, all);
    loader_versions(&own, arch, all);
    versions(&own, all);
    let relr = own.iter().find(|(_, facts)| lacks_relr_node(facts));
    all.extend(relr.map(|(elf, _)| {
        let cause = "has packed relative relocations, which this loader skips";
        let before = Some(RELR_SINCE);
        let on = Condition::Glibc { from: None, before };
        Obstacle::new(&rules::RELR, &elf.path, cause).on(on)
    }));
    linked_with_glibc(&own, arch, all);
    let levels = own.iter().filter_map(|(elf, _)| Some((elf, elf.level()?)));
    processor(levels, all);
}

/// Modules for Linux that are not ELF files.
fn non_elf(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let is_for_linux = context.claims().iter().any(|tag| tag.arch().is_some());
    let files = context.contents().map(|contents| contents.non_elf.as_slice()).unwrap_or_default();
    if let Some((path, kind)) = files.iter().find(|(path, _)| is_for_linux && is_linux_module(path))
    {
        all.push(Obstacle::new(&rules::NO_ELF, path, format!("is {}", kind.as_str())));
    }
}

/// Modules and needed libraries that the loader rejects because of their headers.
fn refused(elves: &[Elf], arch: Arch, all: &mut Vec<Obstacle>) {
    let roles = Roles::of(elves);
    let mut known = BTreeMap::new();
    for elf in elves.iter().filter(|elf| elf.arch == Some(arch)) {
        let Ok(facts) = &elf.facts else { continue };
        for refusal in [refusal(facts, false), refusal(facts, true)].into_iter().flatten() {
            if matches!(roles.role(elf, facts), Role::Module | Role::Needed) {
                known.entry(refusal).or_insert(&elf.path);
            }
        }
    }
    all.extend(known.into_iter().map(|(refusal, path)| {
        Obstacle::new(&rules::NOT_LOADABLE, path, refusal.to_string())
            .with_loader_message(refusal.loader_message())
            .on(Condition::Refuses(refusal))
    }));
}

/// Files that load only on the other C library.
fn other_libc(own: &Files<'_>, all: &mut Vec<Obstacle>) {
    let is_musls = |name: &str| {
        name.contains("/ld-musl-") || name.starts_with("libc.musl-") || name == "libc.so"
    };
    let outside = own.iter().flat_map(|(elf, facts)| {
        let libraries = facts.needed.iter().filter(|name| elf.needs.libraries.contains(*name));
        facts.interpreter.iter().chain(libraries).map(move |name| (&elf.path, name))
    });
    if let Some((path, name)) = { outside }.find(|(_, name)| is_musls(name)) {
        let cause = format!("needs `{}`, which is musl's", name.escape_debug());
        all.push(Obstacle::new(&OTHER_LOADER, path, cause).on(ANY_GLIBC));
    }
    let loaders = own.iter().filter_map(|(elf, facts)| Some((elf, facts.interpreter.as_ref()?)));
    if let Some((elf, loader)) = { loaders }.find(|(_, loader)| !is_musls(loader)) {
        let cause = format!("requires the loader `{}`", loader.escape_debug());
        all.push(Obstacle::new(&OTHER_LOADER, &elf.path, cause).on(Condition::Musl));
    }
    named_for_other_libc(own, all);
}

/// Modules whose suffix is only for one C library, unless the wheel contains the same module for the other.
fn named_for_other_libc(own: &Files<'_>, all: &mut Vec<Obstacle>) {
    let modules = || own.iter().map(|(elf, _)| elf.path.as_str());
    for (libc, on) in [("musl", ANY_GLIBC), ("glibc", Condition::Musl)] {
        let is_named = |path: &str| libc_of_name(path) == Some(libc);
        let others: BTreeSet<&str> = modules().filter(|path| !is_named(path)).map(stem).collect();
        for path in modules().filter(|path| is_named(path) && !others.contains(stem(path))) {
            let cause = format!("has a name that only interpreters on {libc} look for");
            all.push(Obstacle::new(&OTHER_LIBC, path, cause).on(on.clone()));
        }
    }
}

/// The C library, if only its interpreters import a file of this name.
fn libc_of_name(path: &str) -> Option<&'static str> {
    let suffix = ExtensionSuffix::parse(path)?;
    if suffix.platform?.contains("-linux-musl") {
        return Some("musl");
    }
    let ExtensionAbi::Interpreter(interpreter) = suffix.abi else { return None };
    let separates = interpreter.is_cpython() && interpreter.python_version() >= SEPARATES_MUSL;
    separates.then_some("glibc")
}

/// Versions that files need of glibc's loader, which do not count for the floor.
fn loader_versions(own: &Files<'_>, arch: Arch, all: &mut Vec<Obstacle>) {
    let mut known = BTreeMap::new();
    for (elf, facts) in own {
        let is_meant = |need: &&VersionNeed| !need.weak && Policies::is_loader(&need.library);
        for need in facts.version_needs.iter().filter(is_meant) {
            known.entry(need.version.as_str()).or_insert(&elf.path);
        }
    }
    for (version, path) in known {
        let cause = format!("needs `{}` of the loader", version.escape_debug());
        let number = SymbolVersion::of_name(version).filter(|(prefix, _)| *prefix == "GLIBC");
        let is_never = number.is_some_and(|(_, number)| loader_lacks(arch, &number));
        all.push(if is_never {
            Obstacle::new(&rules::NOT_OF_THE_LOADER, path, cause).on(ANY_GLIBC)
        } else {
            let rule = if version == "GLIBC_PRIVATE" {
                &rules::NOT_OF_THE_LOADER
            } else {
                &rules::OF_THE_LOADER
            };
            Obstacle::new(rule, path, cause).on(Condition::LacksVersion(version.to_owned()))
        });
    }
}

/// Symbol versions of libraries outside the wheel.
fn versions(own: &Files<'_>, all: &mut Vec<Obstacle>) {
    let mut known = BTreeMap::new();
    for (elf, facts) in own {
        let outside = needs_of(facts).into_iter();
        for need in
            outside.filter(|need| need.is_implied || elf.needs.libraries.contains(need.library))
        {
            let symbol = need.symbols.first().copied();
            known.entry(need.version).or_insert((&elf.path, symbol));
        }
    }
    let mut of_version: Vec<Obstacle> = known
        .into_iter()
        .map(|(version, (path, symbol))| {
            let symbol =
                symbol.map_or_else(String::new, |it| format!(" for `{}`", it.escape_debug()));
            let cause = format!("needs `{}`{symbol}", version.escape_debug());
            let on = Condition::LacksVersion(version.to_owned());
            Obstacle::new(&rules::FLOOR, path, cause).on(on)
        })
        .collect();
    // Drop versions that every system has: hundreds of files may need each of them.
    of_version.retain(|obstacle| {
        distributions().iter().any(|system| {
            let mut arches = system.machines.iter();
            arches.any(|&arch| obstacle.effect_on(system, Some(arch)).is_some())
        })
    });
    all.append(&mut of_version);
}

/// On musl, functions that glibc's headers redirect may be missing.
fn linked_with_glibc(own: &Files<'_>, arch: Arch, all: &mut Vec<Obstacle>) {
    let musl = distributions().iter().find(|system| matches!(system.libc, Libc::Musl(_)));
    let Some(limits) =
        musl.and_then(|system| Policies::builtin().limits(system.libc.platform_tag(arch)))
    else {
        return;
    };
    for (elf, facts) in own {
        let mut needs = needs_of(facts).into_iter();
        let is_glibcs = |version: &str| limits.version(version) == VersionVerdict::TooNew;
        if let Some(need) =
            needs.find(|need| elf.needs.libraries.contains(need.library) && is_glibcs(need.version))
        {
            let cause = format!(
                "was linked with glibc and needs `{}`, which musl may lack",
                need.version.escape_debug()
            );
            return all.push(
                Obstacle::new(&rules::FLOOR, &elf.path, cause)
                    .on(Condition::Musl)
                    .with_effect(Effect::MayFail),
            );
        }
    }
}

/// The processor level that all code together needs, with the file that needs most.
fn processor<'a>(levels: impl Iterator<Item = (&'a &'a Elf, Level)>, all: &mut Vec<Obstacle>) {
    let mut most: Option<(&Elf, Level)> = None;
    for (elf, level) in levels {
        most = Some(match most {
            None => (elf, level),
            Some((first, own)) if own.allows(&level) => (first, own),
            Some((_, own)) => (elf, own.with(level.features())),
        });
    }
    if let Some((elf, level)) = most {
        let cause = format!("needs a processor with {level}");
        let on = Condition::Processor { level, from: None };
        all.push(Obstacle::new(&rules::ABOVE, &elf.path, cause).on(on));
    }
}
