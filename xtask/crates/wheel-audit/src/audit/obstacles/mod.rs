//! Everything in a wheel that keeps a loader from loading its files: one list for the findings and
//! for the matrix.
//!
//! To add a kind of obstacle, write its rules and the function that collects it in a file of its
//! own, and name both here.

mod search_path;
mod stack;
mod symbols;

use super::{
    context::AuditContext,
    finding::Rule,
    obstacle::{Condition, Effect, Obstacle},
};

/// The rules that obstacles break.
pub(super) const RULES: &[Rule] = &[
    stack::EXECUTABLE_STACK,
    search_path::OFF_THE_PATH,
    symbols::UNDEFINED,
    symbols::VERSION_NOT_DEFINED,
    symbols::NOT_OF_INTERPRETER,
    symbols::LIBRARY,
    symbols::REMOVED,
];

/// Collects the obstacles of a wheel, the surest and most telling of each kind first.
pub(super) fn of_wheel(context: &AuditContext<'_>) -> Vec<Obstacle> {
    let mut all = Vec::new();
    stack::collect(context, &mut all);
    search_path::collect(context, &mut all);
    symbols::collect(context, &mut all);
    all
}
