//! Thread-local storage that the loader has to place before the program starts.

use std::collections::BTreeMap;

use super::{AuditContext, Condition, Effect, Obstacle, Rule, closure::Closure};
use crate::elf::Tls;

pub(super) const STATIC_TLS: Rule = Rule::warning(
    "ELF039",
    "static-tls",
    "compile without `-ftls-model=initial-exec`, or link the library into the module with \
     `-ftls-model=global-dynamic`; little space is left for files that are loaded after the start",
);

/// The bytes that every glibc since 2.26 sets aside for files that are loaded later (`elf/dl-tls.c`,
/// `TLS_STATIC_SURPLUS`; since 2.32 the default of `glibc.rtld.nns` and
/// `glibc.rtld.optional_static_tls`, chosen for the same sum).
const SURPLUS: u64 = 1664;
/// Rounding leaves a little more: glibc 2.36 takes 1712 bytes, 2.41 takes 1664.
const ROUNDING: u64 = 128;

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let closure = Closure::of(context.elves());
    // Each file once, with the largest sum of a module that loads it.
    let mut largest: BTreeMap<&str, (u64, usize, u64)> = BTreeMap::new();
    for (module, _) in closure.modules() {
        let files = closure.from(module);
        let sizes = files.iter().filter_map(|(elf, facts)| Some((size(facts.static_tls?), elf)));
        let sizes: Vec<_> = sizes.collect();
        let total = sizes.iter().fold(0_u64, |sum, (size, _)| sum.saturating_add(*size));
        let Some((own, elf)) = sizes.iter().max_by_key(|(size, _)| *size) else { continue };
        let entry = largest.entry(&elf.path).or_default();
        *entry = (*entry).max((total, sizes.len(), *own));
    }
    for (path, (total, count, own)) in largest {
        let cause = if count == 1 {
            format!("has {own} bytes of static thread-local storage")
        } else {
            format!(
                "has {own} bytes of static thread-local storage, and {total} bytes with the {} other files \
                 that load with it",
                count - 1
            )
        };
        let obstacle = Obstacle::new(&STATIC_TLS, path, cause);
        if total > SURPLUS {
            let fails = total > SURPLUS + ROUNDING;
            all.push(
                obstacle
                    .clone()
                    .with_words("cannot allocate memory in static TLS block")
                    .on(Condition::Glibc { from: None, before: None })
                    .with_effect(if fails { Effect::Fails } else { Effect::MayFail }),
            );
        }
        // musl, `ldso/dynlink.c` (`do_relocs`), sets nothing aside.
        let words = "initial-exec TLS resolves to dynamic definition";
        all.push(obstacle.with_words(words).on(Condition::Musl));
    }
}

/// The room that a file takes.
fn size(tls: Tls) -> u64 {
    tls.size.checked_next_multiple_of(tls.align.max(1)).unwrap_or(tls.size)
}
