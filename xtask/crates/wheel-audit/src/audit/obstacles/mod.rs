//! Collects the obstacles of a wheel, for the findings and for the matrix.
//!
//! To add a kind of obstacle, write its rules and its `collect` function in a new file, and list both here.

mod closure;
mod libraries;
mod machine;
pub(super) mod rules;
mod search_path;
mod stack;
mod symbols;
mod system;
mod tls;

use super::{
    context::AuditContext,
    finding::Rule,
    obstacle::{Condition, Effect, Obstacle},
};

/// The rules whose findings come only from obstacles.
pub(super) const RULES: &[Rule] = &[
    libraries::ABSENT_LIBRARY,
    libraries::LIBRARY_OF_ANOTHER_WHEEL,
    libraries::LIBRARY_OF_A_DRIVER,
    libraries::DAMAGED_NAMES,
    search_path::OFF_THE_PATH,
    symbols::UNDEFINED,
    symbols::VERSION_NOT_DEFINED,
    symbols::NOT_OF_INTERPRETER,
    symbols::LIBRARY,
    symbols::REMOVED,
    symbols::RELEASE,
    stack::EXECUTABLE_STACK,
    tls::STATIC_TLS,
    machine::SMALL_PAGES,
    machine::PROCESSOR_MARKER,
    system::OTHER_LOADER,
    system::OTHER_LIBC,
];

/// Collects the obstacles of a wheel: missing libraries first, the processor last. On each system, the first of
/// the worst obstacles counts.
pub(super) fn of_wheel(context: &AuditContext<'_>) -> Vec<Obstacle> {
    let mut all = Vec::new();
    system::collect(context, &mut all);
    libraries::collect(context, &mut all);
    search_path::collect(context, &mut all);
    symbols::collect(context, &mut all);
    stack::collect(context, &mut all);
    tls::collect(context, &mut all);
    machine::collect(context, &mut all);
    all
}
