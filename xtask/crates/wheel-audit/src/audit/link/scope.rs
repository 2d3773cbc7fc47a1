//! In which files and libraries the loader looks for the symbols of a file.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{
    astray::Astray,
    host::{Host, is_known},
};
use crate::audit::{elf_file::Elf, search};
use crate::elf::ElfKind;
use crate::policy::{Arch, scope};

/// All scopes of a wheel together name at most so many files and libraries.
const MAX_PLACES: usize = 1 << 20;

/// A file and what it needs, directly or behind other libraries, breadth first (`ld.so(8)`; glibc,
/// `elf/dl-deps.c`).
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// Files of the wheel by index, the file itself first.
    pub(super) files: Vec<usize>,
    /// Libraries of the system whose exports are known.
    pub(super) libraries: Vec<Cow<'a, str>>,
    /// Libraries whose exports are not known.
    pub(super) unknown: BTreeSet<&'a str>,
    /// Files of the wheel whose names the loader takes for libraries of the system.
    pub(super) replaced: BTreeSet<usize>,
    /// Needs the interpreter's own library.
    pub(super) has_python: bool,
}

/// The files of a wheel by the names under which others need them, on each machine.
struct Names<'a>(BTreeMap<(Option<Arch>, &'a str), Vec<usize>>);

impl<'a> Names<'a> {
    fn of(elves: &'a [Elf]) -> Self {
        let mut names: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, elf) in elves.iter().enumerate() {
            // A file that cannot be judged may be any library: an error of its own.
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
        let unjudged = || self.0.get(&(None, name));
        self.0.get(&(arch, name)).or_else(unjudged).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The scope of each file, by index; `None` where they are too large to tell.
pub(super) fn scopes<'a>(elves: &'a [Elf], host: &Host, astray: &Astray) -> Option<Vec<Scope<'a>>> {
    let (names, mut left) = (Names::of(elves), MAX_PLACES);
    let wheel = Wheel { elves, names: &names, host, astray };
    (0..elves.len()).map(|index| scope(&wheel, index, &mut left)).collect()
}

/// What decides the scopes of all files.
struct Wheel<'a, 'b> {
    elves: &'a [Elf],
    names: &'b Names<'a>,
    host: &'b Host,
    astray: &'b Astray,
}

fn scope<'a>(wheel: &Wheel<'a, '_>, root: usize, left: &mut usize) -> Option<Scope<'a>> {
    let &Wheel { elves, names, host, astray } = wheel;
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
        // What a name stands for is settled when it is needed first.
        for name in facts.needed.iter().filter(|name| known.insert(name)) {
            let all = names.get(elf.arch, name);
            *left = left.checked_sub(all.len())?;
            let is_loaded = || all.iter().any(|file| seen.contains(file));
            let is_systems = || !is_program && host.has_loaded(name, elf.arch);
            let is_astray =
                || is_known(&host.library(name, elf.arch), elf.arch) && astray.has(&elf.path, name);
            if !all.is_empty() && !is_loaded() && (is_systems() || is_astray()) {
                scope.replaced.extend(all);
                scope.add_library(name, elf.arch, host);
                continue;
            }
            let own =
                if all.len() < 2 || is_loaded() { None } else { on_path(elves, all, elf, name) };
            // Where the file's own search path leads to none of several, any may be meant.
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

/// The file to which the search path of `user` itself leads: the loader looks there first.
fn on_path(elves: &[Elf], files: &[usize], user: &Elf, name: &str) -> Option<usize> {
    let folders = search::own_folders(&user.path, user.loadable()?);
    let place = |file: usize| Some(search::installed(&elves.get(file)?.path));
    let is_at =
        |folder: &str, file| place(file) == Some(format!("{}/{folder}/{name}", search::SITE));
    folders.iter().find_map(|folder| files.iter().copied().find(|&file| is_at(folder, file)))
}

impl<'a> Scope<'a> {
    /// Is a file or library of this name in the scope?
    pub(super) fn has(&self, name: &str, elves: &[Elf]) -> bool {
        let mut files = self.files.iter().filter_map(|&file| elves.get(file));
        self.libraries.iter().any(|library| library == name) || files.any(|elf| elf.is_named(name))
    }

    /// Adds a library that is not in the wheel, and what that one needs.
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
