//! Libraries of the wheel that have a system library's name, and that no search path leads to: the loader
//! takes the system's instead.

use std::collections::BTreeSet;

use super::host::{Host, is_known};
use crate::audit::{contents::Contents, elf_file::Elf, search};

/// Pairs of a file and the library that it needs, for which the loader takes the system's.
#[derive(Debug, Default)]
pub(in crate::audit) struct Astray(BTreeSet<(String, String)>);

impl Astray {
    /// Finds them in a wheel, but for those that Python code of the wheel may load by itself.
    pub(in crate::audit) fn find(contents: &Contents, host: &Host) -> Self {
        let is_systems = |elf: &Elf, name: &str| is_known(&host.library(name, elf.arch), elf.arch);
        let has_name = |elf: &Elf| {
            let soname = elf.loadable().and_then(|facts| facts.soname.as_deref());
            let names = soname.into_iter().chain(elf.path.rsplit('/').next());
            names.into_iter().any(|name| is_systems(elf, name))
        };
        if !contents.elves.iter().any(has_name) {
            return Self::default();
        }
        let lost = search::off_path(contents, host.is_musl()).into_iter();
        let lost = lost.filter(|lost| !contents.preloads.may_load(lost.library));
        Self(lost.map(|lost| (lost.path.to_owned(), lost.library.to_owned())).collect())
    }

    /// Does the loader take the system's library for `path`, if it has one of this name?
    pub(super) fn has(&self, path: &str, library: &str) -> bool {
        self.0.contains(&(path.to_owned(), library.to_owned()))
    }
}
