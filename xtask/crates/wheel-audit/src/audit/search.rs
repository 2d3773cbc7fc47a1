//! Resolves the search paths of a wheel's files (ld.so(8); glibc, `elf/dl-load.c`; musl, `ldso/dynlink.c`).
//!
//! `bundled` checks only whether the wheel contains a library of that name. This module checks whether the loader
//! finds the library through paths relative to the file. A package may also load its libraries itself.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{contents::Contents, elf_file::Elf};
use crate::elf::ElfFacts;
use crate::policy::is_build_folder;

/// The installation folder below an unknown prefix.
pub(super) const SITE: &str = "/lib/python/site-packages";
/// Maximum number of path lookups per wheel.
const MAX_LOOKUPS: usize = 1 << 20;
/// Maximum length of the chain of files that load a file.
const MAX_DEPTH: usize = 64;

/// A bundled library that the loader does not find for a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OffPath<'a> {
    /// The file that needs it.
    pub(super) path: &'a str,
    /// The name of the library in `DT_NEEDED`.
    pub(super) library: &'a str,
    /// Its path in the wheel.
    pub(super) place: &'a str,
    /// The missing search path: `$ORIGIN/../pkg.libs`.
    pub(super) wanted: String,
    /// True if another file of the wheel needs and finds it.
    pub(super) is_found_by_another: bool,
}

/// The libraries that the loader does not find, in order. Empty after [`MAX_LOOKUPS`].
pub(super) fn off_path(contents: &Contents, is_musl: bool) -> Vec<OffPath<'_>> {
    let map = Map::new(contents, is_musl);
    let Some(Load { lost, found: by_others, .. }) = map.lost() else { return Vec::new() };
    let found_names: BTreeSet<&str> = by_others.iter().map(|&(_, name)| name).collect();
    let mut found: Vec<OffPath<'_>> = lost
        .into_iter()
        .filter_map(|(file, library)| {
            let file = map.files.get(file)?;
            let target = map.files.get(map.named(library, file)?)?;
            let wanted = relative(&file.folder, &target.folder);
            let is_found_by_another = found_names.contains(library);
            let place = target.path;
            Some(OffPath { path: file.path, library, place, wanted, is_found_by_another })
        })
        .collect();
    found.sort();
    found
}

/// The folders below `site-packages` in a file's search path: `nvidia/cublas/lib`.
pub(super) fn own_folders(path: &str, facts: &ElfFacts) -> Vec<String> {
    let folder = parent(&installed(path)).to_owned();
    let places = places(facts.runpath.as_deref().or(facts.rpath.as_deref()), &folder);
    let inside = |place: String| Some(place.strip_prefix(SITE)?.strip_prefix('/')?.to_owned());
    places.into_iter().filter_map(inside).collect()
}

/// The installed path of a needed path with `$ORIGIN`, for the file at `path`. `None` if it depends on the system.
pub(super) fn needed_place(path: &str, needed: &str) -> Option<String> {
    place(needed, parent(&installed(path)))
}

/// The wheel's top-level names in `site-packages`.
pub(super) fn top_level_names(contents: Option<&Contents>) -> BTreeSet<String> {
    let files = contents.into_iter().flat_map(|contents| contents.digests.keys());
    let top = |path: &String| {
        let path = installed(path);
        let inside = path.strip_prefix(SITE)?.strip_prefix('/')?;
        Some(inside.split('/').next()?.to_owned())
    };
    files.filter_map(top).collect()
}

/// An entry of a search path, by location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry<'a> {
    /// In this wheel or another one.
    Package(&'a str),
    /// In a folder of the build machine.
    Build(&'a str),
    /// In another absolute folder.
    System(&'a str),
    /// Relative to the file, but outside of all packages.
    Outside(&'a str),
    /// In the current folder of the process, or below it.
    Caller(&'a str),
}

impl<'a> Entry<'a> {
    fn of(text: &'a str, folder: &str) -> Self {
        if text.starts_with("$ORIGIN") || text.starts_with("${ORIGIN}") {
            let is_package = |place: &str| {
                let rest = place.strip_prefix(SITE);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let place = place(text, folder);
            // Scripts and data files are outside of `site-packages` and may have libraries there.
            let inside = place.is_some_and(|place| is_package(&place) || !is_package(folder));
            if inside { Self::Package(text) } else { Self::Outside(text) }
        } else if text.starts_with('/') {
            if is_build_folder(text) { Self::Build(text) } else { Self::System(text) }
        } else if text.starts_with('$') {
            Self::System(text)
        } else {
            Self::Caller(text)
        }
    }
}

/// The entries of the effective search path of a file. An empty path has no entries (glibc, `decompose_rpath`).
pub(super) fn entries<'a>(path: &str, facts: &'a ElfFacts) -> impl Iterator<Item = Entry<'a>> {
    let folder = parent(&installed(path)).to_owned();
    let text = facts.runpath.as_deref().or(facts.rpath.as_deref()).filter(|text| !text.is_empty());
    let entries = text.into_iter().flat_map(|text| text.split(':'));
    entries.map(move |entry| Entry::of(entry, &folder))
}

/// The installed path of a member (`PyPA`, "Binary distribution format").
pub(super) fn installed(path: &str) -> String {
    let parts = path
        .split_once('/')
        .filter(|(top, _)| top.rsplit_once('.').is_some_and(|(_, end)| end == "data"));
    let spread = parts.and_then(|(_, rest)| rest.split_once('/'));
    match spread {
        Some(("purelib" | "platlib", rest)) => format!("{SITE}/{rest}"),
        Some(("scripts", rest)) => format!("/bin/{rest}"),
        Some(("headers", rest)) => format!("/include/{rest}"),
        Some(("data", rest)) => {
            let part = |part| if is_versioned(part) { "python" } else { part };
            format!("/{}", rest.split('/').map(part).collect::<Vec<_>>().join("/"))
        }
        _ => format!("{SITE}/{path}"),
    }
}

/// Returns whether it is the name of a folder for one version of Python.
fn is_versioned(part: &str) -> bool {
    part.starts_with("python3.")
}

/// The folders of a search path that are relative to the file in `folder`.
fn places(path: Option<&str>, folder: &str) -> Vec<String> {
    let entries = path.into_iter().flat_map(|path| path.split(':'));
    entries.filter_map(|entry| place(entry, folder)).collect()
}

/// A folder of a search path, if it starts with `$ORIGIN` and is below the prefix.
fn place(entry: &str, folder: &str) -> Option<String> {
    let rest = ["$ORIGIN", "${ORIGIN}"].iter().find_map(|mark| entry.strip_prefix(mark))?;
    if !rest.is_empty() && !rest.starts_with('/') || rest.contains('$') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part if is_versioned(part) => parts.push("python"),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The relative path from one folder to another: `$ORIGIN/../pkg.libs`.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let common = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    let down = to.iter().skip(common).copied();
    std::iter::once("$ORIGIN").chain(up).chain(down).collect::<Vec<_>>().join("/")
}

/// A file as the loader sees it.
struct File<'a> {
    path: &'a str,
    folder: String,
    facts: &'a ElfFacts,
    elf: &'a Elf,
    /// `DT_RPATH`, unless there is a `DT_RUNPATH`; on musl either of them. Also applies to needed files.
    inherited: Vec<String>,
    /// `DT_RUNPATH`, only for the file's own needs.
    own: Vec<String>,
}

/// The files of a wheel by installed path and by name.
struct Map<'a> {
    files: Vec<File<'a>>,
    by_place: BTreeMap<String, usize>,
    by_name: BTreeMap<&'a str, Vec<usize>>,
    is_musl: bool,
    /// The remaining lookups.
    left: Cell<usize>,
}

type Lost<'a> = BTreeSet<(usize, &'a str)>;

impl<'a> Map<'a> {
    fn new(contents: &'a Contents, is_musl: bool) -> Self {
        let file = |elf: &'a Elf| {
            let facts = elf.loadable()?;
            let path = installed(&elf.path);
            let folder = parent(&path).to_owned();
            let [rpath, runpath] =
                [&facts.rpath, &facts.runpath].map(|text| places(text.as_deref(), &folder));
            let (inherited, own) = match (&facts.runpath, is_musl) {
                (Some(_), true) => (runpath, Vec::new()),
                (Some(_), false) => (Vec::new(), runpath),
                (None, _) => (rpath, Vec::new()),
            };
            Some(File { path: &elf.path, folder, facts, elf, inherited, own })
        };
        let files: Vec<File<'a>> = contents.elves.iter().filter_map(file).collect();
        let (by_place, by_name) = (BTreeMap::new(), BTreeMap::new());
        let left = Cell::new(MAX_LOOKUPS);
        let mut map = Self { files, by_place, by_name, is_musl, left };
        for (index, file) in map.files.iter().enumerate() {
            map.by_place.insert(installed(file.path), index);
            for name in names(file) {
                map.by_name.entry(name).or_default().push(index);
            }
        }
        map
    }

    /// A file with this name for the architecture of `user`.
    fn named(&self, name: &str, user: &File<'_>) -> Option<usize> {
        let all = self.by_name.get(name)?;
        all.iter()
            .copied()
            .find(|&each| self.files.get(each).is_some_and(|file| file.elf.arch == user.elf.arch))
    }

    /// The libraries that the loader does not find, independent of the file that is loaded first. Files that need
    /// a file may have loaded its libraries already, or pass on their search path.
    fn lost(&self) -> Option<Load<'a>> {
        let mut load = Load::default();
        let needed: BTreeSet<usize> = self
            .files
            .iter()
            .flat_map(|file| file.facts.needed.iter().filter_map(|name| self.named(name, file)))
            .collect();
        let first = (0..self.files.len()).filter(|index| !needed.contains(index));
        // Files that only need each other come last.
        for root in first.chain(needed.iter().copied()) {
            if !load.loaded.contains(&root) {
                self.load(root, &mut load)?;
            }
        }
        load.lost = load.lost.difference(&load.found).copied().collect();
        Some(load)
    }

    /// Loads a file and its needs breadth first, as the loader does.
    fn load(&self, root: usize, load: &mut Load<'a>) -> Option<()> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        // Each with the index of the file that loaded it.
        let mut order: Vec<(usize, Option<usize>)> = vec![(root, None)];
        let mut queue = VecDeque::from([0]);
        known.extend(self.files.get(root).iter().filter_map(|file| file.facts.soname.as_deref()));
        while let Some(at) = queue.pop_front() {
            let &(index, _) = order.get(at)?;
            let file = self.files.get(index)?;
            load.loaded.insert(index);
            for name in &file.facts.needed {
                self.left.set(self.left.get().checked_sub(1)?);
                if known.contains(name.as_str()) {
                    load.found.insert((index, name));
                    continue;
                }
                if let Some(next) = self.find(name, at, &order) {
                    load.found.insert((index, name));
                    known.insert(name);
                    known.extend(self.files.get(next)?.facts.soname.as_deref());
                    queue.push_back(order.len());
                    order.push((next, Some(at)));
                } else if self.named(name, file).is_some() {
                    load.lost.insert((index, name));
                }
            }
        }
        Some(())
    }

    /// Finds a library for the loaded file at `at`: in its `DT_RUNPATH`, or else in its `DT_RPATH` and that of the files
    /// that loaded it.
    fn find(&self, name: &str, at: usize, order: &[(usize, Option<usize>)]) -> Option<usize> {
        let file = |at: usize| Some((self.files.get(order.get(at)?.0)?, order.get(at)?.1));
        let (user, _) = file(at)?;
        if !self.is_musl && user.elf.expanded.contains(name) {
            return self.named(name, user);
        }
        let there = |folder: &String| {
            self.left.set(self.left.get().saturating_sub(1));
            let index = *self.by_place.get(&format!("{folder}/{name}"))?;
            let file = self.files.get(index)?;
            (file.elf.arch == user.elf.arch).then_some(index)
        };
        if self.is_musl || user.facts.runpath.is_none() {
            let mut next = Some(at);
            for _ in 0..MAX_DEPTH {
                let Some((file, loader)) = next.and_then(file) else { break };
                if let Some(index) = file.inherited.iter().find_map(there) {
                    return Some(index);
                }
                next = loader;
            }
        }
        user.own.iter().find_map(there)
    }
}

/// The result of loading so far.
#[derive(Default)]
struct Load<'a> {
    lost: Lost<'a>,
    found: Lost<'a>,
    loaded: BTreeSet<usize>,
}

/// The soname and file name of a file.
fn names<'a>(file: &File<'a>) -> BTreeSet<&'a str> {
    let place = file.path.rsplit('/').next();
    place.into_iter().chain(file.facts.soname.as_deref()).collect()
}
