//! Does a loader take each module and library for what its own header says? One that it refuses has
//! a floor that nobody ever reaches.

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::elf_file::Elf;
use crate::audit::loading::{Role, Roles, is_linux_module, refusal};
use crate::audit::non_elf::Kind;
use crate::audit::obstacles::rules::{NO_ELF, NOT_LOADABLE, NOT_OF_THE_LOADER, OF_THE_LOADER};
use crate::elf::{ElfFacts, Refusal, VersionNeed};
use crate::policy::{
    Arch, LibcVersion, PlatformTag, Policies, SymbolVersion, help_of, loader_lacks,
};

const LIBRARY: Rule = Rule::warning(
    "ELF023",
    "library-not-loadable",
    "link it as a shared object (`-shared`), or give a program a name without `.so`",
);
const LIBRARY_NO_ELF: Rule = Rule::warning(
    "ELF026",
    "library-no-elf",
    "leave it out of wheels for Linux, or give it the suffix of its real format",
);

/// What makes such files more often than a linker.
const DAMAGED: &str = "build the file again, and strip it before `patchelf` or `auditwheel repair` rewrites it: \
                       a `strip` after `patchelf` is a likely cause";

pub(super) const CHECK: Check = Check {
    rules: &[NOT_LOADABLE, LIBRARY, OF_THE_LOADER, NOT_OF_THE_LOADER, NO_ELF, LIBRARY_NO_ELF],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let roles = Roles::of(context.elves());
    let claims = context.claims();
    let is_musl = context.is_musl();
    let arches: Vec<Arch> = claims.iter().filter_map(PlatformTag::arch).collect();
    for elf in context.elves() {
        let Ok(facts) = &elf.facts else { continue };
        // A file for another machine is an error of its own, or meant for another machine.
        if !arches.is_empty() && elf.arch.is_none_or(|arch| !arches.contains(&arch)) {
            continue;
        }
        findings.extend(refused(elf, facts, &roles, is_musl));
        findings.extend(needs_of_loader(context, elf, facts));
    }
    non_elf(context, &claims, findings);
}

fn refused(elf: &Elf, facts: &ElfFacts, roles: &Roles<'_>, is_musl: bool) -> Option<Finding> {
    let refusal = refusal(facts, is_musl)?;
    let (rule, what) = match roles.role(elf, facts) {
        Role::Module => (&NOT_LOADABLE, "no interpreter can import it"),
        Role::Needed => {
            (&NOT_LOADABLE, "the loader refuses it, and with it the files that need it")
        }
        Role::Library => (&LIBRARY, "the loader does not load it into a program"),
        Role::Other => return None,
    };
    let words = match refusal.words() {
        "" => String::new(),
        words => format!("; the loader prints `{words}`"),
    };
    let finding = rule.broken(&elf.path, format!("{refusal}: {what}{words}"));
    Some(match refusal {
        Refusal::Misaligned | Refusal::Truncated => finding.with_help(DAMAGED),
        _ => finding,
    })
}

/// Version needs towards the loader itself are left out of the floor, as auditwheel does; glibc's
/// loader holds them against its own versions all the same (`elf/dl-version.c`,
/// `_dl_check_map_versions`: it is one of the loaded objects) and refuses a file whose need is not
/// flagged weak.
fn needs_of_loader(context: &AuditContext<'_>, elf: &Elf, facts: &ElfFacts) -> Vec<Finding> {
    if context.is_musl() {
        return Vec::new();
    }
    let limits = context.limits(elf.arch);
    let lowest = limits.iter().find_map(|limits| Some((limits.tag(), limits.tag().glibc()?)));
    let is_meant = |need: &VersionNeed| !need.weak && Policies::is_loader(&need.library);
    let finding = |(index, need): (usize, &VersionNeed)| {
        if !is_meant(need) {
            return None;
        }
        let (rule, why) = not_of_loader(need, elf.arch, lowest)?;
        let symbols = facts.imports.iter().filter(|import| import.need == Some(index));
        let mut symbols: Vec<&str> = symbols.map(|import| import.name.as_str()).collect();
        symbols.sort_unstable();
        let named =
            if symbols.is_empty() { String::new() } else { format!(" for {}", listing(&symbols)) };
        let (version, library) = (need.version.escape_debug(), need.library.escape_debug());
        let message = format!("needs `{version}` of the loader `{library}` itself{named}, {why}");
        let finding = rule.broken(&elf.path, message);
        // What is wrong with a version that the loader never had is the library that it is asked of.
        match help_of(&need.version, &symbols)
            .filter(|_| rule.code == OF_THE_LOADER.code || is_private(need))
        {
            Some(help) => Some(finding.with_help(help)),
            None => Some(finding),
        }
    };
    facts.version_needs.iter().enumerate().filter_map(finding).collect()
}

fn is_private(need: &VersionNeed) -> bool {
    need.version == "GLIBC_PRIVATE"
}

/// Why systems have no such version of the loader, if that is so; `lowest` is what is promised.
fn not_of_loader(
    need: &VersionNeed,
    arch: Option<Arch>,
    lowest: Option<(PlatformTag, LibcVersion)>,
) -> Option<(&'static Rule, String)> {
    if is_private(need) {
        return Some((&NOT_OF_THE_LOADER, "which changes with each release of it".to_owned()));
    }
    let (_, version) =
        SymbolVersion::of_name(&need.version).filter(|(prefix, _)| *prefix == "GLIBC")?;
    match lowest {
        Some((tag, glibc)) if version > SymbolVersion::from(glibc) => Some((
            &OF_THE_LOADER,
            format!(
                "which `{tag}` does not promise: the floor does not include it, but an older loader \
                 rejects the file"
            ),
        )),
        _ if loader_lacks(arch?, &version) => {
            let why = "which no system's loader has: it rejects the file".to_owned();
            Some((&NOT_OF_THE_LOADER, why))
        }
        _ => None,
    }
}

/// Modules that are no ELF files. What a wheel for every system brings for others is no fault.
fn non_elf(context: &AuditContext<'_>, claims: &[PlatformTag], findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    let is_for_linux = claims.iter().any(|claim| claim.arch().is_some());
    for (path, kind) in &contents.non_elf {
        let is_unbuilt = matches!(kind, Kind::Empty | Kind::LfsPointer);
        if *kind == Kind::LinkerScript || !is_for_linux && !is_unbuilt {
            continue;
        }
        let (rule, what) = if is_for_linux && is_linux_module(path) {
            (&NO_ELF, "no interpreter on Linux can import it")
        } else {
            (&LIBRARY_NO_ELF, "it cannot be loaded on Linux")
        };
        findings.push(rule.broken(path, format!("is {}: {what}", kind.as_str())));
    }
}
