//! Bundled libraries that the search paths of their users do not include.

use std::sync::Arc;

use super::{AuditContext, Effect, Obstacle, Rule, closure::Closure, libraries::not_found};
use crate::audit::{
    contents::Contents,
    elf_file::Elf,
    search::{self, OffPath},
};
use crate::policy::{Limits, VersionVerdict};

pub(super) const OFF_THE_PATH: Rule = Rule::warning(
    "ELF011",
    "library-off-the-path",
    "link with a search path to the library's folder, or set `[repair] mode = \"auto\"` in wheels.toml",
);

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let Some(contents) = context.contents() else { return };
    let loaded = Closure::of(&contents.elves).loaded();
    for lost in search::off_path(contents, context.facts.needs.is_musl) {
        let arch = contents.elves.iter().find(|elf| elf.path == lost.path).and_then(|elf| elf.arch);
        let limits = context.limits(arch);
        // If so, the loader finds the system's own library.
        let has_all = |limits: &Arc<Limits>| {
            limits.library(lost.library)
                && versions(contents, &lost)
                    .all(|each| limits.version(each) != VersionVerdict::TooNew)
        };
        if !limits.is_empty() && limits.iter().all(has_all) {
            continue;
        }
        let is_sure = loaded.contains(lost.path)
            && !lost.is_found_by_another
            && !contents.preloads.may_load(lost.library);
        let (effect, when) = if is_sure {
            (Effect::Fails, "and nothing in the wheel loads it first")
        } else {
            (Effect::MayFail, "so the file loads only after another file has loaded the library")
        };
        let (library, place) = (lost.library.escape_debug(), lost.place.escape_debug());
        let cause = format!(
            "needs `{library}`, which is in the wheel as `{place}`: the search path of the file does not \
             include that folder, {when}"
        );
        let wanted = lost.wanted.escape_debug();
        all.push(
            Obstacle::new(&OFF_THE_PATH, lost.path, cause)
                .with_loader_message(not_found(lost.library))
                .with_effect(effect)
                .with_help(format!("link with `-Wl,-rpath,'{wanted}'`, or load the library first")),
        );
    }
}

/// The versions that a file needs of a library.
fn versions<'a>(contents: &'a Contents, lost: &OffPath<'a>) -> impl Iterator<Item = &'a str> {
    let (path, library) = (lost.path, lost.library);
    let file = contents.elves.iter().find(move |elf| elf.path == path).and_then(Elf::loadable);
    let needs = file.into_iter().flat_map(|facts| &facts.version_needs);
    needs
        .filter(move |need| need.library == library && !need.weak)
        .map(|need| need.version.as_str())
}
