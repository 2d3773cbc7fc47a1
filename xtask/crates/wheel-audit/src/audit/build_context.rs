//! Builds the [`AuditContext`] of a wheel or file.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{
    AuditError, Depth, ElfReport, Expectations, WheelFacts, blame,
    contents::Contents,
    context::AuditContext,
    dispatch,
    elf_file::{Elf, ReadElf},
    extension,
    facts::WheelNeeds,
    link::{self, Host, Shadowed},
    loading::is_linux_module,
    non_elf, obstacles,
    origin::{self, Origin},
    reading, script_modules,
};
use crate::policy::{PlatformTag, Requirements};
use crate::wheel::{ArchiveError, WheelArchive, WheelName};

/// Reads the wheel at `path`.
pub(super) fn of_wheel<'a>(
    path: &Utf8Path,
    expectations: &'a Expectations,
    depth: Depth,
) -> Result<AuditContext<'a>, AuditError> {
    let file = path.file_name().ok_or_else(|| AuditError::NoFile(path.to_owned()))?.to_owned();
    let digest = if depth == Depth::Floor { None } else { Some(reading::digest_of_file(path)?) };
    let name = WheelName::parse(&file);
    let opened = match WheelArchive::open(path) {
        Err(ArchiveError::Io(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(error.into());
        }
        opened => opened,
    };
    let (opened, archive) = match opened {
        Ok(archive) => {
            let mut contents = reading::contents(&archive, depth)?;
            dispatch::resolve(&mut contents.elves);
            if contents.is_read {
                let elves: BTreeSet<&str> =
                    contents.elves.iter().map(|elf| elf.path.as_str()).collect();
                let is_known =
                    |path: &str| elves.contains(path) || contents.damaged.contains_key(path);
                contents.non_elf = non_elf::find(&archive, &is_known)?;
                if depth != Depth::Floor {
                    contents.script_modules = script_modules::find(&archive, &contents.texts)?;
                }
            }
            (Some(archive), Ok(contents))
        }
        Err(error) => (None, Err(error)),
    };
    let tag_claim = name.iter().flat_map(|name| name.tags.platforms.clone()).collect();
    let facts = WheelFacts {
        sha256: digest.map(|digest| digest.hex()),
        size: fs_err::metadata(path)?.len(),
        tag_claim,
        ..WheelFacts::of(file)
    };
    let mut context = AuditContext { expectations, facts, name, archive };
    summarise(&mut context);
    if let Some(archive) = opened {
        blame::find(&mut context, &archive);
    }
    Ok(context)
}

/// The context of an ELF file outside of a wheel.
pub(super) fn of_file<'a>(
    path: &Utf8Path,
    expectations: &'a Expectations,
    elf: ReadElf,
    depth: Depth,
) -> AuditContext<'a> {
    let mut contents = Contents::default();
    contents.elves.push(Elf::new(path.to_string(), elf));
    let (name, archive) = (WheelName::parse(path.as_str()), Ok(contents));
    let mut context =
        AuditContext { expectations, facts: WheelFacts::of(path.to_string()), name, archive };
    summarise(&mut context);
    blame::find_in_file(&mut context, depth);
    context
}

/// Fills in the facts that depend on all files.
fn summarise(context: &mut AuditContext<'_>) {
    let claims = context.claims();
    let claimed = context.expectations.arch.or(claims.iter().find_map(PlatformTag::arch));
    let arch = claimed.or(context.elves().iter().find_map(|elf| elf.arch));
    // The wheel's tag decides: a file for musl may need glibc's libraries by name, and musl's loader replaces
    // them with itself (`ldso/dynlink.c`, `load_library`).
    let claim = claims.iter().find(|tag| tag.musl().is_some() || tag.glibc().is_some());
    let is_musl = claim.map_or_else(|| names_musl(context.elves()), |tag| tag.musl().is_some());
    let host = Host::of(context.name.as_ref().ok(), is_musl);
    if let Ok(contents) = &mut context.archive {
        let shadowed = Shadowed::find(contents, &host);
        link::resolve(&mut contents.elves, &host, &shadowed);
    }
    let report = |elf: &Elf| {
        let mut report = ElfReport::new(&elf.path, elf.facts.as_ref().ok()?, &elf.needs);
        report.isa = elf.level().map(|level| level.to_string());
        Some(report)
    };
    let levels = context.elves().iter().filter_map(Elf::level);
    let isa = levels.reduce(|all, level| all.with(level.features()));
    let isa = isa.map(|level| level.to_string());
    let reports = context.elves().iter().filter_map(report).collect();
    let extensions = context.elves().iter().filter_map(extension::extension).collect();
    let unread = context.contents().is_none_or(|contents| !contents.damaged.is_empty());
    let is_foreign = context.is_foreign();
    let non_elf = context.contents().map_or(&[] as &[_], |contents| &contents.non_elf);
    let is_unbuilt = claims.iter().any(|tag| tag.arch().is_some())
        && non_elf.iter().any(|(path, _)| is_linux_module(path));
    let is_unknown = unread || is_unbuilt || context.elves().iter().any(|elf| elf.facts.is_err());
    let is_unreadable = context.contents().is_none();
    let requirements = Requirements::default();
    let own = || context.elves().iter().filter(|elf| elf.arch == arch);
    let mut needs = WheelNeeds {
        requirements,
        is_musl,
        is_unknown,
        is_unreadable,
        is_marked: own().any(Elf::is_marked),
        arch,
        obstacles: Vec::new(),
    };
    // ELF002 covers files for another architecture.
    for elf in own() {
        needs.requirements.extend(&elf.needs);
    }
    let pure = !unread && !is_foreign && context.elves().is_empty() && !is_unbuilt;
    context.facts.floor = needs.requirements.floor();
    let floor = context.facts.floor.get("GLIBC");
    let origin = origin::of_wheel(context.expectations.built_on, context.elves(), floor, is_musl);
    let metadata = context.contents().and_then(|all| all.metadata.as_ref()?.as_ref().ok());
    let requires_dist = metadata.map(|it| it.requires_dist.clone()).unwrap_or_default();
    let facts = &mut context.facts;
    facts.requires_dist = requires_dist;
    facts.build_glibc = origin.as_ref().map(Origin::version);
    facts.build_origin = origin;
    facts.elf = reports;
    facts.extensions = extensions;
    facts.isa = isa;
    facts.needs = needs;
    facts.overall_tag = match arch {
        _ if pure => PlatformTag::Any.to_string(),
        Some(arch) => facts.floor_tag(arch).unwrap_or(PlatformTag::Linux(arch)).to_string(),
        None => "unknown".to_owned(),
    };
    context.facts.needs.obstacles = obstacles::of_wheel(context);
}

/// Returns whether any file needs musl's C library or loader.
fn names_musl(elves: &[Elf]) -> bool {
    let facts = elves.iter().filter_map(|elf| elf.facts.as_ref().ok());
    facts.flat_map(|facts| facts.needed.iter().chain(&facts.interpreter)).any(|name| {
        name.starts_with("libc.musl-") || name.contains("ld-musl-") || name == "libc.so"
    })
}
