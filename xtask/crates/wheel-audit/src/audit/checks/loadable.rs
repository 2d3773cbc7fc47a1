//! Reports modules and libraries that the loader rejects because of their headers. Their needs alone would
//! make them look compatible.

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
    "link it as a shared object (`-shared`), or remove `.so` from the name of a program",
);
const LIBRARY_NO_ELF: Rule = Rule::warning(
    "ELF026",
    "library-no-elf",
    "exclude it from wheels for Linux, or rename it with the suffix of its real format",
);

/// `strip` after `patchelf` is the most frequent cause of damaged headers.
const DAMAGED: &str =
    "build the file again, and run `strip` before `patchelf` or `auditwheel repair`, not after it";

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
        // ELF002 covers files for another architecture.
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
        Role::Needed => (&NOT_LOADABLE, "the loader rejects it and the files that need it"),
        Role::Library => (&LIBRARY, "the loader cannot load it into a running program"),
        Role::Other => return None,
    };
    let loader_message = match refusal.loader_message() {
        "" => String::new(),
        text => format!("; the loader prints `{text}`"),
    };
    let finding = rule.broken(&elf.path, format!("{refusal}: {what}{loader_message}"));
    Some(match refusal {
        Refusal::Misaligned | Refusal::Truncated => finding.with_help(DAMAGED),
        _ => finding,
    })
}

/// Versions that files need of the loader itself. They do not count for the floor, as in auditwheel. But
/// glibc's loader checks them too (`elf/dl-version.c`, `_dl_check_map_versions`) and rejects the file
/// unless the need is weak.
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
        // For a version that no loader has, the help for the version would not fit.
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

/// The rule and reason if systems lack this version of the loader. `lowest` is the lowest promised tag.
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

/// Reports modules that are not ELF files. A wheel for every system may contain files for other systems.
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
