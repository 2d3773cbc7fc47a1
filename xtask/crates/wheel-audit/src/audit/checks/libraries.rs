//! Is every needed library in the wheel, or on every system that the tags promise?

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::elf_file::Elf;
use crate::audit::needs::{SymbolNeed, needs_of};
use crate::audit::search;
use crate::policy::{Limits, PlatformTag, Provider, SystemLibrary, VersionVerdict};

const ABSENT_LIBRARY: Rule = Rule::error(
    "ELF006",
    "absent-library",
    "put it into the wheel: `[repair] mode = \"auto\"` in wheels.toml, or `auditwheel repair` for a wheel of another \
     build; or link it statically",
);
const LIBRARY_OF_ANOTHER_WHEEL: Rule = Rule::warning(
    "ELF012",
    "library-of-another-wheel",
    "make sure that the other wheel's modules are imported first, or that a search path leads there",
);
const LIBRARY_OF_A_DRIVER: Rule = Rule::warning(
    "ELF013",
    "library-of-a-driver",
    "load the file only where the driver is, so that the package can be imported without it",
);
const FORBIDDEN_SYMBOL: Rule = Rule::error(
    "ELF007",
    "forbidden-symbol",
    "use the public interface of the library, or put the library into the wheel",
);
const UNRATED_VERSION: Rule = Rule::warning(
    "ELF008",
    "unrated-version",
    "put the library into the wheel; no policy says which versions of it systems have",
);

pub(super) const CHECK: Check = Check {
    rules: &[
        ABSENT_LIBRARY,
        FORBIDDEN_SYMBOL,
        UNRATED_VERSION,
        LIBRARY_OF_ANOTHER_WHEEL,
        LIBRARY_OF_A_DRIVER,
    ],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let requires = Requirement::all(context);
    let tops = search::tops(context.contents());
    for elf in context.elves() {
        let Some(facts) = elf.loadable() else {
            continue;
        };
        let limits = context.limits(elf.arch);
        let needs = needs_of(facts);
        let absent = elf.needs.libraries.iter().filter_map(|library| {
            let tag = limits.iter().find(|limits| !limits.library(library))?.tag();
            Some(absent(elf, &Absent { library, tag, requires: &requires, tops: &tops }))
        });
        findings.extend(absent);
        // The lowest tag forbids the most.
        if let Some(lowest) = limits.first() {
            let forbidden = elf.needs.symbols.iter().filter_map(|used| forbidden(used, lowest));
            findings.extend(forbidden.map(|message| FORBIDDEN_SYMBOL.broken(&elf.path, message)));
        }
        let outside = needs.iter().filter(|need| elf.needs.libraries.contains(need.library));
        let unrated = outside.filter(|need| limits.iter().any(|limits| is_unrated(need, limits)));
        findings.extend(unrated.map(|need| {
            let (version, library) = (need.version.escape_debug(), need.library.escape_debug());
            let message =
                format!("needs `{version}` of `{library}`, and no policy speaks of such versions");
            UNRATED_VERSION.broken(&elf.path, message)
        }));
    }
}

/// A library that a file lacks.
struct Absent<'a> {
    library: &'a str,
    /// The lowest tag that does not promise it.
    tag: PlatformTag,
    requires: &'a [Requirement<'a>],
    /// What the wheel itself puts into `site-packages`.
    tops: &'a BTreeSet<String>,
}

impl<'a> Absent<'a> {
    /// A required project into whose package, of which this wheel has no part, the file's own
    /// search path leads.
    fn leads_to(&self, elf: &Elf) -> Option<&'a Requirement<'a>> {
        let folders = search::own_folders(&elf.path, elf.loadable()?);
        let tops = folders.iter().filter_map(|folder| folder.split('/').next());
        let mut foreign = tops.filter(|&top| !self.tops.contains(top));
        foreign.find_map(|top| self.requires.iter().find(|each| each.is_named_after(top)))
    }
}

fn absent(elf: &Elf, lack: &Absent<'_>) -> Finding {
    let library = lack.library.escape_debug();
    let provider = Provider::of(lack.library);
    if let Some(driver) = provider.and_then(|provider| provider.driver.as_deref()) {
        let message = format!("needs `{library}`, which comes with {driver} and not with a wheel");
        return LIBRARY_OF_A_DRIVER.broken(&elf.path, message);
    }
    let projects = || provider.map(Provider::projects).unwrap_or_default();
    let named = |each: &&Requirement<'_>| provider.is_some_and(|all| all.is_project(each.project));
    let required = lack.requires.iter().find(named).or_else(|| lack.leads_to(elf));
    if let Some(required) = required {
        let required_how = if required.is_extra { "only with an extra" } else { "in any case" };
        let message = format!(
            "needs `{library}`, which is not in the wheel; it comes with `{}`, which METADATA \
             requires {required_how}",
            required.project.escape_debug()
        );
        return LIBRARY_OF_ANOTHER_WHEEL.broken(&elf.path, message);
    }
    let tag = lack.tag;
    let message =
        format!("needs `{library}`, which is not in the wheel and which `{tag}` does not promise");
    let finding = ABSENT_LIBRARY.broken(&elf.path, message);
    match projects().first() {
        Some(project) => finding.with_help(format!(
            "name `{project}`, whose wheels bring it, in `Requires-Dist`, or put it into the wheel"
        )),
        None if lack.library.contains('/') => finding.with_help(
            "give the library a name of its own (`-Wl,-soname`), and link by that: it was linked by path",
        ),
        None if lack.library.starts_with("libpython") => finding.with_help(
            "link no module against `libpython`: the interpreter that imports it has those symbols",
        ),
        None => match SystemLibrary::of(lack.library) {
            Some(known) => {
                finding.with_help(format!("it comes with {}: {}", known.packages(), ABSENT_LIBRARY.help))
            }
            None => finding,
        },
    }
}

/// A project that METADATA requires.
struct Requirement<'a> {
    project: &'a str,
    /// Only with one of its extras.
    is_extra: bool,
}

impl<'a> Requirement<'a> {
    /// Those that come in any case first.
    fn all(context: &'a AuditContext<'_>) -> Vec<Self> {
        let metadata = context.contents().and_then(|all| all.metadata.as_ref()?.as_ref().ok());
        let lines = metadata.map(|metadata| metadata.requires_dist.as_slice()).unwrap_or_default();
        let mut all: Vec<Self> = lines.iter().map(|line| Self::parse(line)).collect();
        all.sort_by_key(|each| each.is_extra);
        all
    }

    /// Is a folder of packages the project's, as far as names tell: `nvidia` of `nvidia-cublas`?
    fn is_named_after(&self, folder: &str) -> bool {
        let [project, folder] =
            [self.project, folder].map(|name| name.to_ascii_lowercase().replace(['_', '.'], "-"));
        project.strip_prefix(&folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// The name ends where a version, an extra, an address or a marker begins (`PyPA` "Dependency
    /// specifiers").
    fn parse(line: &'a str) -> Self {
        let is_name = |each: char| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.');
        let line = line.trim();
        let end = line.find(|each| !is_name(each)).unwrap_or(line.len());
        let is_extra = line.split_once(';').is_some_and(|(_, marker)| marker.contains("extra"));
        Self { project: line.get(..end).unwrap_or_default(), is_extra }
    }
}

fn forbidden((library, symbols): (&String, &BTreeSet<String>), limits: &Limits) -> Option<String> {
    let symbols = symbols.iter().filter(|symbol| limits.forbids(library, symbol));
    let symbols: Vec<&String> = symbols.collect();
    let text = || {
        format!(
            "uses {} of `{library}`, which not every system of `{}` exports",
            listing(&symbols),
            limits.tag()
        )
    };
    (!symbols.is_empty()).then(text)
}

/// A library that is missing altogether is reported as that. musl's loader pays no heed to versions.
fn is_unrated(need: &SymbolNeed<'_>, limits: &Limits) -> bool {
    limits.tag().musl().is_none()
        && limits.library(need.library)
        && limits.version(need.version) == VersionVerdict::Unrated
}
