//! Where a wheel installs and where it loads: the wheel against each distribution.
//!
//! Two questions, asked apart, since the worst answer is a difference: an installer goes by the
//! platform tags in the file name alone, the loader by what the files need. The version of Python
//! that a distribution has, and of its installer, is not looked at.

use super::{
    Audit,
    obstacle::Effect,
    system_needs::{Need, SystemNeeds},
};
use crate::elf::Refusal;
use crate::isa::Level;
use crate::policy::{
    Distribution, Libc, LibcVersion, PlatformTag, Policies, SymbolVersion, VersionVerdict,
    distributions, installs,
};

/// What becomes of a wheel on a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It installs and does not load.
    Breaks,
    /// It installs, and nobody can say whether it loads.
    Unknown,
    /// It installs and loads, on those of its machines whose processor is new enough.
    LoadsOnSome,
    /// It would load, and is not installed: its tag asks for more than its files.
    Withheld,
    /// It is not installed, and it would not load or nobody can say.
    Refused,
    /// It installs and loads.
    Loads,
    /// The distribution is not published for the machine that the wheel is for.
    Absent,
}

impl State {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaks => "installs, does not load",
            Self::Unknown => "installs, may not load",
            Self::LoadsOnSome => "loads on newer processors",
            Self::Withheld => "not installed, would load",
            Self::Refused => "not installed",
            Self::Loads => "loads",
            Self::Absent => "no such system",
        }
    }
}

/// One field of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What becomes of the wheel.
    pub state: State,
    /// Why; empty where it simply loads.
    pub reason: String,
}

/// What the loader makes of a wheel.
enum Loading {
    Works,
    OnSome(String),
    Unsure(String),
    Fails(String),
}

impl Audit {
    /// What becomes of the wheel on each of [`distributions`], in their order.
    pub fn systems(&self) -> Vec<Cell> {
        distributions().iter().map(|system| self.on(system)).collect()
    }

    /// What becomes of the wheel on a distribution.
    pub fn on(&self, system: &Distribution) -> Cell {
        let system_needs = &self.facts.needs.system_needs;
        if system_needs.arch.is_some_and(|arch| !system.machines.contains(&arch)) {
            let arch = system_needs.arch.map_or_else(String::new, |arch| arch.to_string());
            return cell(State::Absent, format!("{system} is not published for {arch}"));
        }
        let claims = || self.facts.tag_claim.iter().map(|tag| tag.parse::<PlatformTag>());
        let is_for_others = claims().all(|tag| tag.is_err());
        let loading =
            if let Some((path, what)) = system_needs.non_elf.as_ref().filter(|_| !is_for_others) {
                Loading::Fails(format!("`{}` is {what}", path.escape_debug()))
            } else if self.facts.needs.is_unknown {
                Loading::Unsure("a file in it cannot be judged".to_owned())
            } else if is_for_others {
                Loading::Unsure("it is for another system".to_owned())
            } else {
                loading(system_needs, system).or_worse(self.obstacle_on(system))
            };
        match (self.is_refused(system), loading) {
            (None, Loading::Works) => cell(State::Loads, String::new()),
            (None, Loading::OnSome(reason)) => cell(State::LoadsOnSome, reason),
            (None, Loading::Unsure(reason)) => cell(State::Unknown, reason),
            (None, Loading::Fails(reason)) => cell(State::Breaks, reason),
            (Some(refusal), Loading::Works | Loading::OnSome(_)) => {
                cell(State::Withheld, format!("{refusal}; nothing in it needs that"))
            }
            (Some(refusal), Loading::Unsure(reason) | Loading::Fails(reason)) => {
                cell(State::Refused, format!("{refusal}; {reason}"))
            }
        }
    }

    /// What the worst of the obstacles makes of it.
    fn obstacle_on(&self, system: &Distribution) -> Loading {
        let Some(arch) = self.facts.needs.system_needs.arch else { return Loading::Works };
        let all = self.facts.needs.obstacles.iter();
        let holding = all.filter_map(|each| Some((each.effect_on(system, arch)?, each)));
        // The first of the worst.
        let worst = holding.reduce(|worst, each| if each.0 > worst.0 { each } else { worst });
        worst.map_or(Loading::Works, |(effect, obstacle)| match effect {
            Effect::Fails => Loading::Fails(obstacle.reason()),
            Effect::MayFail => Loading::Unsure(obstacle.reason()),
            Effect::OnSome => Loading::OnSome(obstacle.reason()),
        })
    }

    /// Why an installer does not take it, if so.
    fn is_refused(&self, system: &Distribution) -> Option<String> {
        if self.facts.needs.is_unreadable {
            return Some("its archive cannot be read".to_owned());
        }
        let claim = &self.facts.tag_claim;
        if claim.is_empty() {
            return Some("its file name is none of a wheel".to_owned());
        }
        let tags: Vec<PlatformTag> = claim.iter().filter_map(|text| text.parse().ok()).collect();
        let arch = self.facts.needs.system_needs.arch;
        let arch = arch.or_else(|| tags.iter().find_map(PlatformTag::arch));
        let takes = |tag: &PlatformTag| match arch {
            Some(arch) => installs(*tag, system.libc, arch),
            None => *tag == PlatformTag::Any,
        };
        if tags.iter().any(takes) {
            return None;
        }
        let named = claim.iter().map(|tag| format!("`{}`", tag.escape_debug()));
        let named = named.collect::<Vec<_>>().join(", ");
        let is = if claim.len() == 1 { "is not" } else { "are not" };
        Some(format!("{named} {is} for {}", system.libc))
    }
}

impl Loading {
    fn rank(&self) -> Option<Effect> {
        match self {
            Self::Works => None,
            Self::OnSome(_) => Some(Effect::OnSome),
            Self::Unsure(_) => Some(Effect::MayFail),
            Self::Fails(_) => Some(Effect::Fails),
        }
    }

    fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

fn cell(state: State, reason: String) -> Cell {
    Cell { state, reason }
}

/// Checks what is surely missing first, then what nobody can know, and the processor last.
fn loading(system_needs: &SystemNeeds, system: &Distribution) -> Loading {
    if let Some(path) = &system_needs.foreign {
        return Loading::Fails(format!("`{}` is for another machine", path.escape_debug()));
    }
    let Some(arch) = system_needs.arch else { return Loading::Works };
    let refused = refused(system_needs, system.libc);
    if let Some(Loading::Fails(reason)) = refused {
        return Loading::Fails(reason);
    }
    let found = match system.libc {
        Libc::Glibc(glibc) => {
            on_glibc(system_needs, system, glibc, PlatformTag::Manylinux(glibc, arch))
        }
        Libc::Musl(musl) => on_musl(system_needs, PlatformTag::Musllinux(musl, arch)),
    };
    found.or(refused).or_else(|| processor(system_needs, system)).unwrap_or(Loading::Works)
}

/// A module or library that the loader does not take for what its header says.
fn refused(system_needs: &SystemNeeds, libc: Libc) -> Option<Loading> {
    /// From here on programs are refused; distributions have taken that over into older ones.
    const REFUSES_PROGRAMS: LibcVersion = LibcVersion::new(2, 30);
    let counts = |refusal: &Refusal| matches!(libc, Libc::Glibc(_)) || refusal.is_musls();
    let (refusal, path) = system_needs.refused.iter().find(|(refusal, _)| counts(refusal))?;
    let reason = format!("`{}` {refusal}", path.escape_debug());
    Some(match (refusal, libc) {
        (Refusal::Program, Libc::Glibc(own)) if own < REFUSES_PROGRAMS => Loading::Unsure(reason),
        // musl loads it where its addresses happen to be free.
        (Refusal::Executable, Libc::Musl(_)) => Loading::Unsure(reason),
        _ => Loading::Fails(reason),
    })
}

fn on_glibc(
    system_needs: &SystemNeeds,
    system: &Distribution,
    glibc: LibcVersion,
    tag: PlatformTag,
) -> Option<Loading> {
    let for_musl = system_needs.loaders.keys().find(|loader| loader.contains("/ld-musl-"));
    let libraries = system_needs.libraries.keys();
    let mut musl = libraries.filter(|name| name.starts_with("libc.musl-") || *name == "libc.so");
    if let Some(name) = for_musl.or_else(|| musl.next()) {
        return Some(Loading::Fails(format!("needs `{}`, which is musl's", name.escape_debug())));
    }
    if let Some(path) = &system_needs.musl_module {
        return Some(Loading::Fails(only_for(path, "musl")));
    }
    let own = SymbolVersion::from(glibc);
    for (name, need) in &system_needs.loader_versions {
        let version = SymbolVersion::of_name(name);
        if version.is_some_and(|(prefix, asked)| prefix == "GLIBC" && asked > own) {
            let text = text(name, need);
            return Some(Loading::Fails(format!(
                "needs {text} of the loader, which has GLIBC_{own}"
            )));
        }
    }
    let mut unsure = None;
    for (name, need) in &system_needs.versions {
        match has_version(name, system, glibc, tag) {
            Has::Yes => {}
            Has::Not(own) => {
                return Some(Loading::Fails(format!("needs {}; it has {own}", text(name, need))));
            }
            Has::Unsure => {
                let reason = || format!("needs {}, and nothing says what it has", text(name, need));
                unsure.get_or_insert_with(reason);
            }
        }
    }
    unsure.or_else(|| absent_library(system_needs, tag)).map(Loading::Unsure)
}

fn on_musl(system_needs: &SystemNeeds, tag: PlatformTag) -> Option<Loading> {
    let mut loaders = system_needs.loaders.iter();
    if let Some((loader, need)) = loaders.find(|(loader, _)| !loader.contains("/ld-musl-")) {
        let (path, loader) = (need.path.escape_debug(), loader.escape_debug());
        return Some(Loading::Fails(format!("`{path}` asks for the loader `{loader}`")));
    }
    if let Some(path) = &system_needs.glibc_module {
        return Some(Loading::Fails(only_for(path, "glibc")));
    }
    let limits = Policies::builtin().limits(tag)?;
    let is_glibc = |name: &str| limits.version(name) == VersionVerdict::TooNew;
    if let Some((name, need)) = system_needs.versions.iter().find(|(name, _)| is_glibc(name)) {
        let reason = format!("was linked with glibc, needs {}; musl may lack it", text(name, need));
        return Some(Loading::Unsure(reason));
    }
    absent_library(system_needs, tag).map(Loading::Unsure)
}

fn only_for(path: &str, libc: &str) -> String {
    format!("only interpreters on {libc} look for a name such as `{}`", path.escape_debug())
}

enum Has {
    Yes,
    /// It has an older one: this.
    Not(String),
    Unsure,
}

fn has_version(name: &str, system: &Distribution, glibc: LibcVersion, tag: PlatformTag) -> Has {
    let own = match SymbolVersion::of_name(name) {
        Some(("GLIBC", asked)) => Some((asked, glibc.into())),
        Some(("GLIBCXX", asked)) => system.glibcxx.clone().map(|own| (asked, own)),
        Some(("CXXABI", asked)) => system.cxxabi.clone().map(|own| (asked, own)),
        _ => None,
    };
    if let Some((asked, own)) = own {
        let prefix = name.split('_').next().unwrap_or_default();
        return if asked <= own { Has::Yes } else { Has::Not(format!("{prefix}_{own}")) };
    }
    // Of the other prefixes only the policies speak: what they give to every system of that age.
    match Policies::builtin().limits(tag).map(|limits| limits.version(name)) {
        Some(VersionVerdict::Allowed | VersionVerdict::Unrated) => Has::Yes,
        _ => Has::Unsure,
    }
}

/// A library that is neither in the wheel nor on every system of this age.
fn absent_library(system_needs: &SystemNeeds, tag: PlatformTag) -> Option<String> {
    let limits = Policies::builtin().limits(tag)?;
    let (name, need) = system_needs.libraries.iter().find(|(name, _)| !limits.library(name))?;
    let (name, path) = (name.escape_debug(), need.path.escape_debug());
    Some(format!("`{path}` needs `{name}`, which is not in the wheel and has to be installed"))
}

/// The processors that the distribution runs on, and what the code needs.
fn processor(system_needs: &SystemNeeds, system: &Distribution) -> Option<Loading> {
    let level = system_needs.level?;
    let own = system.isa.as_ref().and_then(|own| own.parse::<Level>().ok());
    let own = own.filter(|own| own.machine() == level.machine());
    let own = own.unwrap_or_else(|| Level::baseline(level.machine()));
    let reason = || format!("needs a processor with {level}; it runs on those with {own}");
    (!own.allows(&level)).then(reason).map(Loading::OnSome)
}

/// "`GLIBC_2.38` for `__isoc23_strtol` in `_x.so`"
fn text(name: &str, need: &Need) -> String {
    let symbol = need.symbol.as_ref();
    let symbol = symbol.map_or_else(String::new, |it| format!(" for `{}`", it.escape_debug()));
    format!("`{}`{symbol} in `{}`", name.escape_debug(), need.path.escape_debug())
}
