//! The input of every check: the facts of a wheel and its expectations.

use std::sync::Arc;

use super::{Expectations, WheelFacts, contents::Contents, elf_file::Elf};
use crate::policy::{Arch, Libc, Limits, PlatformTag, Policies, other_system};
use crate::wheel::{ArchiveError, NameError, WheelName};

/// The facts of a wheel and its expectations.
pub(super) struct AuditContext<'a> {
    pub(super) expectations: &'a Expectations,
    pub(super) facts: WheelFacts,
    pub(super) name: Result<WheelName, NameError>,
    pub(super) archive: Result<Contents, ArchiveError>,
}

impl AuditContext<'_> {
    /// The valid platform tags in the file name, in order.
    pub(super) fn claims(&self) -> Vec<PlatformTag> {
        let platforms = self.name.iter().flat_map(|name| &name.tags.platforms);
        platforms.filter_map(|text| text.parse().ok()).collect()
    }

    /// The platform tags for other systems than Linux, each with its system.
    pub(super) fn other_systems(&self) -> Vec<(&str, &'static str)> {
        let platforms = self.name.iter().flat_map(|name| &name.tags.platforms);
        platforms.filter_map(|tag| Some((tag.as_str(), other_system(tag)?))).collect()
    }

    /// Returns whether the wheel is only for other systems than Linux.
    pub(super) fn is_foreign(&self) -> bool {
        let platforms = self.name.as_ref().map_or(&[] as &[String], |name| &name.tags.platforms);
        !platforms.is_empty() && self.other_systems().len() == platforms.len()
    }

    /// Returns whether the wheel is only for musl.
    pub(super) fn is_musl(&self) -> bool {
        self.facts.needs.is_musl && self.claims().iter().all(|tag| tag.glibc().is_none())
    }

    /// The ELF files. Empty if the archive is unreadable.
    pub(super) fn elves(&self) -> &[Elf] {
        self.archive.as_ref().map_or(&[], |contents| &contents.elves)
    }

    /// The content, if it was read.
    pub(super) fn contents(&self) -> Option<&Contents> {
        self.archive.as_ref().ok().filter(|contents| contents.is_read)
    }

    /// The limits for files of an architecture: those of every tag in the file name and of the target, lowest
    /// first.
    pub(super) fn limits(&self, arch: Option<Arch>) -> Vec<Arc<Limits>> {
        let mut tags = match (self.expectations.limit, arch) {
            (Some(Libc::Glibc(version)), Some(arch)) => {
                vec![PlatformTag::Manylinux(version, arch)]
            }
            (Some(Libc::Musl(version)), Some(arch)) => vec![PlatformTag::Musllinux(version, arch)],
            _ => self.claims(),
        };
        if self.expectations.limit.is_none() {
            tags.extend(self.expectations.platform_tag);
        }
        tags.retain(|tag| tag.arch() == arch);
        tags.sort_by_key(|tag| (tag.glibc(), tag.musl(), tag.to_string()));
        // An alias such as `manylinux2014` equals its numbered tag.
        tags.dedup_by_key(|tag| (tag.glibc(), tag.musl()));
        tags.into_iter().filter_map(|tag| Policies::builtin().limits(tag)).collect()
    }
}
