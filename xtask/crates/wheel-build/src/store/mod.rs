//! `dist/`: the finished wheels, and the only folder that later commands read.
//!
//! Invariant: files enter it by rename only, and a journal makes the renames of a wheel and its metadata
//! one step. Whenever xtask is killed, `dist/` contains complete, audited files, and the next run finishes
//! the change.

mod commit;
mod lock;

pub(crate) use commit::{Change, Store, StoreError};
pub(crate) use lock::Lock;

#[cfg(test)]
mod tests;
