//! Requirements on the machine: its page size, and the processor that the loader checks.

use super::{AuditContext, Condition, Effect, Obstacle, Rule, closure::Closure};
use crate::audit::elf_file::Elf;
use crate::audit::loading::{Role, Roles};
use crate::isa::Level;
use crate::policy::{LibcVersion, distributions};

pub(super) const SMALL_PAGES: Rule = Rule::warning(
    "ELF037",
    "segments-for-small-pages",
    "link with `-Wl,-z,max-page-size=65536`; if `patchelf` rewrites the file, run it with `--page-size 65536`",
);
pub(super) const PROCESSOR_MARKER: Rule = Rule::warning(
    "ELF038",
    "marked-for-newer-processors",
    "link without options such as `-z x86-64-v2`, and compile for the baseline of the tag",
);

/// The first glibc that compares the marker with the processor (`sysdeps/x86/dl-prop.h`).
const READS_MARKERS: LibcVersion = LibcVersion::new(2, 33);

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let roles = Roles::of(context.elves());
    let loaded = Closure::of(context.elves()).loaded();
    for elf in context.elves().iter().filter(|elf| elf.arch == context.facts.needs.arch) {
        let Some(facts) = elf.loadable() else { continue };
        if roles.role(elf, facts) == Role::Other {
            continue;
        }
        all.extend(pages(elf));
        let effect = if loaded.contains(&*elf.path) { Effect::Fails } else { Effect::MayFail };
        all.extend(marker(elf).map(|obstacle| obstacle.with_effect(effect)));
    }
}

/// Segments that are aligned for smaller pages than those of some known system.
fn pages(elf: &Elf) -> Option<Obstacle> {
    let (facts, arch) = (elf.loadable()?, elf.arch?);
    let needs = facts.pages;
    let largest = distributions().iter().map(|system| system.page_size(arch)).max()?;
    let size = needs.aligned.min(needs.congruent);
    // ELF022 covers alignments below the smallest page.
    if size >= largest || size < 4096 {
        return None;
    }
    let loader_message = if needs.aligned < largest {
        "ELF load command alignment not page-aligned"
    } else {
        "ELF load command address/offset not page-aligned"
    };
    let cause = format!(
        "has segments for pages of {} KiB; some kernels for `{arch}` have pages of {} KiB",
        size >> 10,
        largest >> 10
    );
    let obstacle = Obstacle::new(&SMALL_PAGES, &elf.path, cause);
    Some(obstacle.with_loader_message(loader_message).on(Condition::Pages(needs)))
}

/// `GNU_PROPERTY_X86_ISA_1_NEEDED`: the loader rejects the file on older processors.
fn marker(elf: &Elf) -> Option<Obstacle> {
    let bits = elf.loadable()?.isa_needed.filter(|bits| bits & !1 != 0)?;
    let level = Level::of_note(bits)?;
    let cause = format!("is marked for processors with {level} (`GNU_PROPERTY_X86_ISA_1_NEEDED`)");
    let on = Condition::Processor { level, from: Some(READS_MARKERS) };
    let obstacle = Obstacle::new(&PROCESSOR_MARKER, &elf.path, cause);
    Some(obstacle.with_loader_message("CPU ISA level is lower than required").on(on))
}
