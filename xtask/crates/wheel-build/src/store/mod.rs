//! `dist/`: what was built and proved, and the only folder that later commands read.
//!
//! Architecture invariant: files enter it by rename alone, and a journal makes the renames of one
//! wheel and its metadata a single step: whenever xtask is killed, `dist/` holds whole, audited
//! files, and the next run finishes what was begun.

mod commit;
mod lock;

pub(crate) use commit::{Change, Store, StoreError};
pub(crate) use lock::Lock;

#[cfg(test)]
mod tests;
