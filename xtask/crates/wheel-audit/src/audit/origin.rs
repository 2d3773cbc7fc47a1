//! Determines the C library of the build system, which may be newer than the wheel's floor.
//!
//! The build's own report contains it. Otherwise, the compilers' lines in `.comment` allow a conclusion. The ABI
//! note in `PT_NOTE` does not help: it contains the oldest supported kernel (3.2 for years), not glibc.

use std::{collections::BTreeSet, io::Read as _};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::elf_file::Elf;
use crate::files;
use crate::policy::{BuildSystem, Compiler, Libc, LibcVersion, SymbolVersion};

/// The certainty about the build system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The compilers exist on several systems, or come from several. The oldest matching system is assumed.
    Guess,
    /// All known compilers are those of one distribution.
    Likely,
    /// The build recorded it.
    Known,
}

/// The evidence for the build system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The certainty.
    pub certainty: Certainty,
    /// The source: `build-info`, or a system and its compiler's line.
    pub evidence: String,
    #[serde(skip)]
    pub(super) libc: Libc,
}

impl Origin {
    /// The C library's version for reports: `2.36`, `musl 1.2`.
    pub(super) fn version(&self) -> String {
        match self.libc {
            Libc::Glibc(version) => version.to_string(),
            Libc::Musl(version) => format!("musl {version}"),
        }
    }

    /// The C library that the build recorded.
    pub(super) fn known(libc: Libc) -> Self {
        Self { certainty: Certainty::Known, evidence: "build-info".to_owned(), libc }
    }
}

/// The build system of a wheel with these files and this floor. The build's own record takes precedence.
pub(super) fn of_wheel(
    built_on: Option<Libc>,
    elves: &[Elf],
    floor: Option<&SymbolVersion>,
    is_musl: bool,
) -> Option<Origin> {
    built_on.map(Origin::known).or_else(|| of_compilers(elves, floor, is_musl))
}

/// The newest system among the files' compilers.
fn of_compilers(elves: &[Elf], floor: Option<&SymbolVersion>, is_musl: bool) -> Option<Origin> {
    // Bundled libraries may come from another build.
    let own = elves.iter().filter(|elf| !is_grafted(&elf.path));
    let facts = own.filter_map(|elf| elf.facts.as_ref().ok());
    let lines: BTreeSet<&str> =
        facts.flat_map(|facts| &facts.compilers).map(String::as_str).collect();
    of_lines(&lines, floor, is_musl)
}

/// Returns whether a path is in a folder for bundled libraries (`NAME.libs`, by auditwheel).
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
    // With compilers of several distributions, the result is uncertain.
    let mut own = origins.iter().filter(|origin| origin.certainty == Certainty::Likely);
    let agree = own.all(|origin| origin.libc == newest.libc);
    let certainty = if agree { newest.certainty } else { Certainty::Guess };
    Some(Origin { certainty, ..newest })
}

/// Returns whether a file with this floor can have been linked on the system.
fn fits(system: &BuildSystem, floor: Option<&SymbolVersion>, is_musl: bool) -> bool {
    match system.libc {
        Libc::Musl(_) => is_musl,
        Libc::Glibc(version) => {
            !is_musl && floor.is_none_or(|floor| SymbolVersion::from(version) >= *floor)
        }
    }
}

/// The C library in the `build-info.json` next to a wheel.
pub(super) fn beside(wheel: &Utf8Path) -> Option<Libc> {
    /// Maximum size, in bytes. Real files have a few KiB.
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
