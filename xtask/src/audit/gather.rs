//! A wheel as the checks see it: what was read of it, and what is promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use camino::Utf8Path;

use super::{
    AuditError, Depth, ElfReport, Limit, Promise, WheelFacts, alien,
    asks::Asks,
    blame::{self, Callers},
    facts::{WheelNeeds, needs_of},
    origin::{self, Origin},
    reading::{self, Found, Member, ReadElf},
};
use crate::{
    elf::{ElfFacts, ElfKind},
    isa::{IsaFacts, Level},
    policy::{Arch, Limits, PlatformTag, Policies, Requirements},
    wheel::{
        ArchiveError, CoreMetadata, Digest, MAX_METADATA, MetadataError, NameError, Record,
        RecordError, WheelArchive, WheelFile, WheelName,
    },
};

/// A wheel and what is promised of it: all that a check can see.
pub(super) struct Subject<'a> {
    pub(super) promise: &'a Promise,
    pub(super) facts: WheelFacts,
    pub(super) name: Result<WheelName, NameError>,
    pub(super) archive: Result<Contents, ArchiveError>,
}

/// What a readable archive holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) problems: Vec<crate::wheel::ArchiveProblem>,
    /// The members' content was read. It is not where that alone would be an attack.
    pub(super) is_read: bool,
    /// Members that could not be read, with the reason.
    pub(super) damaged: BTreeMap<String, String>,
    /// Every file that could be read.
    pub(super) digests: BTreeMap<String, Digest>,
    /// The `.dist-info` folders at the top.
    pub(super) dist_infos: BTreeSet<String>,
    pub(super) elves: Vec<Elf>,
    /// Files that are named like extension modules and are no ELF files, in the archive's order.
    pub(super) aliens: Vec<(String, alien::Kind)>,
    pub(super) wheel: Option<Result<WheelFile, MetadataError>>,
    pub(super) metadata: Option<Result<CoreMetadata, MetadataError>>,
    pub(super) record: Option<Result<Record, RecordError>>,
    /// Other small files of the `.dist-info` folders, by path: `entry_points.txt` and the like.
    pub(super) texts: BTreeMap<String, Vec<u8>>,
    /// Bills of materials that are no JSON, with the reason.
    pub(super) broken_sboms: BTreeMap<String, String>,
}

/// An ELF file of the wheel.
pub(super) struct Elf {
    pub(super) path: String,
    /// The facts, or why there are none.
    pub(super) facts: Result<ElfFacts, String>,
    /// What its code needs of the processor; `None` if that was not asked for.
    pub(super) isa: Option<Result<IsaFacts, String>>,
    /// What it asks of the system, without what the wheel brings; nothing if it could not be
    /// judged.
    pub(super) needs: Requirements,
    /// The architecture it is for, if it is one of ours.
    pub(super) arch: Option<Arch>,
    /// Who calls the symbols that are too new.
    pub(super) callers: Callers,
}

impl Subject<'_> {
    /// The platform tags in the file name that are understood, in order.
    pub(super) fn claims(&self) -> Vec<PlatformTag> {
        let platforms = self.name.iter().flat_map(|name| &name.tags.platforms);
        platforms.filter_map(|text| text.parse().ok()).collect()
    }

    /// Is it for musl alone?
    pub(super) fn is_musl(&self) -> bool {
        self.facts.needs.is_musl && self.claims().iter().all(|tag| tag.glibc().is_none())
    }

    /// The ELF files; none if the archive cannot be read.
    pub(super) fn elves(&self) -> &[Elf] {
        self.archive.as_ref().map_or(&[], |contents| &contents.elves)
    }

    /// The content, where it was read.
    pub(super) fn contents(&self) -> Option<&Contents> {
        self.archive.as_ref().ok().filter(|contents| contents.is_read)
    }

    /// What has to hold for files of an architecture: the limits of every tag in the file name and
    /// of the target's, lowest first. That a file is for another architecture than the wheel is a
    /// matter of its own.
    pub(super) fn limits(&self, arch: Option<Arch>) -> Vec<Arc<Limits>> {
        let mut tags = match (self.promise.limit, arch) {
            (Some(Limit::Glibc(version)), Some(arch)) => {
                vec![PlatformTag::Manylinux(version, arch)]
            }
            (Some(Limit::Musl(version)), Some(arch)) => vec![PlatformTag::Musllinux(version, arch)],
            _ => self.claims(),
        };
        if self.promise.limit.is_none() {
            tags.extend(self.promise.platform_tag);
        }
        tags.retain(|tag| tag.arch() == arch);
        tags.sort_by_key(|tag| (tag.glibc(), tag.musl(), tag.to_string()));
        // An alias and its number promise the same.
        tags.dedup_by_key(|tag| (tag.glibc(), tag.musl()));
        tags.into_iter().filter_map(|tag| Policies::builtin().limits(tag)).collect()
    }
}

/// Reads the wheel at `path`, as deep as asked.
pub(super) fn gather<'a>(
    path: &Utf8Path,
    promise: &'a Promise,
    depth: Depth,
) -> Result<Subject<'a>, AuditError> {
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
            if contents.is_read {
                alien::find(&archive, &mut contents)?;
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
    let mut subject = Subject { promise, facts, name, archive };
    summarise(&mut subject);
    if let Some(archive) = opened {
        blame::find(&mut subject, &archive);
    }
    Ok(subject)
}

/// What can be known of an ELF file that lies in no wheel.
pub(super) fn gather_file<'a>(
    path: &Utf8Path,
    promise: &'a Promise,
    elf: ReadElf,
    depth: Depth,
) -> Subject<'a> {
    let mut contents = Contents::default();
    contents.elves.push(Elf::new(path.to_string(), elf));
    let (name, archive) = (WheelName::parse(path.as_str()), Ok(contents));
    let mut subject = Subject { promise, facts: WheelFacts::of(path.to_string()), name, archive };
    summarise(&mut subject);
    blame::find_in_file(&mut subject, depth);
    subject
}

/// Fills in what is known only when every file has been read.
fn summarise(subject: &mut Subject<'_>) {
    let claims = subject.claims();
    let claimed = subject.promise.arch.or(claims.iter().find_map(PlatformTag::arch));
    let arch = claimed.or(subject.elves().iter().find_map(|elf| elf.arch));
    let judged = |elf: &Elf| {
        let mut report = ElfReport::new(&elf.path, elf.facts.as_ref().ok()?, &elf.needs);
        report.isa = elf.level().map(|level| level.to_string());
        Some(report)
    };
    let levels = subject.elves().iter().filter_map(Elf::level);
    let isa = levels.reduce(|all, level| all.with(level.features()));
    let isa = isa.map(|level| level.to_string());
    let reports = subject.elves().iter().filter_map(judged).collect();
    // What the wheel says counts: a file for musl may name glibc's libraries, which musl's loader
    // takes for its own (`ldso/dynlink.c`, `load_library`).
    let claim = claims.iter().find(|tag| tag.musl().is_some() || tag.glibc().is_some());
    let is_musl = claim.map_or_else(|| names_musl(subject.elves()), |tag| tag.musl().is_some());
    let unread = subject.contents().is_none_or(|contents| !contents.damaged.is_empty());
    let mut asks = Asks::of(subject.elves(), arch);
    if claims.iter().any(|tag| tag.arch().is_some()) {
        asks.add_aliens(subject.contents().map_or(&[], |contents| &contents.aliens));
    }
    let is_unknown =
        unread || asks.alien.is_some() || subject.elves().iter().any(|elf| elf.facts.is_err());
    let mut needs = WheelNeeds { requirements: Requirements::default(), is_musl, is_unknown, asks };
    // Files for another machine are an error of their own, and say nothing about this one.
    for elf in subject.elves().iter().filter(|elf| elf.arch == arch) {
        needs.requirements.extend(&elf.needs);
    }
    let pure = !unread && subject.elves().is_empty() && needs.asks.alien.is_none();
    subject.facts.floor = needs.requirements.floor();
    let origin = origin::of_subject(subject, is_musl);
    let facts = &mut subject.facts;
    facts.build_glibc = origin.as_ref().map(Origin::version);
    facts.build_origin = origin;
    facts.elf = reports;
    facts.isa = isa;
    facts.needs = needs;
    facts.overall_tag = match arch {
        _ if pure => PlatformTag::Any.to_string(),
        Some(arch) => facts.floor_tag(arch).unwrap_or(PlatformTag::Linux(arch)).to_string(),
        None => "unknown".to_owned(),
    };
}

/// Does any file name musl's C library or loader?
fn names_musl(elves: &[Elf]) -> bool {
    let facts = elves.iter().filter_map(|elf| elf.facts.as_ref().ok());
    facts.flat_map(|facts| facts.needed.iter().chain(&facts.interpreter)).any(|name| {
        name.starts_with("libc.musl-") || name.contains("ld-musl-") || name == "libc.so"
    })
}

/// The top folder of a path, if it is a `.dist-info`.
pub(super) fn dist_info(path: &str) -> Option<&str> {
    path.split_once('/').map(|(folder, _)| folder).filter(|folder| folder.ends_with(".dist-info"))
}

/// The files of `.dist-info` that some check reads.
const TEXTS: [&str; 6] =
    ["/WHEEL", "/METADATA", "/RECORD", "/entry_points.txt", "/top_level.txt", "/direct_url.json"];

pub(super) fn wants_text(path: &str) -> bool {
    dist_info(path).is_some_and(|folder| TEXTS.contains(&&path[folder.len()..]))
}

/// Is it a bill of materials in JSON (PEP 770)?
pub(super) fn is_sbom(path: &str) -> bool {
    let rest = dist_info(path).and_then(|folder| path.get(folder.len()..));
    rest.is_some_and(|rest| rest.starts_with("/sboms/") && rest.strip_suffix(".json").is_some())
}

impl Contents {
    /// Takes in what reading a member gave.
    pub(super) fn add(&mut self, path: String, member: Member) {
        match member.found {
            Found::Damaged(reason) => {
                self.damaged.insert(path, reason);
                return;
            }
            Found::Text(bytes) if is_sbom(&path) => {
                if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
                    self.broken_sboms.insert(path.clone(), error.to_string());
                }
            }
            Found::Text(bytes) => match path.rsplit('/').next() {
                Some("WHEEL") => self.wheel = Some(WheelFile::parse(&bytes)),
                Some("METADATA") => self.metadata = Some(CoreMetadata::parse(&bytes)),
                Some("RECORD") => self.record = Some(Record::parse(&bytes)),
                _ => drop(self.texts.insert(path.clone(), bytes)),
            },
            Found::TooLong => {
                self.damaged
                    .insert(path.clone(), format!("larger than the limit of {MAX_METADATA} bytes"));
            }
            Found::Elf(elf) => self.elves.push(*elf),
            Found::Unjudged | Found::Other => {}
        }
        if let Some(digest) = member.digest {
            self.digests.insert(path, digest);
        }
    }
}

impl Elf {
    pub(super) fn new(path: String, read: ReadElf) -> Self {
        let ReadElf { mut facts, isa } = read;
        let needs = facts.as_ref().map(requirements).unwrap_or_default();
        if let Ok(facts) = &mut facts {
            // A wheel may have thousands of files with thousands of symbols each: the others are
            // of no use from here on.
            facts.imports.retain(|import| import.need.is_some() || is_python(&import.name));
            facts.imports.shrink_to_fit();
        }
        let machine =
            |elf: &ElfFacts| Arch::from_elf(elf.machine, elf.is_64_bit, elf.little_endian);
        let arch = facts.as_ref().ok().and_then(machine);
        Self { path, facts, isa, needs, arch, callers: Callers::new() }
    }

    /// What its code needs in any case, where that is known.
    pub(super) fn level(&self) -> Option<Level> {
        self.isa.as_ref()?.as_ref().ok().map(|facts| facts.required)
    }

    /// The facts of a file that the loader may load: judged, and no object file.
    pub(super) fn loadable(&self) -> Option<&ElfFacts> {
        self.facts.as_ref().ok().filter(|facts| facts.kind != ElfKind::Object)
    }
}

/// Is it a symbol of the interpreter?
fn is_python(symbol: &str) -> bool {
    symbol.starts_with("Py") || symbol.starts_with("_Py")
}

fn requirements(elf: &ElfFacts) -> Requirements {
    let versions = needs_of(elf).iter().map(|need| need.version.to_owned()).collect();
    let libraries = elf.needed.iter().filter(|library| !Policies::is_loader(library));
    let libraries: BTreeSet<String> = libraries.cloned().collect();
    let mut symbols: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for library in libraries.iter().filter(|library| Policies::builtin().has_bans(library)) {
        let strong = elf.imports.iter().filter(|import| !import.weak);
        let forbidden = strong.filter(|import| Policies::builtin().forbids(library, &import.name));
        let forbidden: BTreeSet<String> = forbidden.map(|import| import.name.clone()).collect();
        if !forbidden.is_empty() {
            symbols.insert(library.clone(), forbidden);
        }
    }
    Requirements { versions, libraries, symbols }
}
