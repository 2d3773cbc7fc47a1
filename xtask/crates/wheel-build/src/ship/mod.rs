//! Merges the `dist/` folders of several machines and publishes the result as releases and indexes.

pub(crate) mod changes;
pub(crate) mod collect;
pub(crate) mod index;
pub(crate) mod missing;
pub(crate) mod notes;
pub(crate) mod published;
pub(crate) mod release;
pub(crate) mod tag;
pub(crate) mod workflow;
