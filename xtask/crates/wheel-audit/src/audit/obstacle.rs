//! Reasons why a file of the wheel does not load on some systems.
//!
//! Matrix and findings use the same list of obstacles, so they cannot contradict each other.

use super::finding::Rule;
use crate::elf::{PageNeeds, Refusal};
use crate::isa::Level;
use crate::policy::{
    Arch, Distribution, Libc, LibcVersion, PlatformTag, Policies, SymbolVersion, VersionVerdict,
};

/// A reason why the loader rejects a file on some systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// The rule of its finding.
    pub(super) rule: &'static Rule,
    /// The file in the wheel.
    pub(super) path: String,
    /// The fault of the file, as a predicate: `requires an executable stack`.
    pub(super) cause: String,
    /// The loader's message without the file's path. Empty if it prints nothing.
    pub(super) loader_message: String,
    /// The affected systems.
    pub(super) on: Condition,
    /// The effect on these systems.
    pub(super) effect: Effect,
    /// The help, if the rule's own does not fit.
    pub(super) help: Option<String>,
}

/// The effect of an obstacle, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// The file loads on newer processors only.
    OnSome,
    /// The file may fail to load, depending on facts outside of the wheel.
    MayFail,
    /// The file does not load.
    Fails,
}

/// The systems that an obstacle affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// All of them.
    Everywhere,
    /// Systems with glibc, within the bounds.
    Glibc {
        /// The first affected version.
        from: Option<LibcVersion>,
        /// The first version that is no longer affected.
        before: Option<LibcVersion>,
    },
    /// musl.
    Musl,
    /// Systems with glibc without this symbol version: `GLIBC_2.38`, `GLIBCXX_3.4.29`.
    LacksVersion(String),
    /// Systems with musl older than this.
    OlderMusl(SymbolVersion),
    /// Systems with glibc and an older release of a library.
    OlderLibrary {
        /// Its soname.
        library: String,
        /// The first sufficient release.
        version: SymbolVersion,
    },
    /// Loaders that reject the file for this reason.
    Refuses(Refusal),
    /// Kernels with larger pages than the file's segments are aligned for.
    Pages(PageNeeds),
    /// Systems that do not promise this library.
    LacksLibrary(String),
    /// Machines whose processor is below this level, on glibc of at least this version.
    Processor {
        /// The level.
        level: Level,
        /// The first version of glibc that checks the level. `None` if the code itself needs it.
        from: Option<LibcVersion>,
    },
}

impl Obstacle {
    /// An obstacle with the help of its rule.
    pub(super) fn new(rule: &'static Rule, path: &str, cause: impl Into<String>) -> Self {
        Self {
            rule,
            path: path.to_owned(),
            cause: cause.into(),
            loader_message: String::new(),
            on: Condition::Everywhere,
            effect: Effect::Fails,
            help: None,
        }
    }

    /// Sets the loader's message.
    pub(super) fn with_loader_message(self, loader_message: impl Into<String>) -> Self {
        Self { loader_message: loader_message.into(), ..self }
    }

    /// Limits the obstacle to these systems.
    pub(super) fn on(self, on: Condition) -> Self {
        Self { on, ..self }
    }

    /// Replaces the effect.
    pub(super) fn with_effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// Sets help for the exact cause.
    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The effect on a system. `None` if the system is not affected.
    pub(super) fn effect_on(&self, system: &Distribution, arch: Option<Arch>) -> Option<Effect> {
        Some(self.on.effect_on(system, arch)?.min(self.effect))
    }

    /// File, cause, the system's own version and the loader's message, for the matrix.
    pub(super) fn reason(&self, system: &Distribution) -> String {
        let (path, cause) = (self.path.escape_debug(), &self.cause);
        let own = self.on.own(system).map_or_else(String::new, |own| format!("; {own}"));
        let loader_message = if self.loader_message.is_empty() { "" } else { ": " };
        format!("`{path}` {cause}{own}{loader_message}{}", self.loader_message)
    }
}

impl Condition {
    /// The worst possible effect on a system. `None` if the system is not affected.
    fn effect_on(&self, system: &Distribution, arch: Option<Arch>) -> Option<Effect> {
        let glibc = match system.libc {
            Libc::Glibc(own) => Some(own),
            Libc::Musl(_) => None,
        };
        match self {
            Self::Everywhere => Some(Effect::Fails),
            Self::Musl => glibc.is_none().then_some(Effect::Fails),
            Self::Glibc { from, before } => {
                let own = glibc?;
                let is_in =
                    from.is_none_or(|from| own >= from) && before.is_none_or(|before| own < before);
                is_in.then_some(Effect::Fails)
            }
            Self::LacksVersion(version) => lacks_version(version, system, glibc?, arch?),
            Self::OlderMusl(version) => {
                // The entry covers several releases, and newer ones have a newer musl.
                let oldest = system.musl_since.keys().next().filter(|_| glibc.is_none())?;
                (version > oldest).then_some(Effect::MayFail)
            }
            Self::OlderLibrary { library, version } => {
                glibc?;
                match system.libraries.get(library) {
                    Some(own) => (version > own).then_some(Effect::Fails),
                    None => Some(Effect::MayFail),
                }
            }
            Self::Refuses(refusal) => refuses(*refusal, glibc),
            Self::Pages(needs) => {
                let page = system.page_size(arch?);
                let glibc = glibc.filter(|own| *own < IGNORES_ALIGNMENT);
                let is_refused = needs.congruent < page || glibc.is_some() && needs.aligned < page;
                is_refused.then_some(Effect::Fails)
            }
            Self::LacksLibrary(library) => {
                let limits = Policies::builtin().limits(system.libc.platform_tag(arch?));
                limits.filter(|limits| !limits.library(library)).map(|_| Effect::MayFail)
            }
            Self::Processor { level, from } => {
                let counts = from.is_none_or(|from| glibc.is_some_and(|own| own >= from));
                (counts && !processor(system, level).allows(level)).then_some(Effect::OnSome)
            }
        }
    }

    /// The system's own version of the library or processor that the file needs.
    fn own(&self, system: &Distribution) -> Option<String> {
        match self {
            Self::LacksVersion(version) => Some(match own_version(version, system) {
                Some((prefix, own)) => format!("it has {prefix}_{own}"),
                None => "its version is unknown".to_owned(),
            }),
            Self::OlderMusl(version) => {
                let first = system.musl_since.range(version..).next();
                Some(match first {
                    Some((_, release)) => format!("{} has it from {release} on", system.name),
                    None => format!("no known release of {} has it", system.name),
                })
            }
            Self::OlderLibrary { library, .. } => Some(match system.libraries.get(library) {
                Some(own) => format!("it has {own}"),
                None => "its version is unknown".to_owned(),
            }),
            Self::Processor { level, .. } => {
                Some(format!("the system runs on processors with {}", processor(system, level)))
            }
            _ => None,
        }
    }
}

/// The first glibc that ignores `p_align` (`elf/dl-load.c`).
const IGNORES_ALIGNMENT: LibcVersion = LibcVersion::new(2, 35);
/// The first glibc that rejects programs. Some distributions have backported this.
const REFUSES_PROGRAMS: LibcVersion = LibcVersion::new(2, 30);

/// The effect on a file that the newest glibc rejects. `glibc` is `None` for musl.
fn refuses(refusal: Refusal, glibc: Option<LibcVersion>) -> Option<Effect> {
    match (refusal, glibc) {
        (Refusal::Program, Some(own)) if own < REFUSES_PROGRAMS => Some(Effect::MayFail),
        // musl loads the file if its addresses are free.
        (Refusal::Executable, None) => Some(Effect::MayFail),
        (_, None) if !refusal.is_musls() => None,
        _ => Some(Effect::Fails),
    }
}

/// The system's newest version with the prefix of `name`, if known.
fn own_version<'a>(name: &'a str, system: &Distribution) -> Option<(&'a str, SymbolVersion)> {
    let (prefix, _) = SymbolVersion::of_name(name)?;
    let own = match (prefix, system.libc) {
        ("GLIBC", Libc::Glibc(own)) => Some(own.into()),
        ("GLIBCXX", _) => system.glibcxx.clone(),
        ("CXXABI", _) => system.cxxabi.clone(),
        _ => None,
    };
    Some((prefix, own?))
}

/// The effect if the system's library may lack a symbol version.
fn lacks_version(
    name: &str,
    system: &Distribution,
    glibc: LibcVersion,
    arch: Arch,
) -> Option<Effect> {
    let needed = SymbolVersion::of_name(name).map(|(_, needed)| needed);
    if let (Some(needed), Some((_, own))) = (needed, own_version(name, system)) {
        return (needed > own).then_some(Effect::Fails);
    }
    // For other prefixes, only the policies define the versions of all systems with this glibc.
    let tag = PlatformTag::Manylinux(glibc, arch);
    match Policies::builtin().limits(tag).map(|limits| limits.version(name)) {
        Some(VersionVerdict::Allowed | VersionVerdict::Unrated) => None,
        _ => Some(Effect::MayFail),
    }
}

/// The level of every processor that the system supports.
fn processor(system: &Distribution, level: &Level) -> Level {
    let own = system.isa.as_ref().and_then(|own| own.parse::<Level>().ok());
    let own = own.filter(|own| own.machine() == level.machine());
    own.unwrap_or_else(|| Level::baseline(level.machine()))
}
