//! What is in a wheel, before anything is said about it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    extension::Extension,
    needs::{SymbolNeed, needs_of},
    obstacle::Obstacle,
    origin::Origin,
};
use crate::elf::ElfFacts;
use crate::policy::{Arch, Floor, PlatformTag, Policies, Requirements, SymbolVersion};
use crate::wheel::Interpreter;

/// At most so many culprits are named per file and prefix. The floor of an undemanding file is set
/// by every symbol it uses.
const MAX_CULPRITS: usize = 20;

/// The facts of a wheel, in the form in which they are written to `audit.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WheelFacts {
    /// File name.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal digits; `None` where only the floor was asked for.
    pub sha256: Option<String>,
    /// Size of the file in bytes.
    pub size: u64,
    /// The platform tags in the file name, in order.
    pub tag_claim: Vec<String>,
    /// The highest symbol version that any file needs, per prefix.
    pub floor: Floor,
    /// The glibc that the wheel was built on: `2.36`, or `musl 1.2`; `None` if nothing says.
    pub build_glibc: Option<String>,
    /// What says so, and how sure it is.
    pub build_origin: Option<Origin>,
    /// The instruction set level that the wheel needs: `x86-64-v2`; `None` where the machine code
    /// was not read.
    pub isa: Option<String>,
    /// The tag that the content allows, the one most systems accept; `linux_ARCH` if there is none
    /// or if a file cannot be judged, `any` without machine code.
    pub overall_tag: String,
    /// The ELF files that could be judged, in the order of the archive.
    pub elf: Vec<ElfReport>,
    /// The `Requires-Dist` lines of METADATA.
    #[serde(skip)]
    pub requires_dist: Vec<String>,
    #[serde(skip)]
    pub(super) extensions: Vec<Extension>,
    #[serde(skip)]
    pub(super) needs: WheelNeeds,
}

/// What all files of a wheel together ask of the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WheelNeeds {
    pub(super) requirements: Requirements,
    pub(super) is_musl: bool,
    /// There is a file that cannot be judged, so no promise is safe.
    pub(super) is_unknown: bool,
    /// The file is no readable archive, so no installer takes it.
    pub(super) is_unreadable: bool,
    /// A file carries a marker for more than the first x86-64 processors, on which glibc then refuses
    /// it. auditwheel gives such a wheel no manylinux or musllinux tag (`_get_machine_policy`).
    pub(super) is_marked: bool,
    /// The machine that it is for; `None` without machine code, or if it is none of ours.
    pub(super) arch: Option<Arch>,
    /// Everything that keeps a loader from loading its files.
    pub(super) obstacles: Vec<Obstacle>,
}

/// The facts of an ELF file in a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElfReport {
    /// Its path in the archive.
    pub path: String,
    /// The architecture, by its wheel name; `machine 40` and the like if it has none.
    pub machine: String,
    /// The highest symbol version needed, per prefix.
    pub floor: Floor,
    /// The libraries it needs, in order.
    pub needed: Vec<String>,
    /// What sets the floor.
    pub culprits: Vec<Culprit>,
    /// The instruction set level that the file needs: `x86-64-v2`; `None` where the machine code
    /// was not read.
    pub isa: Option<String>,
}

/// A need that sets a file's floor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Culprit {
    /// The version needed: `GLIBC_2.38`.
    pub version: String,
    /// The library it is needed of: `libc.so.6`.
    pub library: String,
    /// The symbol that needs it; none where the file needs the version itself, as with
    /// `GLIBC_ABI_DT_RELR`.
    pub symbol: Option<String>,
    /// The functions that call it: names, or addresses such as `0x1139` in a stripped file. Looked
    /// for where it is more than is promised, or nothing is promised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
}

/// Whether a module is below a package named `tests`, `test` or `testing`.
fn is_in_tests(module: &str) -> bool {
    let packages = module.rsplit_once('.').map_or("", |(packages, _)| packages);
    packages.split('.').any(|package| matches!(package, "tests" | "test" | "testing"))
}

impl WheelFacts {
    /// Whether a part of the wheel was not read, so that the floor may be higher than what is known.
    pub(crate) fn is_unknown(&self) -> bool {
        self.needs.is_unknown
    }

    /// The dotted names of the extension modules that `interpreter` imports, in the order of the archive.
    ///
    /// Those in a package's own tests are left out, since they can require packages that only its tests install.
    pub fn extensions(&self, interpreter: Interpreter) -> Vec<&str> {
        let takes = |extension: &&Extension| match extension.abi {
            Some(abi) => abi.is_loaded_by(interpreter),
            None => true,
        };
        let modules =
            self.extensions.iter().filter(takes).map(|extension| extension.module.as_str());
        modules.filter(|module| !is_in_tests(module)).collect()
    }

    /// The architecture of the machine code, else that of the platform tags; `None` for a wheel that runs on all.
    pub fn arch(&self) -> Option<Arch> {
        let tags = self.tag_claim.iter().filter_map(|tag| tag.parse::<PlatformTag>().ok());
        self.needs.arch.or_else(|| tags.into_iter().find_map(|tag| tag.arch()))
    }

    /// A file of which nothing but its name is known yet.
    pub(super) fn of(file: String) -> Self {
        Self { file, ..Self::default() }
    }

    /// The lowest tag that the wheel's content allows on an architecture; `None` if only
    /// `linux_ARCH` is true of it, or nothing is known.
    ///
    /// For musl, whose version leaves no trace in a file, that is the newest musllinux tag: it is
    /// true if the build's musl was no newer.
    pub fn floor_tag(&self, arch: Arch) -> Option<PlatformTag> {
        let (policies, needs) = (Policies::builtin(), &self.needs);
        if needs.is_unknown || needs.is_marked {
            None
        } else if needs.is_musl {
            policies.musllinux(arch, &needs.requirements)
        } else {
            policies.lowest_manylinux(arch, &needs.requirements)
        }
    }
}

impl ElfReport {
    pub(super) fn new(path: &str, elf: &ElfFacts, needs: &Requirements) -> Self {
        let arch = Arch::from_elf(elf.machine, elf.is_64_bit, elf.little_endian);
        let floor = needs.floor();
        Self {
            path: path.to_owned(),
            machine: arch
                .map_or_else(|| format!("machine {}", elf.machine), |arch| arch.to_string()),
            needed: elf.needed.clone(),
            culprits: culprits(elf, &floor),
            floor,
            isa: None,
        }
    }
}

/// The needs that reach the floor of their prefix.
fn culprits(elf: &ElfFacts, floor: &Floor) -> Vec<Culprit> {
    let mut culprits = Vec::new();
    let mut left: BTreeMap<&str, usize> =
        floor.keys().map(|prefix| (prefix.as_str(), MAX_CULPRITS)).collect();
    for need in needs_of(elf) {
        let Some((prefix, version)) = SymbolVersion::of_name(need.version) else {
            continue;
        };
        if let Some(left) = left.get_mut(prefix).filter(|_| floor.get(prefix) == Some(&version)) {
            let before = culprits.len();
            culprits.extend(of_need(&need).take(*left));
            *left -= culprits.len() - before;
        }
    }
    culprits.sort();
    culprits
}

/// A need, as what sets a floor.
fn of_need(need: &SymbolNeed<'_>) -> impl Iterator<Item = Culprit> {
    let culprit = |symbol: Option<&str>| Culprit {
        version: need.version.to_owned(),
        library: need.library.to_owned(),
        symbol: symbol.map(str::to_owned),
        callers: Vec::new(),
    };
    let itself = need.symbols.is_empty().then(|| culprit(None));
    need.symbols.iter().map(move |symbol| culprit(Some(symbol))).chain(itself)
}
