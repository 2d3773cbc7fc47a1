//! The files and libraries in which the loader looks up the symbols of a file.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{
    host::{Host, is_known},
    shadowed::Shadowed,
};
use crate::audit::{elf_file::Elf, search};
use crate::elf::ElfKind;
use crate::policy::{Arch, scope};

/// Maximum number of files and libraries in all scopes of a wheel.
const MAX_PLACES: usize = 1 << 20;

/// A file and its direct and indirect needs, breadth first (`ld.so(8)`; glibc, `elf/dl-deps.c`).
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// Files of the wheel by index, the file itself first.
    pub(super) files: Vec<usize>,
    /// System libraries with known exports.
    pub(super) libraries: Vec<Cow<'a, str>>,
    /// Libraries with unknown exports.
    pub(super) unknown: BTreeSet<&'a str>,
    /// Files of the wheel that the loader replaces with system libraries of the same name.
    pub(super) replaced: BTreeSet<usize>,
    /// True if it needs the interpreter's own library.
    pub(super) has_python: bool,
}

/// The files of a wheel by architecture and name (file name or soname).
struct Names<'a>(BTreeMap<(Option<Arch>, &'a str), Vec<usize>>);

impl<'a> Names<'a> {
    fn of(elves: &'a [Elf]) -> Self {
        let mut names: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, elf) in elves.iter().enumerate() {
            // An unreadable file may be any library. ELF001 covers it.
            let facts = elf.facts.as_ref().ok();
            if facts.is_some_and(|facts| facts.kind != ElfKind::Shared) {
                continue;
            }
            let soname = facts.and_then(|facts| facts.soname.as_deref());
            let own: BTreeSet<&str> =
                elf.path.rsplit('/').next().into_iter().chain(soname).collect();
            for name in own {
                names.entry((elf.arch, name)).or_default().push(index);
            }
        }
        Self(names)
    }

    fn get(&self, arch: Option<Arch>, name: &'a str) -> &[usize] {
        let unreadable = || self.0.get(&(None, name));
        self.0.get(&(arch, name)).or_else(unreadable).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The scope of each file, by index. `None` after [`MAX_PLACES`].
pub(super) fn scopes<'a>(
    elves: &'a [Elf],
    host: &Host,
    shadowed: &Shadowed,
) -> Option<Vec<Scope<'a>>> {
    let (names, mut left) = (Names::of(elves), MAX_PLACES);
    let wheel = Wheel { elves, names: &names, host, shadowed };
    (0..elves.len()).map(|index| scope(&wheel, index, &mut left)).collect()
}

/// The common inputs for all scopes.
struct Wheel<'a, 'b> {
    elves: &'a [Elf],
    names: &'b Names<'a>,
    host: &'b Host,
    shadowed: &'b Shadowed,
}

fn scope<'a>(wheel: &Wheel<'a, '_>, root: usize, left: &mut usize) -> Option<Scope<'a>> {
    let &Wheel { elves, names, host, shadowed } = wheel;
    let is_program = elves.get(root)?.loadable().is_some_and(|facts| facts.interpreter.is_some());
    let mut scope = Scope { files: vec![root], ..Scope::default() };
    let (mut seen, mut queue) = (BTreeSet::from([root]), VecDeque::from([root]));
    let mut known: BTreeSet<&'a str> = BTreeSet::new();
    while let Some(elf) = queue.pop_front().and_then(|index| elves.get(index)) {
        let Some(facts) = elf.loadable() else {
            scope.unknown.insert(&elf.path);
            continue;
        };
        *left = left.checked_sub(1 + facts.needed.len())?;
        // The first need decides which file a name refers to.
        for name in facts.needed.iter().filter(|name| known.insert(name)) {
            let all = names.get(elf.arch, name);
            *left = left.checked_sub(all.len())?;
            let is_loaded = || all.iter().any(|file| seen.contains(file));
            let is_system_error = || !is_program && host.has_loaded(name, elf.arch);
            let is_shadowed = || {
                is_known(&host.library(name, elf.arch), elf.arch) && shadowed.has(&elf.path, name)
            };
            if !all.is_empty() && !is_loaded() && (is_system_error() || is_shadowed()) {
                scope.replaced.extend(all);
                scope.add_library(name, elf.arch, host);
                continue;
            }
            let own =
                if all.len() < 2 || is_loaded() { None } else { on_path(elves, all, elf, name) };
            // If the search path leads to none of several files, assume any of them.
            let files = own.as_ref().map_or(all, std::slice::from_ref);
            for &file in files.iter().filter(|&&file| seen.insert(file)) {
                scope.files.push(file);
                queue.push_back(file);
            }
            if all.is_empty() {
                scope.add_library(name, elf.arch, host);
            }
        }
    }
    Some(scope)
}

/// The file in the search path of `user`, where the loader looks first.
fn on_path(elves: &[Elf], files: &[usize], user: &Elf, name: &str) -> Option<usize> {
    let folders = search::own_folders(&user.path, user.loadable()?);
    let place = |file: usize| Some(search::installed(&elves.get(file)?.path));
    let is_at =
        |folder: &str, file| place(file) == Some(format!("{}/{folder}/{name}", search::SITE));
    folders.iter().find_map(|folder| files.iter().copied().find(|&file| is_at(folder, file)))
}

impl<'a> Scope<'a> {
    /// Returns whether a file or library of this name is in the scope.
    pub(super) fn has(&self, name: &str, elves: &[Elf]) -> bool {
        let mut files = self.files.iter().filter_map(|&file| elves.get(file));
        self.libraries.iter().any(|library| library == name) || files.any(|elf| elf.is_named(name))
    }

    /// Adds a library outside the wheel, and its needs.
    fn add_library(&mut self, name: &'a str, arch: Option<Arch>, host: &Host) {
        if ["libpython", "libpypy"].iter().any(|start| name.starts_with(start)) {
            self.has_python = true;
            return;
        }
        let library = host.library(name, arch);
        if !is_known(&library, arch) {
            self.unknown.insert(name);
            return;
        }
        if self.libraries.contains(&library) {
            return;
        }
        for other in scope::needed_by(&library) {
            self.add_library(other, arch, host);
        }
        self.libraries.push(library);
    }
}
