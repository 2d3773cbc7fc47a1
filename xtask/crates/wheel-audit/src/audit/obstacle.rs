//! Why a file of the wheel does not load on some systems.
//!
//! One list of obstacles is made of each wheel. The matrix shows those that hold on a system, and the
//! findings report them, so that neither can contradict the other.

use super::finding::Rule;
use crate::elf::{PageNeeds, Refusal};
use crate::isa::Level;
use crate::policy::{
    Arch, Distribution, Libc, LibcVersion, PlatformTag, Policies, SymbolVersion, VersionVerdict,
};

/// A reason for which the loader refuses a file on some systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// The rule that its finding breaks.
    pub(super) rule: &'static Rule,
    /// The file in the wheel.
    pub(super) path: String,
    /// What is wrong with the file, as a predicate: `asks for an executable stack`.
    pub(super) cause: String,
    /// What the loader prints, without the file's path. Empty where it prints nothing.
    pub(super) words: String,
    /// The systems on which it holds.
    pub(super) on: Condition,
    /// What it does there.
    pub(super) effect: Effect,
    /// What to do about it, where the rule's own hint does not fit.
    pub(super) help: Option<String>,
}

/// How an obstacle ends, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// The file loads on newer processors only.
    OnSome,
    /// It may fail: what decides is not in the wheel.
    MayFail,
    /// It fails.
    Fails,
}

/// The systems on which an obstacle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// All of them.
    Everywhere,
    /// glibc of at least the first version and older than the second, where given.
    Glibc {
        /// The first version.
        from: Option<LibcVersion>,
        /// The first version on which it no longer holds.
        before: Option<LibcVersion>,
    },
    /// musl.
    Musl,
    /// Systems with glibc whose library lacks this symbol version: `GLIBC_2.38`, `GLIBCXX_3.4.29`.
    LacksVersion(String),
    /// Systems with a musl older than this.
    OlderMusl(SymbolVersion),
    /// Systems with glibc whose release of a library is older than this.
    OlderLibrary {
        /// Its soname.
        library: String,
        /// The first release that suffices.
        version: SymbolVersion,
    },
    /// Loaders that refuse the file for this reason.
    Refuses(Refusal),
    /// Kernels whose pages are larger than those that the file's segments are aligned for.
    Pages(PageNeeds),
    /// Systems that do not promise this library.
    LacksLibrary(String),
    /// Machines whose processor is below this level, on glibc of at least this version.
    Processor {
        /// The level.
        level: Level,
        /// The first version of glibc that looks at it; `None` where the code itself needs it.
        from: Option<LibcVersion>,
    },
}

impl Obstacle {
    /// An obstacle without a hint of its own.
    pub(super) fn new(rule: &'static Rule, path: &str, cause: impl Into<String>) -> Self {
        Self {
            rule,
            path: path.to_owned(),
            cause: cause.into(),
            words: String::new(),
            on: Condition::Everywhere,
            effect: Effect::Fails,
            help: None,
        }
    }

    /// The same with what the loader prints.
    pub(super) fn with_words(self, words: impl Into<String>) -> Self {
        Self { words: words.into(), ..self }
    }

    /// The same on these systems only.
    pub(super) fn on(self, on: Condition) -> Self {
        Self { on, ..self }
    }

    /// The same with another effect.
    pub(super) fn with_effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// The same with a hint for its exact cause.
    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What it does on a system; `None` where it does not hold.
    pub(super) fn effect_on(&self, system: &Distribution, arch: Option<Arch>) -> Option<Effect> {
        Some(self.on.effect_on(system, arch)?.min(self.effect))
    }

    /// File, cause, what the system has instead, and the loader's words, for the matrix.
    pub(super) fn reason(&self, system: &Distribution) -> String {
        let (path, cause) = (self.path.escape_debug(), &self.cause);
        let own = self.on.own(system).map_or_else(String::new, |own| format!("; {own}"));
        let words = if self.words.is_empty() { "" } else { ": " };
        format!("`{path}` {cause}{own}{words}{}", self.words)
    }
}

impl Condition {
    /// The worst that an obstacle does on a system; `None` where it does not hold.
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
                // The entry stands for several releases, of which newer ones have a newer musl.
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

    /// What the system has of that which the file needs.
    fn own(&self, system: &Distribution) -> Option<String> {
        match self {
            Self::LacksVersion(version) => Some(match own_version(version, system) {
                Some((prefix, own)) => format!("it has {prefix}_{own}"),
                None => "its version is not known".to_owned(),
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
                None => "nothing states what it has".to_owned(),
            }),
            Self::Processor { level, .. } => {
                Some(format!("it runs on those with {}", processor(system, level)))
            }
            _ => None,
        }
    }
}

/// From here on glibc no longer looks at `p_align` (glibc 2.35, `elf/dl-load.c`).
const IGNORES_ALIGNMENT: LibcVersion = LibcVersion::new(2, 35);
/// From here on glibc refuses programs; distributions have taken that over into older ones.
const REFUSES_PROGRAMS: LibcVersion = LibcVersion::new(2, 30);

/// What a loader does with a file that glibc's newest refuses; `glibc` is `None` for musl.
fn refuses(refusal: Refusal, glibc: Option<LibcVersion>) -> Option<Effect> {
    match (refusal, glibc) {
        (Refusal::Program, Some(own)) if own < REFUSES_PROGRAMS => Some(Effect::MayFail),
        // musl loads it where its addresses happen to be free.
        (Refusal::Executable, None) => Some(Effect::MayFail),
        (_, None) if !refusal.is_musls() => None,
        _ => Some(Effect::Fails),
    }
}

/// The newest version that the system has of the prefix of `name`, where that is known.
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

/// Does the system's library lack a symbol version?
fn lacks_version(
    name: &str,
    system: &Distribution,
    glibc: LibcVersion,
    arch: Arch,
) -> Option<Effect> {
    let asked = SymbolVersion::of_name(name).map(|(_, asked)| asked);
    if let (Some(asked), Some((_, own))) = (asked, own_version(name, system)) {
        return (asked > own).then_some(Effect::Fails);
    }
    // Only the policies speak of the other prefixes: what they promise of every system of that age.
    let tag = PlatformTag::Manylinux(glibc, arch);
    match Policies::builtin().limits(tag).map(|limits| limits.version(name)) {
        Some(VersionVerdict::Allowed | VersionVerdict::Unrated) => None,
        _ => Some(Effect::MayFail),
    }
}

/// The level that every processor has on which the system runs.
fn processor(system: &Distribution, level: &Level) -> Level {
    let own = system.isa.as_ref().and_then(|own| own.parse::<Level>().ok());
    let own = own.filter(|own| own.machine() == level.machine());
    own.unwrap_or_else(|| Level::baseline(level.machine()))
}
