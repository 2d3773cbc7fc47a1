//! Which C library was a wheel built on? Another number than its floor: what is built on a new
//! system may get by with an old one.
//!
//! The build's own report knows. Where there is none, the compilers' lines in `.comment` allow a
//! conclusion. `PT_NOTE`'s ABI note is no help: it names the oldest kernel that glibc was configured
//! for, which has been 3.2 for years, and no glibc.

use std::{collections::BTreeSet, io::Read as _};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::elf_file::Elf;
use crate::files;
use crate::policy::{BuildSystem, Compiler, Libc, LibcVersion, SymbolVersion};

/// How sure it is what a wheel was built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Compilers that several systems have were at work, or those of several systems: this one is
    /// the oldest that fits all of them.
    Guess,
    /// All that tells anything was compiled by one distribution's own compiler.
    Likely,
    /// The build says so itself.
    Known,
}

/// What the answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// How sure it is.
    pub certainty: Certainty,
    /// What says so: `build-info`, or a system and its compiler's line.
    pub evidence: String,
    #[serde(skip)]
    pub(super) libc: Libc,
}

impl Origin {
    /// The C library's version as reports have it: `2.36`, `musl 1.2`.
    pub(super) fn version(&self) -> String {
        match self.libc {
            Libc::Glibc(version) => version.to_string(),
            Libc::Musl(version) => format!("musl {version}"),
        }
    }

    /// What the build itself says.
    pub(super) fn known(libc: Libc) -> Self {
        Self { certainty: Certainty::Known, evidence: "build-info".to_owned(), libc }
    }
}

/// What a wheel with these files and this floor of glibc was built on, as far as anything says; what the
/// build itself says counts.
pub(super) fn of_wheel(
    built_on: Option<Libc>,
    elves: &[Elf],
    floor: Option<&SymbolVersion>,
    is_musl: bool,
) -> Option<Origin> {
    built_on.map(Origin::known).or_else(|| of_compilers(elves, floor, is_musl))
}

/// The newest of what the files' compilers name: all files came together there.
fn of_compilers(elves: &[Elf], floor: Option<&SymbolVersion>, is_musl: bool) -> Option<Origin> {
    // Libraries that were brought from elsewhere may have been built anywhere.
    let own = elves.iter().filter(|elf| !is_grafted(&elf.path));
    let facts = own.filter_map(|elf| elf.facts.as_ref().ok());
    let lines: BTreeSet<&str> =
        facts.flat_map(|facts| &facts.compilers).map(String::as_str).collect();
    of_lines(&lines, floor, is_musl)
}

/// Does a path lie in the folder that auditwheel puts libraries into?
fn is_grafted(path: &str) -> bool {
    Utf8Path::new(path).ancestors().skip(1).any(|folder| folder.extension() == Some("libs"))
}

fn of_lines(
    lines: &BTreeSet<&str>,
    floor: Option<&SymbolVersion>,
    is_musl: bool,
) -> Option<Origin> {
    let origins = lines.iter().filter_map(|line| {
        let compiler = Compiler::of_comment(line)?;
        let fits = |system: &&BuildSystem| fits(system, floor, is_musl);
        let system = compiler.systems.iter().find(fits)?;
        let certainty = if compiler.is_own { Certainty::Likely } else { Certainty::Guess };
        let evidence = format!("{}: {line}", system.name);
        Some(Origin { certainty, evidence, libc: system.libc })
    });
    let origins: Vec<Origin> = origins.collect();
    let newest = origins.iter().max_by_key(|origin| (origin.libc, origin.certainty))?.clone();
    // Where several distributions had a part in it, nothing is sure.
    let mut own = origins.iter().filter(|origin| origin.certainty == Certainty::Likely);
    let agree = own.all(|origin| origin.libc == newest.libc);
    let certainty = if agree { newest.certainty } else { Certainty::Guess };
    Some(Origin { certainty, ..newest })
}

/// Can what needs this floor have been linked on the system?
fn fits(system: &BuildSystem, floor: Option<&SymbolVersion>, is_musl: bool) -> bool {
    match system.libc {
        Libc::Musl(_) => is_musl,
        Libc::Glibc(version) => {
            !is_musl && floor.is_none_or(|floor| SymbolVersion::from(version) >= *floor)
        }
    }
}

/// The C library that the `build-info.json` beside a wheel names.
pub(super) fn beside(wheel: &Utf8Path) -> Option<Libc> {
    /// A few pages; real ones have one.
    const MAX_INFO: u64 = 1 << 20;
    let mut text = Vec::new();
    let file = files::open(&wheel.with_file_name("build-info.json")).ok()?;
    file.take(MAX_INFO).read_to_end(&mut text).ok()?;
    let info: BuildInfo = serde_json::from_slice(&text).ok()?;
    let mut parts = info.libc.version.split('.').map(|part| part.parse::<u32>().ok());
    let version = LibcVersion::new(parts.next()??, parts.next()??);
    match info.libc.family.as_str() {
        "glibc" => Some(Libc::Glibc(version)),
        "musl" => Some(Libc::Musl(version)),
        _ => None,
    }
}

#[derive(Deserialize)]
struct BuildInfo {
    libc: Family,
}

#[derive(Deserialize)]
struct Family {
    family: String,
    version: String,
}
