//! From many machines' `dist/` folders to one, and from that to releases and indexes.

pub mod collect;
