//! Static thread-local storage, which the loader reserves before the program starts.

use std::collections::BTreeMap;

use super::{AuditContext, Condition, Effect, Obstacle, Rule, closure::Closure};
use crate::elf::Tls;

pub(super) const STATIC_TLS: Rule = Rule::warning(
    "ELF039",
    "static-tls",
    "compile without `-ftls-model=initial-exec`; the loader reserves little space for files that are loaded at run time",
);

/// The bytes that every glibc since 2.26 reserves for files that are loaded later (`elf/dl-tls.c`,
/// `TLS_STATIC_SURPLUS`; since 2.32, the sum of the defaults of `glibc.rtld.nns` and
/// `glibc.rtld.optional_static_tls`).
const SURPLUS: u64 = 1664;
/// Rounding allows a little more: glibc 2.36 accepts 1712 bytes, 2.41 accepts 1664.
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
                    .with_loader_message("cannot allocate memory in static TLS block")
                    .on(Condition::Glibc { from: None, before: None })
                    .with_effect(if fails { Effect::Fails } else { Effect::MayFail }),
            );
        }
        // musl reserves nothing (`ldso/dynlink.c`, `do_relocs`).
        let loader_message = "initial-exec TLS resolves to dynamic definition";
        all.push(obstacle.with_loader_message(loader_message).on(Condition::Musl));
    }
}

/// The space that a file takes, in bytes.
fn size(tls: Tls) -> u64 {
    tls.size.checked_next_multiple_of(tls.align.max(1)).unwrap_or(tls.size)
}
