//! The files of a wheel that the loader loads together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::audit::elf_file::Elf;
use crate::audit::loading::{Role, Roles};
use crate::elf::ElfFacts;
use crate::policy::Arch;

/// The files of a wheel by file name and soname.
pub(super) struct Closure<'a> {
    elves: &'a [Elf],
    by_name: BTreeMap<(Option<Arch>, &'a str), usize>,
    roles: Roles<'a>,
}

impl<'a> Closure<'a> {
    pub(super) fn of(elves: &'a [Elf]) -> Self {
        let mut by_name = BTreeMap::new();
        for (index, elf) in elves.iter().enumerate() {
            let Some(facts) = elf.loadable() else { continue };
            let file = elf.path.rsplit('/').next();
            for name in file.into_iter().chain(facts.soname.as_deref()) {
                by_name.entry((elf.arch, name)).or_insert(index);
            }
        }
        Self { elves, by_name, roles: Roles::of(elves) }
    }

    /// The files that Python imports.
    pub(super) fn modules(&self) -> impl Iterator<Item = (usize, &'a Elf)> {
        self.elves.iter().enumerate().filter(|(_, elf)| {
            elf.loadable().is_some_and(|facts| self.roles.role(elf, facts) == Role::Module)
        })
    }

    /// A file and all files of the wheel that it needs, directly or indirectly.
    pub(super) fn from(&self, root: usize) -> Vec<(&'a Elf, &'a ElfFacts)> {
        let (mut known, mut queue) = (BTreeSet::from([root]), VecDeque::from([root]));
        let mut found = Vec::new();
        while let Some((elf, facts)) = queue
            .pop_front()
            .and_then(|index| self.elves.get(index))
            .and_then(|elf| Some((elf, elf.loadable()?)))
        {
            found.push((elf, facts));
            let needed = facts.needed.iter();
            let inside = needed.filter_map(|name| self.by_name.get(&(elf.arch, name.as_str())));
            queue.extend(inside.copied().filter(|&index| known.insert(index)));
        }
        found
    }

    /// The paths of all files that Python loads: modules and the libraries that they need.
    pub(super) fn loaded(&self) -> BTreeSet<&'a str> {
        let mut loaded = BTreeSet::new();
        let (mut known, mut left) = (BTreeSet::new(), Vec::new());
        left.extend(self.modules().map(|(index, _)| index));
        while let Some(index) = left.pop() {
            let Some(elf) = self.elves.get(index).filter(|_| known.insert(index)) else { continue };
            loaded.insert(elf.path.as_str());
            let needed = elf.loadable().into_iter().flat_map(|facts| &facts.needed);
            left.extend(
                needed.filter_map(|name| self.by_name.get(&(elf.arch, name.as_str())).copied()),
            );
        }
        loaded
    }
}
