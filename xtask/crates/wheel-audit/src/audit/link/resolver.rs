//! Looks up each symbol as the loader does.

use std::{borrow::Cow, cell::Cell, collections::BTreeSet};

use super::{
    host::{Host, is_python},
    outcome::Outcome,
    scope::{Scope, scopes},
    shadowed::Shadowed,
};
use crate::audit::elf_file::Elf;
use crate::audit::loading::{Role, Roles};
use crate::audit::unresolved::{Cause, LoadedBy, Symbol};
use crate::elf::{Binding, ElfFacts, Import, VersionNeed, symbol_hash};
use crate::policy::exports::{self, Export};
use crate::policy::{Arch, Policies, SymbolVersion};

/// Maximum number of lookups of a symbol in a file or library, for all files of a wheel.
const MAX_LOOKUPS: usize = 1 << 25;

/// Maximum number of unknown libraries in a cause.
const MAX_UNKNOWN: usize = 3;

/// The files of a wheel with the scope of each.
pub(super) struct Resolver<'a> {
    elves: &'a [Elf],
    host: &'a Host,
    scopes: Vec<Scope<'a>>,
    /// For each file, the files with it in their scope.
    users: Vec<Vec<usize>>,
    loaded_by: Vec<Option<LoadedBy>>,
    left: Cell<usize>,
}

/// An undefined symbol of a file.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    file: usize,
    arch: Arch,
    import: &'a Import,
    hash: u32,
}

/// The origin of a symbol.
enum Found {
    /// A file of the wheel, or the interpreter.
    Inside,
    /// A system library.
    System {
        library: String,
        /// The first version that exports it.
        since: &'static str,
        /// True if the file itself needs the library, not only the interpreter.
        is_own: bool,
        /// The first version that no longer exports it.
        until: Option<&'static str>,
        /// True if newer versions of a library that the file needs export it too.
        has_moved: bool,
    },
    Not(Cause),
}

impl<'a> Resolver<'a> {
    /// Computes the scopes. `None` if they are too large.
    pub(super) fn new(elves: &'a [Elf], host: &'a Host, shadowed: &Shadowed) -> Option<Self> {
        let scopes = scopes(elves, host, shadowed)?;
        let mut users = vec![Vec::new(); elves.len()];
        for (user, scope) in scopes.iter().enumerate() {
            for &file in scope.files.iter().skip(1) {
                users.get_mut(file)?.push(user);
            }
        }
        let loaded_by = loaded_by(elves, &users);
        Some(Self { elves, host, scopes, users, loaded_by, left: Cell::new(MAX_LOOKUPS) })
    }

    /// The result of linking each file, in order.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        (0..self.elves.len()).map(|file| self.outcome(file).unwrap_or_default()).collect()
    }

    fn outcome(&self, file: usize) -> Option<Outcome> {
        let elf = self.elves.get(file)?;
        let (facts, arch) = (elf.loadable()?, elf.arch.filter(|&arch| self.host.is_known(arch))?);
        let mut outcome = Outcome::of((*self.loaded_by.get(file)?)?);
        // Versioned symbols of system libraries are in the version needs.
        let is_inside = |need: &VersionNeed| self.named(file, &need.library).next().is_some();
        let inside: Vec<bool> = facts.version_needs.iter().map(is_inside).collect();
        let has_unknown = self.has_unknown(file);
        self.versions_not_defined(file, facts, &mut outcome);
        self.libraries_not_needed(file, facts, arch, &mut outcome);
        for (index, import) in facts.imports.iter().enumerate() {
            let is_system_error = import.need.is_some_and(|need| inside.get(need) != Some(&true));
            if import.weak || import.binding == Binding::Never || is_system_error {
                continue;
            }
            let hash = symbol_hash(import.name.as_bytes());
            let cause = match self.find(Wanted { file, arch, import, hash })? {
                Found::Inside => continue,
                // The loader compares no versions for a file without any. And a linker records no version
                // if another library than the system's defined the symbol.
                Found::System { since, .. }
                    if import.need.is_some() || has_unknown && !is_release(since) =>
                {
                    continue;
                }
                Found::System { library, since, is_own, until, has_moved } => {
                    // Versions of other libraries than those of policies count for no floor.
                    if SymbolVersion::of_name(since).is_some() {
                        outcome.provided.push((index, library.clone(), since));
                    }
                    match until {
                        Some(until) => Cause::Until(until),
                        None if is_release(since) => Cause::Release(library, since),
                        None if is_own => continue,
                        None => Cause::OfInterpreter { library, has_moved },
                    }
                }
                Found::Not(cause) => cause,
            };
            let need = import.need.and_then(|need| facts.version_needs.get(need));
            let version = need.map(|need| need.version.clone());
            let symbol = Symbol { name: import.name.clone(), version };
            outcome.add(cause, import.binding == Binding::Call, symbol);
        }
        Some(outcome)
    }

    /// Returns whether the scope of a file, or of one that loads it, contains a library with unknown exports.
    fn has_unknown(&self, file: usize) -> bool {
        let users = self.users.get(file).into_iter().flatten().chain([&file]);
        users.filter_map(|&user| self.scopes.get(user)).any(|scope| !scope.unknown.is_empty())
    }

    /// The files in the scope of `file` with this name.
    fn named(&self, file: usize, name: &str) -> impl Iterator<Item = &'a Elf> {
        let files = self.scopes.get(file).map(|scope| scope.files.as_slice()).unwrap_or_default();
        files.iter().filter_map(|&file| self.elves.get(file)).filter(move |elf| elf.is_named(name))
    }

    /// Adds versions that bundled libraries do not define (glibc, `elf/dl-version.c`, `match_symbol`, which accepts
    /// libraries without any version). musl compares no versions.
    fn versions_not_defined(&self, file: usize, facts: &ElfFacts, outcome: &mut Outcome) {
        if self.host.is_musl() {
            return;
        }
        let strong = facts.version_needs.iter().filter(|need| !need.weak);
        let needs: BTreeSet<(&str, &str)> =
            strong.map(|need| (need.library.as_str(), need.version.as_str())).collect();
        for (library, version) in needs {
            let mut named = self.named(file, library).peekable();
            let Some(path) = named.peek().map(|elf| elf.path.clone()) else { continue };
            let defines = |elf: &Elf| {
                elf.loadable().is_none_or(|facts| {
                    let own = &facts.version_defs;
                    own.is_empty() || own.iter().any(|own| own == version)
                })
            };
            if !named.any(defines) {
                let symbol = Symbol { name: String::new(), version: Some(version.to_owned()) };
                outcome.add(Cause::VersionNotDefined(path), false, symbol);
            }
        }
    }

    /// Adds libraries of version needs that nothing loads (glibc, `elf/dl-version.c`, `_dl_check_map_versions`,
    /// which asserts that they are loaded, even for weak needs).
    fn libraries_not_needed(
        &self,
        file: usize,
        facts: &ElfFacts,
        arch: Arch,
        outcome: &mut Outcome,
    ) {
        if self.host.is_musl() || self.has_unknown(file) {
            return;
        }
        let host = self.host.libraries(arch, true);
        let users = self.users.get(file).into_iter().flatten().chain([&file]);
        let scopes: Vec<_> = users.filter_map(|&user| self.scopes.get(user)).collect();
        let is_loaded = |name: &str| {
            facts.needed.iter().any(|needed| needed == name)
                || host.iter().any(|library| library == name)
                || Policies::is_loader(name)
                || scopes.iter().any(|scope| scope.has(name, self.elves))
        };
        let libraries = facts.version_needs.iter().map(|need| need.library.as_str());
        let lost: BTreeSet<&str> = libraries.filter(|name| !is_loaded(name)).collect();
        for library in lost {
            outcome.add(Cause::LibraryNotNeeded(library.to_owned()), false, Symbol::default());
        }
    }

    /// Finds a symbol; `None` after [`MAX_LOOKUPS`].
    fn find(&self, wanted: Wanted<'_>) -> Option<Found> {
        let scope = self.scopes.get(wanted.file)?;
        let symbol = wanted.import.name.as_str();
        let is_imported = self.loaded_by.get(wanted.file)? != &Some(LoadedBy::Program);
        let has_python = scope.has_python || is_imported;
        let path = &self.elves.get(wanted.file)?.path;
        if has_python && is_python(symbol) && self.host.has(path, symbol) {
            return Some(Found::Inside);
        }
        if self.is_exported(&scope.files, wanted.hash)? {
            return Some(Found::Inside);
        }
        let host = self.host.libraries(wanted.arch, has_python);
        self.charge(scope.libraries.len() + host.len())?;
        if let Some(found) = in_libraries(scope, &host, wanted) {
            return Some(found);
        }
        // The scopes of files that load this one apply too.
        let users = self.users.get(wanted.file)?;
        let mut unknown = scope.unknown.clone();
        for scope in users.iter().filter_map(|&user| self.scopes.get(user)) {
            if self.is_exported(&scope.files, wanted.hash)? {
                return Some(Found::Inside);
            }
            self.charge(scope.libraries.len())?;
            if let Some(found) = in_libraries(scope, &[], wanted) {
                return Some(found);
            }
            unknown.extend(&scope.unknown);
        }
        Some(Found::Not(if unknown.is_empty() {
            self.nowhere(wanted, has_python)?
        } else {
            Cause::Unknown(unknown.into_iter().take(MAX_UNKNOWN).map(str::to_owned).collect())
        }))
    }

    /// The cause for a symbol that nothing in a fully known scope exports.
    fn nowhere(&self, wanted: Wanted<'_>, has_python: bool) -> Option<Cause> {
        let replaced = &self.scopes.get(wanted.file)?.replaced;
        let elves = self.elves.iter().enumerate().filter(|(index, _)| !replaced.contains(index));
        for (index, elf) in elves {
            if elf.arch == Some(wanted.arch) && self.is_exported(&[index], wanted.hash)? {
                return Some(Cause::OutOfScope(elf.path.clone()));
            }
        }
        let is_python = has_python && is_python(&wanted.import.name);
        Some(if is_python { Cause::NotOfInterpreter } else { Cause::Nowhere })
    }

    /// Returns whether any of the files exports, or may export, a symbol with this hash.
    fn is_exported(&self, files: &[usize], hash: u32) -> Option<bool> {
        self.charge(files.len())?;
        let exports = |&file: &usize| {
            let facts = self.elves.get(file).and_then(|elf| elf.facts.as_ref().ok());
            facts.is_some_and(|facts| facts.exports.contains(hash) != Some(false))
        };
        Some(files.iter().any(exports))
    }

    /// Counts lookups. `None` after [`MAX_LOOKUPS`].
    fn charge(&self, lookups: usize) -> Option<()> {
        self.left.set(self.left.get().checked_sub(lookups)?);
        Some(())
    }
}

/// Finds a symbol in the system libraries in scope and in those of the host. The oldest version counts, because a
/// symbol that moved between libraries exists in one of them on every system.
fn in_libraries(scope: &Scope<'_>, host: &[Cow<'_, str>], wanted: Wanted<'_>) -> Option<Found> {
    let own = scope.libraries.iter().map(|library| (library.as_ref(), true));
    let host = host.iter().map(|library| (library.as_ref(), is_everywhere(library)));
    let (mut oldest, mut last): (Option<Offer<'_>>, Option<&str>) = (None, None);
    let (mut is_kept, mut has_moved) = (false, false);
    for (library, is_own) in own.chain(host) {
        let (since, until) = match exports::of_library(library, &wanted.import.name, wanted.arch) {
            Export::Since(since) => (since, None),
            Export::Between { since, until } => (since, Some(until)),
            Export::Never | Export::UnknownLibrary => continue,
        };
        is_kept |= until.is_none();
        last = until.filter(|until| last.is_none_or(|last| is_older(last, until))).or(last);
        has_moved |= is_own;
        if oldest.as_ref().is_none_or(|oldest| is_older(since, oldest.since)) {
            oldest = Some(Offer { library, since, is_own });
        }
    }
    oldest.map(|offer| Found::System {
        library: offer.library.to_owned(),
        since: offer.since,
        is_own: offer.is_own,
        has_moved,
        until: last.filter(|_| !is_kept),
    })
}

/// Returns whether it is the release of a library without symbol versions, except the first one.
fn is_release(since: &str) -> bool {
    since != "0" && since.parse::<SymbolVersion>().is_ok()
}

/// Returns whether every process contains the library: the C library or the loader.
fn is_everywhere(library: &str) -> bool {
    library.starts_with("libc.") || Policies::is_loader(library)
}

/// A library that exports a symbol since a version.
struct Offer<'a> {
    library: &'a str,
    since: &'static str,
    is_own: bool,
}

/// Returns whether `one` is an older version with the same prefix. Versions with different prefixes have no order.
fn is_older(one: &str, other: &str) -> bool {
    let (one, other) = (SymbolVersion::of_name(one), SymbolVersion::of_name(other));
    one.zip(other).is_some_and(|(one, other)| one.0 == other.0 && one.1 < other.1)
}

/// How each file is loaded. `None` if unknown.
fn loaded_by(elves: &[Elf], users: &[Vec<usize>]) -> Vec<Option<LoadedBy>> {
    let roles = Roles::of(elves);
    let own = |elf: &Elf| {
        let facts = elf.loadable()?;
        match roles.role(elf, facts) {
            Role::Module if !facts.module_inits.is_empty() => Some(LoadedBy::Import),
            Role::Module | Role::Needed | Role::Library => Some(LoadedBy::Path),
            Role::Other => facts.interpreter.as_ref().map(|_| LoadedBy::Program),
        }
    };
    let own: Vec<_> = elves.iter().map(own).collect();
    let with_users = |(file, users): (usize, &Vec<usize>)| {
        let all = std::iter::once(&file).chain(users);
        all.filter_map(|&each| *own.get(each)?).min()
    };
    users.iter().enumerate().map(with_users).collect()
}
