//! Bundled libraries that the loader does not find and replaces with a system library of the same name.

use std::collections::BTreeSet;

use super::host::{Host, is_known};
use crate::audit::{contents::Contents, elf_file::Elf, search};

/// Pairs of a file and a needed library for which the loader uses the system's library.
#[derive(Debug, Default)]
pub(in crate::audit) struct Shadowed(BTreeSet<(String, String)>);

impl Shadowed {
    /// Finds them in a wheel, except libraries that its Python code may load itself.
    pub(in crate::audit) fn find(contents: &Contents, host: &Host) -> Self {
        let is_system_error =
            |elf: &Elf, name: &str| is_known(&host.library(name, elf.arch), elf.arch);
        let has_name = |elf: &Elf| {
            let soname = elf.loadable().and_then(|facts| facts.soname.as_deref());
            let names = soname.into_iter().chain(elf.path.rsplit('/').next());
            names.into_iter().any(|name| is_system_error(elf, name))
        };
        if !contents.elves.iter().any(has_name) {
            return Self::default();
        }
        let lost = search::off_path(contents, host.is_musl()).into_iter();
        let lost = lost.filter(|lost| !contents.preloads.may_load(lost.library));
        Self(lost.map(|lost| (lost.path.to_owned(), lost.library.to_owned())).collect())
    }

    /// Returns whether the loader uses the system's library for `path`.
    pub(super) fn has(&self, path: &str, library: &str) -> bool {
        self.0.contains(&(path.to_owned(), library.to_owned()))
    }
}
