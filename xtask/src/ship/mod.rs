//! From many machines' `dist/` folders to one, and from that to releases and indexes.

pub mod collect;
pub mod index;
pub mod notes;
pub mod published;
pub mod release;
pub mod workflow;
