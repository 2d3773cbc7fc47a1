//! The facts of a wheel, before checks run.

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

/// Maximum number of culprits per file and prefix. In a file with a low floor, every symbol is one.
const MAX_CULPRITS: usize = 20;

/// The facts of a wheel, as in `audit.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WheelFacts {
    /// File name.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal digits. `None` with [`super::Depth::Floor`].
    pub sha256: Option<String>,
    /// Size of the file in bytes.
    pub size: u64,
    /// The platform tags in the file name, in order.
    pub tag_claim: Vec<String>,
    /// The highest symbol version that any file needs, per prefix.
    pub floor: Floor,
    /// The C library of the build system: `2.36` for glibc, or `musl 1.2`. `None` if unknown.
    pub build_glibc: Option<String>,
    /// The evidence for `build_glibc`.
    pub build_origin: Option<Origin>,
    /// The instruction set level that the wheel needs: `x86-64-v2`. `None` if the machine code was not read.
    pub isa: Option<String>,
    /// The tag that the wheel fulfils and that most systems accept. `linux_ARCH` if it fulfils none or a file is
    /// unreadable, `any` without machine code.
    pub overall_tag: String,
    /// The readable ELF files, in the order of the archive.
    pub elf: Vec<ElfReport>,
    /// The `Requires-Dist` lines of METADATA.
    #[serde(skip)]
    pub requires_dist: Vec<String>,
    #[serde(skip)]
    pub(super) extensions: Vec<Extension>,
    #[serde(skip)]
    pub(super) needs: WheelNeeds,
}

/// The needs of all files of a wheel together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WheelNeeds {
    pub(super) requirements: Requirements,
    pub(super) is_musl: bool,
    /// A file is unreadable, so no platform tag is certain.
    pub(super) is_unknown: bool,
    /// The archive is unreadable, so no installer accepts the wheel.
    pub(super) is_unreadable: bool,
    /// A file has a marker for newer x86-64 processors, so glibc rejects it on older ones. auditwheel assigns no
    /// manylinux or musllinux tag to such wheels (`_get_machine_policy`).
    pub(super) is_marked: bool,
    /// The architecture. `None` without machine code, or if it is unknown.
    pub(super) arch: Option<Arch>,
    /// The reasons why its files do not load on some systems.
    pub(super) obstacles: Vec<Obstacle>,
}

/// The facts of an ELF file in a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElfReport {
    /// Its path in the archive.
    pub path: String,
    /// The architecture as in platform tags, or the number of an unknown one: `machine 40`.
    pub machine: String,
    /// The highest symbol version needed, per prefix.
    pub floor: Floor,
    /// The needed libraries, in order.
    pub needed: Vec<String>,
    /// The needs that set the floor.
    pub culprits: Vec<Culprit>,
    /// The instruction set level that the file needs: `x86-64-v2`. `None` if the machine code was not read.
    pub isa: Option<String>,
}

/// A need that sets a file's floor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Culprit {
    /// The needed version: `GLIBC_2.38`.
    pub version: String,
    /// The library of the version: `libc.so.6`.
    pub library: String,
    /// The symbol with the version. `None` if the file needs only the version, such as `GLIBC_ABI_DT_RELR`.
    pub symbol: Option<String>,
    /// The functions that call the symbol: names, or addresses such as `0x1139` in a stripped file. Empty if the
    /// wheel's tag promises the version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
}

/// Returns whether a module is below a package named `tests`, `test` or `testing`.
fn is_in_tests(module: &str) -> bool {
    let packages = module.rsplit_once('.').map_or("", |(packages, _)| packages);
    packages.split('.').any(|package| matches!(package, "tests" | "test" | "testing"))
}

impl WheelFacts {
    /// Returns whether a part of the wheel is unreadable, so that the floor may be too low.
    pub(crate) fn is_unknown(&self) -> bool {
        self.needs.is_unknown
    }

    /// The dotted names of the extension modules that `interpreter` can import, in the order of the archive.
    ///
    /// Omits modules in a package's own tests, which may require packages that are not installed.
    pub fn extensions(&self, interpreter: Interpreter) -> Vec<&str> {
        let takes = |extension: &&Extension| match extension.abi {
            Some(abi) => abi.is_loaded_by(interpreter),
            None => true,
        };
        let modules =
            self.extensions.iter().filter(takes).map(|extension| extension.module.as_str());
        modules.filter(|module| !is_in_tests(module)).collect()
    }

    /// The architecture of the machine code, or else of the platform tags. `None` for a wheel for all architectures.
    pub fn arch(&self) -> Option<Arch> {
        let tags = self.tag_claim.iter().filter_map(|tag| tag.parse::<PlatformTag>().ok());
        self.needs.arch.or_else(|| tags.into_iter().find_map(|tag| tag.arch()))
    }

    /// Facts with only the file name.
    pub(super) fn of(file: String) -> Self {
        Self { file, ..Self::default() }
    }

    /// The lowest tag that the wheel fulfils on an architecture. `None` if it fulfils only `linux_ARCH`, or if a
    /// file is unreadable.
    ///
    /// Files do not record the version of musl. For musl, this is the newest musllinux tag.
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

/// The culprits for a need: one per symbol.
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
